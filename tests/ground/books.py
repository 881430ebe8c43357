"""The books at another place for the length of a test: on a small disk, or on a database server that may fall."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import connection


@contextmanager
def books_at(place: Mapping[str, Any]) -> Iterator[None]:
    """This process and those that it starts use the database with these settings within the block."""
    connection.close()
    kept = dict(connection.settings_dict)
    connection.settings_dict.update(place)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.clear()
        connection.settings_dict.update(kept)


@contextmanager
def books_in_file(file: Path) -> Iterator[None]:
    """The SQLite file of the test, copied as it is now, is used from another place."""
    connection.close()
    with (
        closing(sqlite3.connect(connection.settings_dict["NAME"])) as source,
        closing(sqlite3.connect(file)) as target,
    ):
        source.backup(target)
    with books_at({"NAME": str(file)}):
        yield
