"""What failed under the program, told from real errors."""

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from django.db import InterfaceError, OperationalError

from shipping.outages import WORDS, Outage, in_plain_words, outage_of


def error_of(do: Callable[[], object]) -> Exception:
    """The error that it ends with."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 (whichever it is)
        do()
    return caught.value


def as_django(error: Exception) -> OperationalError:
    """The error as Django hands it on."""
    wrapped = OperationalError(*error.args)
    wrapped.__cause__ = error
    return wrapped


@pytest.mark.parametrize(
    ("number", "outage"),
    [
        (errno.ENOSPC, Outage.disk_full),
        (errno.EDQUOT, Outage.disk_full),
        (errno.EROFS, Outage.read_only),
        (errno.EMFILE, Outage.no_file_handles),
        (errno.ENFILE, Outage.no_file_handles),
        (errno.ENOENT, None),
        (errno.EACCES, None),
    ],
)
def test_an_error_of_the_system_is_told_by_its_number(number: int, outage: Outage | None) -> None:
    assert outage_of(OSError(number, os.strerror(number))) is outage


def test_a_full_sqlite_file_is_a_full_disk(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "full.sqlite3")) as books:
        books.execute("PRAGMA max_page_count = 2")
        books.execute("CREATE TABLE labels (content)")
        error = error_of(lambda: books.execute("INSERT INTO labels VALUES (zeroblob(100000))"))
    assert outage_of(as_django(error)) is Outage.disk_full


def test_a_locked_sqlite_file_is_busy_and_one_to_be_read_alone_is_read_only(tmp_path: Path) -> None:
    file = tmp_path / "books.sqlite3"
    with (
        closing(sqlite3.connect(file, isolation_level=None)) as one,
        closing(sqlite3.connect(file, timeout=0)) as other,
    ):
        one.execute("CREATE TABLE labels (content)")
        one.execute("BEGIN IMMEDIATE")
        assert outage_of(as_django(error_of(lambda: other.execute("BEGIN IMMEDIATE")))) is Outage.database_busy
        one.execute("ROLLBACK")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as reader:
        error = error_of(lambda: reader.execute("INSERT INTO labels VALUES (1)"))
    assert outage_of(as_django(error)) is Outage.read_only


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (psycopg.errors.DiskFull("could not extend file"), Outage.disk_full),
        (psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"), Outage.database_busy),
        (psycopg.errors.DeadlockDetected("deadlock detected"), Outage.database_busy),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE"), Outage.read_only),
        (psycopg.errors.AdminShutdown("terminating connection"), Outage.database_away),
        (psycopg.OperationalError("connection refused"), Outage.database_away),
    ],
)
def test_an_error_of_postgres_is_told_by_its_state(error: psycopg.Error, outage: Outage) -> None:
    assert outage_of(as_django(error)) is outage


def test_a_database_that_is_away_is_so_without_a_cause() -> None:
    assert outage_of(InterfaceError("connection already closed")) is Outage.database_away


def test_the_cause_is_found_however_deep_it_lies_and_in_a_ring_of_causes() -> None:
    deep = RuntimeError("a library's own")
    deep.__context__ = ValueError("another's")
    deep.__context__.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert outage_of(deep) is Outage.no_file_handles
    ring, other = RuntimeError("one"), RuntimeError("other")
    ring.__context__, other.__context__ = other, ring
    assert outage_of(ring) is None


def test_every_outage_has_its_words_and_any_other_error_sends_to_the_log() -> None:
    assert set(WORDS) == set(Outage)
    assert in_plain_words(OSError(errno.ENOSPC, "No space left on device")).startswith("The disk is full")
    said = in_plain_words(KeyError("row_id"))
    assert "log" in said
    assert "KeyError" not in said
