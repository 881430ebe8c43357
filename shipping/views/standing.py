"""How one job stands at this moment: what the moving part of its page shows, and when it has to look again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.utils import timezone

from shipping import liveness
from shipping.liveness import Condition
from shipping.models import Job, Row
from shipping.models.clock import NEVER
from shipping.pace import paused_for
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus, Sweep
from shipping.views.access import Holders, right_name, who_may
from shipping.views.live import version_of
from shipping.views.pace import Pace, pace
from shipping.views.presenters import JobCard
from shipping.views.progress import RowsBar, rows_bar


@dataclass(frozen=True, slots=True)
class Standing:
    """The job, its condition, and what its counters do not tell. `being_asked` are the rows in review about which
    the carrier is to be asked; `left_alone_until` is when the carrier wants to be asked again, in whole minutes.
    """

    card: JobCard
    live_runs: list[int]
    in_flight: int
    in_doubt: int
    in_review: int
    being_asked: int
    voids_owed: int
    worker_alive: bool
    pace: Pace | None
    left_alone_until: datetime | None

    @property
    def job(self) -> Job:
        return self.card.job

    @property
    def bar(self) -> RowsBar:
        return rows_bar(self.job, in_flight=self.in_flight, in_doubt=self.in_doubt, in_review=self.in_review)

    @property
    def is_moving(self) -> bool:
        """Whether the page should look again by itself: also a job that is over may be waiting for answers."""
        awaits = self.in_flight or self.in_doubt or self.being_asked or self.voids_owed or self.job.sweep
        return self.card.is_moving or bool(awaits)

    @property
    def is_shipping(self) -> bool:
        """Whether rows change all the time, so that the table of rows is not sent anew with each change."""
        return self.card.condition in (Condition.working, Condition.waiting_for_worker)

    @property
    def version(self) -> str:
        """The name of what the page shows; it changes with everything that stands here."""
        job = self.job
        return version_of(
            *(self.card.condition.value, job.epoch, job.sweep, job.error_code, job.error_row_number, job.name),
            *(job.total_rows, job.processed_rows, job.successful_rows, job.failed_rows, job.import_complete),
            *(job.cost_cents, job.replaced_cents),
            *(self.in_flight, self.in_doubt, self.in_review, self.being_asked, self.voids_owed, self.worker_alive),
            self.left_alone_until,
            *((self.pace.per_minute, self.pace.left) if self.pace else ()),
        )


def standing_of(job: Job) -> Standing:
    """How the job stands, in a fixed number of queries that look at few rows."""
    service = JobService()
    condition = service.condition(job)
    live_runs = liveness.live_run_ids(job.pk)
    rows = Row.objects.filter(job=job)
    in_the_air = rows.owed().filter(status=RowStatus.in_flight)
    sent = in_the_air.aggregate(all=Count("pk"), awaited=Count("pk", filter=Q(run__in=live_runs)))
    to_be_asked = Q(due__isnull=False, ask_after__lt=NEVER)
    review = rows.in_review().aggregate(all=Count("pk"), asked=Count("pk", filter=to_be_asked))
    is_working = condition == Condition.working
    return Standing(
        card=JobCard(job=job, condition=condition),
        live_runs=live_runs,
        in_flight=sent["awaited"],
        in_doubt=sent["all"] - sent["awaited"],
        in_review=review["all"],
        being_asked=review["asked"],
        voids_owed=job.labels.void_owed().count(),
        worker_alive=service.worker_alive(),
        pace=pace(job, job.remaining_rows - review["all"]) if is_working else None,
        left_alone_until=_left_alone_until(job.carrier),
    )


def _left_alone_until(carrier: str) -> datetime | None:
    seconds = paused_for(carrier)
    if not seconds:
        return None
    until = timezone.now() + timedelta(seconds=seconds)
    return until.replace(second=0, microsecond=0) + timedelta(minutes=1)


@dataclass(frozen=True)
class Action:
    """Something that can be done with a job as it stands, and whether this person may do it."""

    permission: str
    allowed: bool

    @property
    def right(self) -> str:
        """The right that it needs, in plain words."""
        return right_name(self.permission)

    @cached_property
    def may(self) -> Holders:
        """Who may do it; asked for only where this person may not."""
        return who_may(self.permission)


def actions_on(standing: Standing, user: User) -> dict[str, Action]:
    """What can be done now, by name, whoever may do it. An interrupted job is decided on its recovery page."""
    job, interrupted = standing.job, standing.card.condition == Condition.interrupted
    voidable = job.is_over and job.spent_cents > 0 and job.sweep == Sweep.none and not standing.voids_owed
    offered = {
        "start": (job.status == JobStatus.pending and job.total_rows > 0, "shipping.change_job"),
        "carry_on": (job.status == JobStatus.paused, "shipping.change_job"),
        "pause": (job.status == JobStatus.running and not interrupted, "shipping.change_job"),
        "check_again": (standing.in_doubt + standing.in_review > 0, "shipping.resume_job"),
        "cancel": (job.is_open and not interrupted, "shipping.cancel_job"),
        "void": (voidable, "shipping.void_job"),
    }
    return {
        name: Action(permission=permission, allowed=user.has_perm(permission))
        for name, (is_offered, permission) in offered.items()
        if is_offered
    }
