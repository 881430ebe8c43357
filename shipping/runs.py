"""Issuing and ending runs, and writing events: what choices and the engine share. All under the job's lock."""

import math
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from shipping.liveness import is_live
from shipping.models import Event, Job, Row, Run
from shipping.models.clock import book_now
from shipping.models.row import POISON_CRASHES
from shipping.rows import move_row
from shipping.states import EventKind, RowStatus, RunEnd

WORKERS_DIED = "workers_died"


def record(
    job: Job,
    kind: EventKind,
    *,
    row: Row | None = None,
    run: Run | None = None,
    actor: User | None = None,
    **details: Any,
) -> Event:
    """Write down what happened. `details` must be plain JSON."""
    return Event.objects.create(job=job, row=row, run=run, actor=actor, kind=kind, details=details)


def issue_runs(job: Job) -> None:
    """Issue as many runs as workers may work on the job at once, by its size."""
    wanted = math.ceil(job.total_rows / settings.ROWS_PER_RUN)
    issue_run(job, first=True)
    for _each in range(1, min(settings.RUNS_PER_JOB, wanted)):
        issue_run(job)


def issue_run(job: Job, *, turn: int = 1, first: bool = False, failing_since: float | None = None) -> Run:
    """Issue one run and put its ticket in the task queue once the transaction has committed. `first`: before the
    tickets of jobs that have had a worker already. `failing_since`: see `Run`.

    A ticket that is lost between the commit and the queue is queued again by housekeeping.
    """
    now = book_now()
    run = Run.objects.create(job=job, epoch=job.epoch, turn=turn, issued=now, queued=now, failing_since=failing_since)
    queue_after_commit(run, first=first)
    return run


def queue_after_commit(run: Run, *, first: bool = False) -> None:
    """Put a run's ticket in the task queue after the commit; a queue that is down does not undo the choice."""
    # No partial: Django reports what fails in a robust hook by its __qualname__.
    transaction.on_commit(lambda: enqueue(run.pk, first=first), robust=True)


def enqueue(run_id: int, *, first: bool = False) -> None:
    """Put a run's ticket in the task queue: at its end, or (`first`) before all runs that are not their job's first."""
    ship_task(first=first).enqueue(run_id)


def ship_task(*, first: bool = False) -> Any:
    """The task that works a run, or the first one of a job. By name: the tasks stand above the services and import
    them.
    """
    return import_string("shipping.tasks.ship_first" if first else "shipping.tasks.ship")


def end_runs(job: Job, *, live: RunEnd) -> None:
    """End all open runs of a job, each with what was the matter with it; those that live with the reason `live`."""
    now = book_now()
    died: list[Run] = []
    for run in job.runs.open():
        if run.started_at is None:
            run.end_reason = RunEnd.never_started
        elif is_live(run, now):
            run.end_reason = live
        else:
            run.end_reason = RunEnd.died
            died.append(run)
        run.ended_at = timezone.now()
        run.save(update_fields=["ended_at", "end_reason"])
    note_crashes(job, died)


def note_crashes(job: Job, died: Iterable[Run]) -> None:
    """Count the death of each run on the rows that it had prepared or claimed, one of which may be why. They are in
    nobody's hands any more, so a death is counted once. A row that was only being prepared is set aside here at the
    last of them, since nothing was sent for it; one that was claimed owes an answer, and the carrier is asked first.
    """
    died = list(died)
    if not died:
        return
    held = Row.objects.filter(run__in=[run.pk for run in died], status__in=[RowStatus.pending, RowStatus.in_flight])
    rows = list(held.values_list("pk", flat=True))
    if not rows:
        return
    Row.objects.filter(pk__in=rows).update(crashes=F("crashes") + 1, run=None)
    for row in job.rows.pending().filter(pk__in=rows, crashes__gte=POISON_CRASHES):
        message = of_workers_that_died(row)
        move_row(job, row, RowStatus.needs_review, error_code=WORKERS_DIED, error_message=message)
        record(job, EventKind.set_aside, row=row, code=WORKERS_DIED, message=message)


def of_workers_that_died(row: Row) -> str:
    """Why such a row is a person's to decide."""
    return _(
        "%(count)s workers, one after the other, died while they worked on this row, the last of them on this row"
        " alone. Please look at its order before you have it tried again."
    ) % {"count": row.crashes}
