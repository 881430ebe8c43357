"""The list of jobs that wait for a person: the interrupted ones, and those that have only rows in review left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Page
from django.db.models import OuterRef, Subquery

from recovery.banner import Interrupted
from recovery.incident import ago, telling_runs, why
from shipping.models import Job, Label
from shipping.services import JobService
from shipping.views.live import version_of
from shipping.views.progress import RowsBar, rows_bars

WAITING_SHOWN = 10


@dataclass(frozen=True, slots=True)
class DeskLine:
    """An interrupted job on the list of them."""

    job: Job
    since: datetime
    ago: str
    why: str
    last_label: Label | None
    bar: RowsBar

    @property
    def in_doubt(self) -> int:
        return self.bar.counts.get("doubt", 0)

    @property
    def in_review(self) -> int:
        return self.bar.counts.get("review", 0)


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """A job that has nothing left but rows in review."""

    job: Job
    bar: RowsBar

    @property
    def in_review(self) -> int:
        return self.bar.counts.get("review", 0)


def list_interrupted() -> list[Interrupted]:
    """All interrupted jobs, the one interrupted last first, each by what names it."""
    return [Interrupted(*values) for values in JobService().interrupted_jobs().values_list(*Interrupted._fields)]


def desk_lines(interrupted: Sequence[Interrupted]) -> list[DeskLine]:
    """Lines for these jobs, but for those that have ended since, in a fixed number of queries."""
    found = Job.objects.running().in_bulk([each.pk for each in interrupted])
    jobs = [found[each.pk] for each in interrupted if each.pk in found]
    heard_of = {each.pk: each.last_sign_at for each in interrupted}
    newest = Label.objects.filter(job=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    keys = dict(Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list("pk", Subquery(newest)))
    labels = Label.objects.select_related("row").in_bulk([key for key in keys.values() if key])
    runs, bars = telling_runs(jobs), rows_bars(jobs)
    return [
        DeskLine(
            job=job,
            since=heard_of[job.pk],
            ago=ago(heard_of[job.pk]),
            why=why(job, runs.get(job.pk)),
            last_label=labels.get(keys.get(job.pk) or 0),
            bar=bars[job.pk],
        )
        for job in jobs
    ]


def desk_context(page: Page[Interrupted]) -> dict[str, Any]:
    """All that the desk shows of one page of interrupted jobs, with the version of it."""
    service = JobService()
    waiting = list(service.jobs_waiting_for_person()[: WAITING_SHOWN + 1])
    bars = rows_bars(waiting)
    lines = desk_lines(list(page))
    waiting_lines = [WaitingLine(job=job, bar=bars[job.pk]) for job in waiting[:WAITING_SHOWN]]
    worker_alive = service.worker_alive()
    shown = [(line.job.pk, line.job.name, line.ago, line.why, line.bar.segments) for line in lines]
    waits = [(line.job.pk, line.job.name, line.bar.segments) for line in waiting_lines]
    return {
        "lines": lines,
        "page": page,
        "waiting": waiting_lines,
        "more_waiting": len(waiting) > WAITING_SHOWN,
        "worker_alive": worker_alive,
        "version": version_of(page.number, page.paginator.num_pages, worker_alive, shown, waits),
    }
