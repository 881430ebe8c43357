"""What is known about interrupted jobs, read through the job service in a fixed number of queries for each."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Sum

from shipping.carriers.port import Guarantee
from shipping.carriers.registry import UnknownCarrier, get_carrier
from shipping.models import Job
from shipping.services import JobService
from shipping.states import RowStatus

# Jobs read from the database at a time when all interrupted ones are wanted.
JOBS_AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class InterruptedJobInfo:
    """The facts about an interrupted job.

    `completed_rows` have a label, `remaining_rows` have neither label nor error nor were they skipped.
    `last_*` tell of the label recorded last, which need not be that of `highest_row_number`. `error_*` are None
    unless an error halted the job. `in_flight_count` counts the rows in doubt: nobody knows whether their labels
    were bought. `cost` is what was spent so far, in hundredths of `currency`. `guarantee` is None when the job's
    carrier is no longer configured. `restart_rows` are rows that a restart which was cut short has still to buy again.
    `orphan_count` charges, for `orphan_cents`, are known of which no row has the label.
    """

    job_id: int
    job_name: str
    completed_rows: int
    total_rows: int
    remaining_rows: int
    last_row_number: int | None = None
    last_tracking_number: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    last_recipient: str | None = None
    error_row_number: int | None = None
    in_flight_count: int = 0
    needs_review_count: int = 0
    failed_rows: int = 0
    cost: int = 0
    currency: str = "USD"
    highest_row_number: int | None = None
    interrupted_at: datetime | None = None
    guarantee: Guarantee | None = None
    worker_alive: bool = True
    restart_rows: int = 0
    orphan_count: int = 0
    orphan_cents: int = 0


def check_interrupted_jobs(job_service: JobService) -> InterruptedJobInfo | None:
    """The job that was interrupted last, or None when no job is interrupted."""
    job = job_service.interrupted_jobs().first()
    return None if job is None else describe(job, job_service)


def interrupted_jobs(job_service: JobService) -> Iterator[InterruptedJobInfo]:
    """All interrupted jobs, the one interrupted last first; each is looked into only when it is asked for."""
    worker_alive = job_service.worker_alive()
    for job in job_service.interrupted_jobs().iterator(chunk_size=JOBS_AT_A_TIME):
        yield describe(job, job_service, worker_alive=worker_alive)


def describe(
    job: Job, job_service: JobService, *, worker_alive: bool | None = None, live_runs: Collection[int] | None = None
) -> InterruptedJobInfo:
    """The facts about one job. `interrupted_at` is known only for a job that `interrupted_jobs()` gave; whether a
    worker is alive, and which runs of the job are, is looked up unless it is given.
    """
    last = job_service.last_label(job.pk)
    orphans = job_service.orphans(job.pk).aggregate(count=Count("pk"), cents=Sum("cost_cents"))
    highest = job_service.highest_completed_row(job.pk)
    return InterruptedJobInfo(
        job_id=job.pk,
        job_name=job.name,
        completed_rows=job.successful_rows,
        total_rows=job.total_rows,
        remaining_rows=job.remaining_rows,
        last_row_number=last.row.number if last else None,
        last_tracking_number=last.tracking_number if last else None,
        error_code=job.error_code or None,
        error_message=job.error_message or None,
        last_recipient=(last.row.recipient or None) if last else None,
        error_row_number=job.error_row_number,
        in_flight_count=job_service.rows_in_doubt(job.pk, live_runs).count(),
        needs_review_count=job_service.get_rows(job.pk, RowStatus.needs_review).count(),
        failed_rows=job.failed_rows,
        cost=job.spent_cents,
        currency=job.currency,
        highest_row_number=highest.number if highest else None,
        interrupted_at=getattr(job, "last_sign_at", None),
        guarantee=guarantee_of(job),
        worker_alive=job_service.worker_alive() if worker_alive is None else worker_alive,
        restart_rows=job_service.restart_left(job)[0],
        orphan_count=orphans["count"],
        orphan_cents=orphans["cents"] or 0,
    )


def guarantee_of(job: Job) -> Guarantee | None:
    """What the job's carrier promises about duplicates; None when it is no longer configured."""
    try:
        return get_carrier(job.carrier).guarantee
    except UnknownCarrier:
        return None
