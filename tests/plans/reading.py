"""What the database says it does for the statements that were executed: which tables it goes through as a whole."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

# The tables that grow with the work.
GROWING = frozenset(f"shipping_{name}" for name in ("row", "label", "event", "run", "job"))
_ALIAS = re.compile(r'"(shipping_\w+)" (?:AS )?"?([A-Z]\d+)"?')
_STEP = re.compile(r"SCAN (\S+)(?: USING (?:COVERING )?INDEX (\S+))?")
# The first records of a table as a whole, in the order of an index: read from one end, and no further than asked for.
_ORDER = r'"\w+"\."id" \w+|1 \w+|"shipping_row"\."job_id" ASC, "shipping_row"\."number" ASC'
_FIRST = re.compile(rf"(?!.* WHERE ).* ORDER BY ({_ORDER}) LIMIT \d+( OFFSET \d+)?\Z", re.DOTALL)
# Partial indexes that hold most rows of a job at some time: the engine may not go through one of all jobs.
_LARGE = frozenset({"row_pending", "row_completed", "row_failed", "row_skipped"})
# Every row of a carrier has the same account: an index that is searched by it alone is read as a whole.
_BY_ACCOUNT = re.compile(r"\(\(account\)::text = [^=]*\)\Z")
_EXPLAINED = ("SELECT", "UPDATE", "DELETE", "WITH")


@dataclass
class Statements:
    """The statements of a block, each once, with the values that it was executed with first."""

    values: dict[str, Any] = field(default_factory=dict)

    def note(self, execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(_EXPLAINED) and not many:
            self.values.setdefault(sql, values)
        return execute(sql, values, many, context)

    def scans(self, *, by_engine: bool = False) -> Iterator[tuple[str, str]]:
        """Each growing table that a statement goes through as a whole, with the statement. People's lists end after a
        page, so that they may be in the order of a large index; nothing that the engine does may go through one.
        """
        explain = _scans_on_sqlite if connection.vendor == "sqlite" else _scans_on_postgres
        partial = _partial_indexes() - (_LARGE if by_engine else set())
        for sql, values in self.values.items():
            if _FIRST.match(sql):
                continue
            for table in explain(sql, values, partial):
                if table in GROWING:
                    yield table, sql


@contextmanager
def statements() -> Iterator[Statements]:
    """The statements that are executed in the block."""
    noted = Statements()
    with connection.execute_wrapper(noted.note):
        yield noted


def _partial_indexes() -> set[str]:
    """Indexes over the few rows of a table that something is wanted of: going through one of these as a whole is what
    it is for.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'")
        else:
            cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL")
        return {name for (name,) in cursor.fetchall()}


def _scans_on_sqlite(sql: str, values: Any, partial: set[str]) -> Iterator[str]:
    names = {alias: table for table, alias in _ALIAS.findall(sql)}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        steps = [str(step[-1]) for step in cursor.fetchall()]
    for step in steps:
        found = _STEP.match(step)
        if found and found[2] not in partial:
            yield str(names.get(found[1], found[1]))


def _scans_on_postgres(sql: str, values: Any, partial: set[str]) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", values)
        (plans,) = cursor.fetchone()
    yield from _scans_of_node(plans[0]["Plan"], "", partial)


def _scans_of_node(node: dict[str, Any], above: str, partial: set[str]) -> Iterator[str]:
    """Sequential scans, and indexes that are read from end to end."""
    table = str(node.get("Relation Name", above))
    kind, index = node["Node Type"], node.get("Index Name")
    whole = "Index Cond" not in node or _BY_ACCOUNT.match(node["Index Cond"])
    if kind == "Seq Scan" or (index is not None and whole and index not in partial):
        yield table
    for part in node.get("Plans", []):
        yield from _scans_of_node(part, table, partial)
