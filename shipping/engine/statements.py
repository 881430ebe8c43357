"""Executing written-out statements, with lists of values for lists of rows."""

import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from django.db import connection


def rows_of(statement: str, told: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, told)
        return list(cursor.fetchall())


def places(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def as_table(rows: Sequence[tuple[Any, ...]], types: Sequence[str]) -> tuple[str, list[Any]]:
    """Rows of values as a query with the columns column1, column2 and so on, and what it is executed with."""
    if connection.vendor == "sqlite":
        one = f"({places(types)})"
        return f"VALUES {', '.join([one] * len(rows))}", [value for row in rows for value in row]
    # One value instead of hundreds: writing each into the statement takes the driver longer than all else.
    return _unpacked(tuple(types)), [json.dumps(rows, default=str)]


@cache
def _unpacked(types: Sequence[str]) -> str:
    columns = (f"(one ->> {number})::{kind} AS column{number + 1}" for number, kind in enumerate(types))
    return f"SELECT {', '.join(columns)} FROM jsonb_array_elements(%s) AS given(one)"  # noqa: S608 (our own types)
