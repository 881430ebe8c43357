"""What each choice would do, in rows and money, with the facts it was made from.

A plan's `confirmation` (see `recovery.confirmation`), sent back with the choice, lets the job service refuse a choice
whose facts have moved.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from recovery.confirmation import RecoveryChoice, confirm
from recovery.wording import count, one_line
from shipping.models import Job, Row
from shipping.reads import Facts
from shipping.services import JobService
from shipping.states import RowStatus, Sweep
from shipping.templatetags.money import money

# So many of the rows that a restart would buy again are named.
NAMED_ROWS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRow:
    """A row as people recognise it; the amount is in hundredths of `currency`."""

    number: int
    recipient: str
    tracking_number: str
    cost_cents: int
    currency: str

    def __str__(self) -> str:
        amount = money(self.cost_cents, self.currency)
        return f"Row {self.number}: {one_line(self.recipient)}, tracking {one_line(self.tracking_number)}, {amount}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What all plans tell. `doubt_rows` may or may not have been bought, and the carrier is asked about them first;
    `review_rows` wait for a person whatever is chosen; `pending_rows` were never bought in their present attempt.
    Amounts are in hundredths of `currency`. `sentences()` says the plan to a person, one line each.
    """

    choice: ClassVar[RecoveryChoice]

    job_id: int
    job_name: str
    facts: Facts
    confirmation: str
    currency: str
    completed_rows: int
    spent_cents: int
    pending_rows: int
    doubt_rows: int
    failed_rows: int
    review_rows: int
    skipped_rows: int

    def sentences(self) -> list[str]:
        return list(self._sentences())

    def _sentences(self) -> Iterator[str]:
        """Each choice's own."""
        yield from self._waiting()

    def _waiting(self) -> Iterator[str]:
        if self.doubt_rows:
            yield f"The carrier is asked first about {count(self.doubt_rows, 'row')} in doubt."
        if self.review_rows:
            yield f"{_stay(self.review_rows)} in review for a person to decide."


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePlan(Plan):
    """Going on. `retried_rows` failed since the halt and are tried again; `again_rows` are what a restart that was cut
    short still has to buy again, at about `again_cents`, with `void_first` after they were voided. `estimated_cents`
    is for the pending and retried rows at the average price so far, None before the first label.
    """

    choice = RecoveryChoice.resume

    halted_row_number: int | None
    halted_recipient: str
    retried_rows: int
    again_rows: int
    again_cents: int
    void_first: bool
    estimated_cents: int | None

    def _sentences(self) -> Iterator[str]:
        buys = self.pending_rows + self.retried_rows
        cost = "" if self.estimated_cents is None else f", for about {money(self.estimated_cents, self.currency)}"
        yield f"Buys {count(buys, 'remaining row')}{cost}."
        if self.again_rows:
            void = "voided and " if self.void_first else ""
            yield (
                f"Carries the restart on: up to {count(self.again_rows, 'label')} bought before"
                f" {'is' if self.again_rows == 1 else 'are'} {void}bought again,"
                f" for about {money(self.again_cents, self.currency)}."
            )
        elif self.completed_rows:
            yield f"Does not buy the {count(self.completed_rows, 'label')} again that there already are."
        if self.halted_row_number is not None:
            recipient = f" ({one_line(self.halted_recipient)})" if self.halted_recipient else ""
            yield f"Tries row {self.halted_row_number}{recipient} again, at which it stopped."
        yield from self._waiting()
        left = self.failed_rows - self.retried_rows
        if left:
            yield f"{_stay(left, 'other failed row' if self.retried_rows else 'failed row')} failed."


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPlan(Plan):
    """Beginning again. `labelled_rows` completed rows have labels that cost `labelled_cents`, and are bought again for
    about as much; `first_rows` names the first of them. Failed rows are tried again too.
    """

    choice = RecoveryChoice.restart

    labelled_rows: int
    labelled_cents: int
    first_rows: tuple[NamedRow, ...]

    @property
    def again_cents(self) -> int:
        """What buying the same labels again would cost: an estimate, by what they cost before."""
        return self.labelled_cents

    @property
    def warning(self) -> str:
        return (
            f"WARNING: {self.labelled_rows} rows already have tracking numbers. Restarting will create duplicate"
            " shipments for these rows. Consider using 'resume' instead."
        )

    def _sentences(self) -> Iterator[str]:
        if self.labelled_rows:
            yield (
                f"Buys {count(self.labelled_rows, 'label')} again that cost"
                f" {money(self.labelled_cents, self.currency)}, for about {money(self.again_cents, self.currency)}."
            )
        first = self.pending_rows + self.failed_rows
        if first:
            failed = f", {self.failed_rows} of them failed before" if self.failed_rows else ""
            yield f"Buys {count(first, 'row')} that {'has' if first == 1 else 'have'} no label yet{failed}."
        yield from self._waiting()
        if self.skipped_rows:
            yield f"{_stay(self.skipped_rows)} skipped."


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPlan(Plan):
    """Stopping for good. `voidable_rows` have labels for `voidable_cents` that can be voided afterwards; the void of
    `voids_begun` of them was sent to the carrier before.
    """

    choice = RecoveryChoice.cancel

    voidable_rows: int
    voidable_cents: int
    voids_begun: int

    def _sentences(self) -> Iterator[str]:
        yield f"Buys nothing more: {count(self.pending_rows, 'row')} will not be processed."
        if self.doubt_rows:
            yield f"The carrier is still asked about {count(self.doubt_rows, 'row')} in doubt; what was bought shows."
        if self.review_rows:
            yield f"{_stay(self.review_rows)} in review."
        if self.voidable_rows:
            yield (
                f"{count(self.voidable_rows, 'label')} for {money(self.voidable_cents, self.currency)}"
                f" {'stays' if self.voidable_rows == 1 else 'stay'} bought and can be voided afterwards."
            )
        if self.voids_begun:
            yield (
                f"The void of {count(self.voids_begun, 'label')} among them was sent to the carrier already, and may"
                " still be carried out."
            )


def _stay(rows: int, noun: str = "row") -> str:
    return f"{count(rows, noun)} {'stays' if rows == 1 else 'stay'}"


def plan_choice(choice: RecoveryChoice, job: Job, job_service: JobService) -> Plan:
    """What a choice would do to a job at this moment, in a fixed number of quick queries."""
    planners = {
        RecoveryChoice.resume: plan_resume,
        RecoveryChoice.restart: plan_restart,
        RecoveryChoice.cancel: plan_cancel,
    }
    return planners[choice](job, job_service)


def plan_resume(job: Job, job_service: JobService) -> ResumePlan:
    """What a resume would do at this moment."""
    common = _common(RecoveryChoice.resume, job, job_service, job_service.facts(job))
    retried = _rows_that_resume_retries(job, job_service)
    halted = None
    if job.error_row_number is not None:
        halted = job_service.get_rows(job.pk).filter(number=job.error_row_number).first()
    again_rows, again_cents = job_service.restart_left(job)
    estimated = None
    if job.successful_rows:
        estimated = round(job.cost_cents / job.successful_rows * (common["pending_rows"] + retried))
    return ResumePlan(
        **common,
        halted_row_number=job.error_row_number,
        halted_recipient=halted.recipient if halted else "",
        retried_rows=retried,
        again_rows=again_rows,
        again_cents=again_cents,
        void_first=job.sweep_void or (bool(again_rows) and job.sweep != Sweep.restart),
        estimated_cents=estimated,
    )


def plan_restart(job: Job, job_service: JobService) -> RestartPlan:
    """What a restart would do at this moment."""
    facts = job_service.facts(job)
    first = job_service.labelled_rows(job.pk, facts.mark)[:NAMED_ROWS]
    return RestartPlan(
        **_common(RecoveryChoice.restart, job, job_service, facts),
        labelled_rows=facts.labelled_rows,
        labelled_cents=facts.labelled_cents,
        first_rows=tuple(_named(row) for row in first),
    )


def plan_cancel(job: Job, job_service: JobService) -> CancelPlan:
    """What cancelling would do at this moment."""
    return CancelPlan(
        **_common(RecoveryChoice.cancel, job, job_service, job_service.facts(job)),
        voidable_rows=job.successful_rows,
        voidable_cents=job.cost_cents,
        voids_begun=job_service.voids_begun(job.pk),
    )


def _common(choice: RecoveryChoice, job: Job, job_service: JobService, facts: Facts) -> dict[str, Any]:
    in_flight = job_service.get_rows(job.pk, RowStatus.in_flight).owed().count()
    in_review = job_service.get_rows(job.pk, RowStatus.needs_review).count()
    return {
        "job_id": job.pk,
        "job_name": job.name,
        "facts": facts,
        "confirmation": confirm(choice, job.pk, facts),
        "currency": job.currency,
        "completed_rows": job.successful_rows,
        "spent_cents": job.spent_cents,
        # From the counters: counting the pending rows themselves would take longer, the longer the job.
        "pending_rows": job.remaining_rows - in_flight - in_review,
        "doubt_rows": job_service.rows_in_doubt(job.pk).count(),
        "failed_rows": job.failed_rows,
        "review_rows": in_review,
        "skipped_rows": job.skipped_rows,
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
