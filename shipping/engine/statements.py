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


def only_among(row_ids: list[int]) -> tuple[str, list[Any]]:
    """A condition that a join with these rows' values says already, and what it is executed with. PostgreSQL can't look
    into the one value that these come in; told the ids, it knows that finding each by itself is cheap.
    """
    return ("", []) if connection.vendor == "sqlite" else (" AND shipping_row.id = ANY(%s)", [row_ids])


@cache
def _unpacked(types: Sequence[str]) -> str:
    columns = (f"(one ->> {number})::{kind} AS column{number + 1}" for number, kind in enumerate(types))
    # OFFSET 0: unpacked once, whatever they are joined with.
    return f"SELECT {', '.join(columns)} FROM jsonb_array_elements(%s) AS given(one) OFFSET 0"  # noqa: S608 (our types)
