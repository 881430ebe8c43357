"""The sandbox's SQLite file: one thread owns it, and everybody's work is committed durably before they go on."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

_LARGEST_GROUP = 64
_SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    shipment_id TEXT NOT NULL,
    reference TEXT,
    tracking_code TEXT NOT NULL UNIQUE,
    cost_cents INTEGER NOT NULL,
    currency TEXT NOT NULL,
    carrier TEXT NOT NULL,
    service TEXT NOT NULL,
    rate_id TEXT NOT NULL,
    charged_at REAL NOT NULL,
    refund_status TEXT,
    refunded_at REAL
);
CREATE INDEX IF NOT EXISTS charges_of_a_shipment ON charges (shipment_id);
CREATE TABLE IF NOT EXISTS shipments (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    reference TEXT,
    details TEXT NOT NULL,
    rates TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    charge_id INTEGER REFERENCES charges (id)
);
CREATE INDEX IF NOT EXISTS shipments_by_reference ON shipments (reference, number);
CREATE INDEX IF NOT EXISTS purchased_shipments ON shipments (number) WHERE charge_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS faults (
    position INTEGER PRIMARY KEY,
    fault TEXT NOT NULL,
    seen INTEGER NOT NULL DEFAULT 0,
    hits INTEGER NOT NULL DEFAULT 0
);
"""


class _Piece(Generic[Result]):
    """Work that somebody waits for: tried inside a transaction, answered after its commit."""

    def __init__(self, work: Callable[[sqlite3.Connection], Result]) -> None:
        self._work = work
        self._answer: Callable[[], None]
        self.future: Future[Result] = Future()

    def attempt(self, connection: sqlite3.Connection) -> None:
        connection.execute("SAVEPOINT piece")
        try:
            result = self._work(connection)
        except Exception as error:  # handed to the caller, and this work alone is undone
            connection.execute("ROLLBACK TO piece")
            failure = error
            self._answer = lambda: self.future.set_exception(failure)
        else:
            self._answer = lambda: self.future.set_result(result)
        connection.execute("RELEASE piece")

    def answer(self) -> None:
        self._answer()


class Database:
    """Runs pieces of work one after the other in one thread, several to a transaction when several wait.

    `run` returns only when the transaction that holds the work is committed with `synchronous=FULL`, so
    whatever was answered survives a SIGKILL and a power cut. Sharing a commit is what makes many purchases
    at once fast: one flush to the disk serves all that came in during the flush before.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, making it and its folder when they don't exist. Raises sqlite3.Error or OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)
        self._waiting: SimpleQueue[_Piece[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="sandbox-database", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do the work in a transaction, wait for its commit, and return what it returned.

        What the work raises is raised here and undoes this work alone. A transaction that can't be begun or
        committed is raised as sqlite3.Error to everybody whose work it held.
        """
        piece = _Piece(work)
        self._waiting.put(piece)
        return piece.future.result()

    def close(self) -> None:
        """Finish the work that waits, and close the file."""
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def _serve(self) -> None:
        closing = False
        while not closing:
            first = self._waiting.get()
            if first is None:
                return
            group = [first]
            while len(group) < _LARGEST_GROUP:
                try:
                    piece = self._waiting.get_nowait()
                except Empty:
                    break
                if piece is None:
                    closing = True
                    break
                group.append(piece)
            self._commit(group)

    def _commit(self, group: list[_Piece[Any]]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for piece in group:
                piece.attempt(self._connection)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            for piece in group:
                piece.future.set_exception(error)
        else:
            for piece in group:
                piece.answer()
