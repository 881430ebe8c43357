"""The one thread that owns the sandbox's file answers only for what is committed."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipping.sandbox.database import Database

_FAULT = "INSERT INTO faults (position, fault) VALUES (?, '{}')"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty file of books."""
    opened = Database(tmp_path / "sandbox.sqlite3")
    yield opened
    opened.close()


def _count(database: Database) -> int:
    count: int = database.run(lambda connection: connection.execute("SELECT count(*) FROM faults").fetchone()[0])
    return count


def test_every_commit_is_flushed_to_the_disk(database: Database) -> None:
    synchronous = database.run(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])
    assert synchronous == 2, "FULL"


def test_what_it_answered_others_can_read(database: Database, tmp_path: Path) -> None:
    database.run(lambda connection: connection.execute(_FAULT, (1,)))
    other = sqlite3.connect(tmp_path / "sandbox.sqlite3")
    assert other.execute("SELECT position FROM faults").fetchall() == [(1,)]
    other.close()


def test_work_that_fails_is_undone_alone(database: Database) -> None:
    gate = threading.Barrier(9)
    failures: list[str] = []

    def note(position: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_FAULT, (position,))
            if position % 2:
                raise ValueError(f"no odd numbers: {position}")

        gate.wait(10)
        try:
            database.run(work)
        except ValueError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=note, args=(position,)) for position in range(8)]
    for thread in threads:
        thread.start()
    gate.wait(10)
    for thread in threads:
        thread.join(10)
    assert len(failures) == 4
    assert _count(database) == 4


def test_a_transaction_that_cannot_begin_fails_for_its_caller_and_not_for_the_next(
    database: Database, tmp_path: Path
) -> None:
    database.run(lambda connection: connection.execute("SELECT 1"))
    database._connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "sandbox.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        database.run(lambda connection: connection.execute(_FAULT, (1,)))
    other.execute("ROLLBACK")
    other.close()
    assert _count(database) == 0
    database.run(lambda connection: connection.execute(_FAULT, (2,)))
    assert _count(database) == 1
