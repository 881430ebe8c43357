"""Writing many rows in one statement, each under its own guard: what the engine does for every row that it ships.

The statements are written out because the ORM has none that takes a list of values for a list of rows. They mean the
same on SQLite (3.35 or newer) and PostgreSQL. Under the job's lock.
"""

from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from shipping.engine.letters import Ready
from shipping.models import Job, Label, Row
from shipping.rows import IllegalRowMove, count_move
from shipping.states import RowStatus

_CLAIM = """
UPDATE shipping_row
SET status = %s, claims = claims + 1, handle = wanted.column3, due = %s, claimed_at = %s, ask_after = 0,
    questions_failed = 0, answer = ''
FROM (VALUES {values}) AS wanted
WHERE shipping_row.id = wanted.column1 AND shipping_row.attempt = wanted.column2
    AND (shipping_row.handle IS NULL OR shipping_row.handle = wanted.column3)
    AND shipping_row.status = %s AND shipping_row.run_id = %s
RETURNING id, claims
"""
_COMPLETE = """
UPDATE shipping_row
SET status = %s, label_id = wanted.column4, due = NULL, run_id = NULL, questions_failed = 0, crashes = 0,
    error_code = '', error_message = '', failed_epoch = NULL
FROM (VALUES {values}) AS wanted
WHERE shipping_row.id = wanted.column1 AND shipping_row.attempt = wanted.column2
    AND shipping_row.claims = wanted.column3 AND shipping_row.status = %s AND shipping_row.due IS NOT NULL
"""


def claim_rows(run_id: int, ready: Collection[Ready], due: float) -> dict[int, int]:
    """Claim rows that wait, are this run's and have no other handle than the prepared one. Returns the numbers of the
    claims by the rows' ids, of those alone that it did claim.
    """
    wanted = [(each.preparation.row_id, each.preparation.attempt, each.prepared.handle) for each in ready]
    if not wanted:
        return {}
    claimed_at = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM.format(values=_places(wanted)),
            [RowStatus.in_flight.value, due, claimed_at, *_flat(wanted), RowStatus.pending.value, run_id],
        )
        return dict(cursor.fetchall())


def complete_rows(job: Job, bought: Sequence[tuple[Row, Label]]) -> None:
    """Complete rows in flight with the labels that answer their last claims, and count them in `job`. Raises
    IllegalRowMove when one of them is not what was read; then the transaction must not be committed.
    """
    wanted = [(row.pk, row.attempt, row.claims, label.pk) for row, label in bought]
    with connection.cursor() as cursor:
        cursor.execute(
            _COMPLETE.format(values=_places(wanted)),
            [RowStatus.completed.value, *_flat(wanted), RowStatus.in_flight.value],
        )
        if cursor.rowcount != len(wanted):
            raise IllegalRowMove("Some rows are not in flight any more.")
    for row, label in bought:
        row.status, row.label = RowStatus.completed, label
        row.due, row.run, row.questions_failed, row.crashes = None, None, 0, 0
        row.error_code, row.error_message, row.failed_epoch = "", "", None
    count_move(job, RowStatus.in_flight, RowStatus.completed, len(bought))


def _places(wanted: Sequence[tuple[Any, ...]]) -> str:
    one = f"({', '.join(['%s'] * len(wanted[0]))})"
    return ", ".join([one] * len(wanted))


def _flat(wanted: Sequence[tuple[Any, ...]]) -> list[Any]:
    return [value for values in wanted for value in values]
