"""Moving one row from state to state with the job's counters. Under the job's lock."""

from collections.abc import Mapping, Sequence
from typing import Any

from shipping.models import Job, Label, Row
from shipping.states import PROCESSED_ROW_STATUSES, ROW_TRANSITIONS, RowStatus

# No transaction touches more rows than this.
CHUNK_ROWS = 1_000

# What a failed row becomes when it is to be tried again, on the same attempt and handle.
RETRIED: Mapping[str, Any] = {
    "status": RowStatus.pending,
    "error_code": "",
    "error_message": "",
    "failed_epoch": None,
    "run": None,
}


class IllegalRowMove(ValueError):
    """The row's state machine has no such move."""


def move_row(job: Job, row: Row, status: RowStatus, **fields: Any) -> None:
    """Move a row, whose values were read under the job's lock, and change the counters of `job` in memory (the
    caller saves it). Raises IllegalRowMove, also when the row in the database is not what was read.
    """
    before = RowStatus(row.status)
    if status not in ROW_TRANSITIONS[before]:
        raise IllegalRowMove(f"Row {row.number} can't go from {before} to {status}.")
    values = {"status": status, **fields}
    guard = Row.objects.filter(pk=row.pk, status=before, claims=row.claims, attempt=row.attempt)
    if guard.update(**values) != 1:
        raise IllegalRowMove(f"Row {row.number} is not {before} any more.")
    for name, value in values.items():
        setattr(row, name, value)
    count_move(job, before, status)


def move_rows(job: Job, rows: Sequence[Row], status: RowStatus, **fields: Any) -> None:
    """Move rows, whose values were read under the job's lock, in one statement for each state that they come from.
    Raises IllegalRowMove like `move_row`; then the transaction must not be committed.
    """
    for before in {RowStatus(row.status) for row in rows}:
        if status not in ROW_TRANSITIONS[before]:
            raise IllegalRowMove(f"Rows can't go from {before} to {status}.")
        keys = [row.pk for row in rows if row.status == before]
        if Row.objects.filter(pk__in=keys, status=before).update(status=status, **fields) != len(keys):
            raise IllegalRowMove(f"Some rows are not {before} any more.")
        count_move(job, before, status, len(keys))


def count_move(job: Job, before: RowStatus, after: RowStatus, rows: int = 1) -> None:
    """Change a job's counters in memory for rows that went from one state to another."""
    job.processed_rows += rows * ((after in PROCESSED_ROW_STATUSES) - (before in PROCESSED_ROW_STATUSES))
    job.successful_rows += rows * ((after == RowStatus.completed) - (before == RowStatus.completed))
    job.failed_rows += rows * ((after == RowStatus.failed) - (before == RowStatus.failed))


def begin_new_attempt(row: Row) -> None:
    """Give a row that waits or failed, and owes nothing, a new attempt in the state that it is in: whatever is bought
    for it from now on has a reference and a handle of its own. Raises IllegalRowMove for any other row.
    """
    fields = {"attempt": row.attempt + 1, "handle": None, "run": None, "answer": "", "answered_at": None}
    may_begin = row.status in (RowStatus.pending, RowStatus.failed)
    guard = Row.objects.filter(pk=row.pk, status=row.status, claims=row.claims, attempt=row.attempt, due__isnull=True)
    if not may_begin or guard.update(**fields) != 1:
        raise IllegalRowMove(f"Row {row.number} neither waits nor failed.")
    for name, value in fields.items():
        setattr(row, name, value)


def buy_again(job: Job, row: Row, label: Label) -> None:
    """Set a completed row to be bought once more: a new attempt, with a handle of its own.

    `label` is the row's label; where it was not voided, its cost becomes that of a replaced label.
    """
    if label.voided_at is None:
        job.cost_cents -= label.cost_cents
        job.replaced_cents += label.cost_cents
    move_row(
        job, row, RowStatus.pending, attempt=row.attempt + 1, handle=None, label=None, rebuy=False, run=None, answer=""
    )
