"""Sweeps: visiting each row of a job once because a choice said so, a chunk a tick. Under the job's lock."""

from typing import Any

from django.db.models import F, QuerySet, Sum

from shipping.models import Job, Label, Row
from shipping.rows import RETRIED, count_move
from shipping.runs import record
from shipping.states import EventKind, RowStatus, Sweep, VoidRequest

# Few enough that a chunk holds SQLite's write lock well under 200 ms.
CHUNK_ROWS = 500


def sweep_chunk(job: Job) -> None:
    """Visit the next rows in file order. `job` is changed in memory (the tick saves it), the rows in the books."""
    chunk = list(
        job.rows.filter(number__gte=job.sweep_next_row).order_by("number").values_list("pk", "number")[:CHUNK_ROWS]
    )
    if not chunk:
        record(job, EventKind.sweep_done, sweep=job.sweep)
        job.sweep, job.sweep_mark, job.sweep_void, job.sweep_next_row = Sweep.none, None, False, 1
        return
    # A range of numbers: the rows of a chunk lie together in the index.
    rows = job.rows.filter(number__gte=chunk[0][1], number__lte=chunk[-1][1])
    if job.sweep == Sweep.void:
        _request_voids(job, rows, VoidRequest.only)
    else:
        _retry_failed(job, rows)
        if job.sweep == Sweep.restart:
            _buy_again(job, rows)
    job.sweep_next_row = chunk[-1][1] + 1


def drop_unsent_voids(job: Job) -> bool:
    """Take back the voids that a restart ordered and that were never sent, of a job that is over by now: nobody sends
    them any more, and their labels must not look as if. A chunk at a time; false when there were none.
    """
    unsent = list(Label.objects.rebuy_unsent().filter(job=job).values_list("pk", flat=True)[:CHUNK_ROWS])
    return bool(Label.objects.filter(pk__in=unsent).update(void_requested=VoidRequest.none))


def _retry_failed(job: Job, rows: QuerySet[Row]) -> None:
    retried = rows.filter(status=RowStatus.failed).update(**RETRIED)
    count_move(job, RowStatus.failed, RowStatus.pending, retried)


def _buy_again(job: Job, rows: QuerySet[Row]) -> None:
    """Completed rows whose label was shown: bought again now, or after the void, or after the answer they owe."""
    shown = rows.filter(status=RowStatus.completed, label__lte=job.sweep_mark)
    if job.sweep_void:
        # The void goes first, also where an earlier restart only waited for an answer.
        Row.objects.filter(pk__in=list(shown.filter(rebuy=True).values_list("pk", flat=True))).update(rebuy=False)
        _request_voids(job, shown.filter(label__voided_at__isnull=True), VoidRequest.rebuy)
        shown = shown.filter(label__voided_at__isnull=False)
    shown.filter(due__isnull=False).update(rebuy=True)
    again = shown.filter(due__isnull=True)
    cost = again.filter(label__voided_at__isnull=True).aggregate(cost=Sum("label__cost_cents"))["cost"] or 0
    fresh_attempt: dict[str, Any] = {
        "status": RowStatus.pending,
        "attempt": F("attempt") + 1,
        "handle": None,
        "label": None,
        "run": None,
        "rebuy": False,
        "answer": "",
    }
    count = Row.objects.filter(pk__in=list(again.values_list("pk", flat=True))).update(**fresh_attempt)
    job.cost_cents -= cost
    job.replaced_cents += cost
    count_move(job, RowStatus.completed, RowStatus.pending, count)


def _request_voids(job: Job, rows: QuerySet[Row], request: VoidRequest) -> None:
    """Have the labels shown voided: with `rebuy` each row's own label, with `only` all that were paid for."""
    if request == VoidRequest.rebuy:
        keys = list(rows.values_list("label", flat=True))
    else:
        # By the rows alone: told the job as well, SQLite would go through all labels of the job for each chunk.
        keys = list(Label.objects.filter(row__in=list(rows.values_list("pk", flat=True))).values_list("pk", flat=True))
    shown = [key for key in keys if key is not None and key <= (job.sweep_mark or 0)]
    Label.objects.paid().filter(pk__in=shown).update(void_requested=request, void_after=0.0, void_failures=0)
