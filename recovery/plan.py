"""What each choice would do, in rows and money, with the facts it was made from.

A plan's `confirmation` (see `recovery.confirmation`), sent back with the choice, lets the job service refuse a choice
whose facts have moved.
"""

from collections.abc import Collection
from typing import Any

from recovery.confirmation import RecoveryChoice, confirm
from recovery.plans import CancelPlan, NamedRow, Plan, RestartPlan, ResumePlan
from shipping.models import Job, Row
from shipping.services import JobService
from shipping.states import RowStatus, Sweep

# So many of the rows that a restart would buy again are named.
NAMED_ROWS = 5


def plan_choice(choice: RecoveryChoice, job: Job, job_service: JobService) -> Plan:
    """What a choice would do to a job at this moment, in a fixed number of quick queries."""
    planners = {
        RecoveryChoice.resume: plan_resume,
        RecoveryChoice.restart: plan_restart,
        RecoveryChoice.cancel: plan_cancel,
    }
    return planners[choice](job, job_service)


def plan_all(
    job: Job, job_service: JobService, live_runs: Collection[int] | None = None
) -> tuple[ResumePlan, RestartPlan, CancelPlan]:
    """What each choice would do at this moment, all made from the same facts. `live_runs` are the job's live runs,
    where they are known already.
    """
    common = _common(job, job_service, live_runs)
    return (
        plan_resume(job, job_service, common),
        plan_restart(job, job_service, common),
        plan_cancel(job, job_service, common),
    )


def plan_resume(job: Job, job_service: JobService, common: dict[str, Any] | None = None) -> ResumePlan:
    """What a resume would do at this moment; `common` is what `plan_all` has read already."""
    common = common or _common(job, job_service)
    retried = _rows_that_resume_retries(job, job_service)
    halted = job_service.halting_row(job) if job.error_row_number is not None else None
    again_rows, again_cents = job_service.restart_left(job)
    estimated = None
    if job.successful_rows:
        estimated = round(job.cost_cents / job.successful_rows * (common["pending_rows"] + retried))
    return ResumePlan(
        **common,
        confirmation=confirm(RecoveryChoice.resume, job.pk, common["facts"]),
        halted_row_number=halted.number if halted else None,
        halted_recipient=halted.recipient if halted else "",
        retried_rows=retried,
        again_rows=again_rows,
        again_cents=again_cents,
        void_first=job.sweep_void or (bool(again_rows) and job.sweep != Sweep.restart),
        estimated_cents=estimated,
    )


def plan_restart(job: Job, job_service: JobService, common: dict[str, Any] | None = None) -> RestartPlan:
    """What a restart would do at this moment; `common` is what `plan_all` has read already."""
    common = common or _common(job, job_service)
    facts = common["facts"]
    first = job_service.labelled_rows(job.pk, facts.mark)[:NAMED_ROWS]
    return RestartPlan(
        **common,
        confirmation=confirm(RecoveryChoice.restart, job.pk, facts),
        labelled_rows=facts.labelled_rows,
        labelled_cents=facts.labelled_cents,
        first_rows=tuple(_named(row) for row in first),
    )


def plan_cancel(job: Job, job_service: JobService, common: dict[str, Any] | None = None) -> CancelPlan:
    """What cancelling would do at this moment; `common` is what `plan_all` has read already."""
    common = common or _common(job, job_service)
    return CancelPlan(
        **common,
        confirmation=confirm(RecoveryChoice.cancel, job.pk, common["facts"]),
        voidable_rows=job.successful_rows,
        voidable_cents=job.cost_cents,
        voids_begun=job_service.voids_begun(job.pk),
    )


def _common(job: Job, job_service: JobService, live_runs: Collection[int] | None = None) -> dict[str, Any]:
    """What all plans tell, but for the confirmation."""
    in_flight = job_service.get_rows(job.pk, RowStatus.in_flight).owed().count()
    in_review = job_service.get_rows(job.pk, RowStatus.needs_review).count()
    return {
        "job_id": job.pk,
        "job_name": job.name,
        "facts": job_service.facts(job),
        "currency": job.currency,
        "completed_rows": job.successful_rows,
        "spent_cents": job.spent_cents,
        # From the counters: counting the pending rows themselves would take longer, the longer the job.
        "pending_rows": job.remaining_rows - in_flight - in_review,
        "doubt_rows": job_service.rows_in_doubt(job.pk, live_runs).count(),
        "failed_rows": job.failed_rows,
        "review_rows": in_review,
        "skipped_rows": job.skipped_rows,
        "paid_already_rows": job_service.rows_paid_already(job.pk),
    }


def _rows_that_resume_retries(job: Job, job_service: JobService) -> int:
    """Failed rows that a resume tries again: of a job that stops at the first, those rejected since it last went on;
    of one whose sweep over failed rows was cut short, all.
    """
    if job.sweep in (Sweep.retry, Sweep.restart):
        return job.failed_rows
    if not job.stop_on_error or not job.failed_rows:
        return 0
    return job_service.get_rows(job.pk, RowStatus.failed).filter(failed_epoch=job.epoch).count()


def _named(row: Row) -> NamedRow:
    label = row.label
    if label is None:
        raise ValueError(f"{row} has no label.")
    return NamedRow(
        number=row.number,
        recipient=row.recipient,
        tracking_number=label.tracking_number,
        cost_cents=label.cost_cents,
        currency=label.currency,
    )
