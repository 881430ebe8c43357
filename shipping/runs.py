"""Issuing and ending runs, and writing events: what choices and the engine share. All under the job's lock."""

import math
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from shipping.liveness import is_live
from shipping.models import Event, Job, Row, Run
from shipping.models.clock import book_now
from shipping.states import EventKind, RunEnd


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
    for _turn in range(max(1, min(settings.RUNS_PER_JOB, wanted))):
        issue_run(job)


def issue_run(job: Job, *, turn: int = 1) -> Run:
    """Issue one run and put its ticket in the task queue once the transaction has committed.

    A ticket that is lost between the commit and the queue is queued again by housekeeping.
    """
    now = book_now()
    run = Run.objects.create(job=job, epoch=job.epoch, turn=turn, issued=now, queued=now)
    queue_after_commit(run)
    return run


def queue_after_commit(run: Run) -> None:
    """Put a run's ticket in the task queue after the commit; a queue that is down does not undo the choice."""
    # No partial: Django reports what fails in a robust hook by its __qualname__.
    transaction.on_commit(lambda: enqueue(run.pk), robust=True)


def enqueue(run_id: int) -> None:
    """Put a run's ticket in the task queue."""
    # By name: the tasks stand above the services and import them.
    import_string("shipping.tasks.ship").enqueue(run_id)


def tickets_wait() -> bool:
    """Whether the task queue still holds tickets: then one that was not brought yet is not lost. Of the task engines,
    only django-tasks-db can tell.
    """
    from django_tasks_db.backend import DatabaseBackend
    from django_tasks_db.models import DBTaskResult

    backend = import_string("shipping.tasks.ship").get_backend()
    return isinstance(backend, DatabaseBackend) and DBTaskResult.objects.ready().exists()


def end_runs(job: Job, *, live: RunEnd) -> None:
    """End all open runs of a job, each with what was the matter with it; those that live with the reason `live`."""
    now = book_now()
    for run in job.runs.open():
        if run.started_at is None:
            run.end_reason = RunEnd.never_started
        elif is_live(run, now):
            run.end_reason = live
        else:
            run.end_reason = RunEnd.died
        run.ended_at = timezone.now()
        run.save(update_fields=["ended_at", "end_reason"])
