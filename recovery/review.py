"""What a person can do about a row in review, or one that failed: have it sent again, leave it out, or have the label
recorded that the carrier says was bought.

Each function works under the job's lock, writes an event, and completes a running job whose last open row it settles.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from shipping.carriers.port import CarrierError, Purchase
from shipping.engine.books import complete_if_done
from shipping.engine.letters import Question
from shipping.engine.reconcile import settle_finding
from shipping.engine.wire import Sent, deliver
from shipping.liveness import Condition, condition
from shipping.models import Job, Row
from shipping.models.clock import book_now, local_seconds
from shipping.rows import move_row
from shipping.runs import end_runs, issue_runs, record
from shipping.services import FactsMoved, Refused
from shipping.states import EventKind, RowStatus, RunEnd

DECIDABLE = frozenset({RowStatus.needs_review, RowStatus.failed})

# What a person's decision ends: nothing is owed, and nobody is to ask, any more.
DECIDED: dict[str, Any] = {"due": None, "run": None, "ask_after": 0.0, "questions_failed": 0, "failed_epoch": None}


class TooEarly(Refused):
    """The row's request may still be in flight; the carrier can't be taken at its word yet."""


class NotBought(Refused):
    """The carrier does not confirm that the row's label was bought."""


def send_again(row: Row, *, actor: User | None = None, reason: str = "") -> Row:
    """A person says that a row was not bought: it becomes pending, under the same attempt and handle.

    A job that only waited for this gets new runs; an interrupted one has to be resumed. Raises FactsMoved when the
    row is not as `row` shows it, TooEarly, or Refused when its job is over; then nothing was changed.
    """
    with _decide(row, EventKind.resolved, actor=actor, reason=reason, decision="send_again") as (job, fresh):
        if job.is_over:
            raise Refused(f"“{job.name}” is {job.get_status_display().lower()}: nothing is sent any more.")
        _require_quiet(fresh)
        only_waited = condition(job) == Condition.waiting_for_person
        move_row(job, fresh, RowStatus.pending, **DECIDED, error_code="", error_message="")
        if only_waited:
            end_runs(job, live=RunEnd.fenced)
            job.epoch += 1
            issue_runs(job)
    return fresh


def skip(row: Row, *, actor: User | None = None, reason: str = "") -> Row:
    """A person leaves a row out. Should its label turn up after all, it is recorded and shown.

    Raises FactsMoved when the row is not as `row` shows it, or TooEarly; then nothing was changed.
    """
    with _decide(row, EventKind.skipped, actor=actor, reason=reason, decision="skip") as (job, fresh):
        _require_quiet(fresh)
        move_row(job, fresh, RowStatus.skipped, **DECIDED)
    return fresh


def record_bought(row: Row, *, actor: User | None = None, reason: str = "") -> Row:
    """A person says that a row was bought: the carrier is asked about its handle (for up to REQUEST_TIMEOUT_SECONDS),
    and what it says was bought is adopted.

    Raises NotBought when the carrier does not confirm it, FactsMoved when the row is not as `row` shows it; then
    nothing was changed.
    """
    if not row.handle:
        raise NotBought(f"Nothing was ever sent for row {row.number}, so there is nothing that could have been bought.")
    question = _question(row)
    purchase = _look_up(question, row.number)
    with _decide(row, EventKind.resolved, actor=actor, reason=reason, decision="record_bought") as (job, fresh):
        settle_finding(job, fresh, question, purchase, book_now())
        if fresh.status != RowStatus.completed:
            raise NotBought(
                f"The carrier names the label {purchase.tracking_number}, but that belongs to another row, or to an"
                " earlier attempt at this one."
            )
    return fresh


def _question(row: Row) -> Question:
    return Question(
        job_id=row.job_id,
        carrier=row.account,
        row_id=row.pk,
        attempt=row.attempt,
        claim=row.claims,
        handle=row.handle or "",
        reference=row.job.reference(row.number, row.attempt),
        asked=book_now(),
    )


def _look_up(question: Question, number: int) -> Purchase:
    """What the carrier says was bought, asked outside any transaction."""
    answer = deliver(Sent(question, local_seconds() + settings.REQUEST_TIMEOUT_SECONDS))
    if isinstance(answer, CarrierError):
        raise NotBought(f"The carrier could not be asked about row {number}: {answer.message}") from answer
    if not isinstance(answer, Purchase):
        raise NotBought(f"The carrier says that row {number} was not bought.")
    return answer


@contextmanager
def _decide(row: Row, kind: EventKind, *, actor: User | None, reason: str, **details: Any) -> Iterator[tuple[Job, Row]]:
    """One transaction under the job's lock, with the row as it is now; writes the event and saves the job's counters.
    Whatever is raised inside undoes all of it.
    """
    with transaction.atomic():
        job = Job.objects.lock(row.job_id)
        fresh = Row.objects.get(pk=row.pk)
        _require_unmoved(row, fresh)
        before = {"status": fresh.status, "answer": fresh.answer, "error": fresh.error_message}
        yield job, fresh
        record(job, kind, row=fresh, actor=actor, reason=reason, shown=before, **details)
        complete_if_done(job)
        job.save()


def _require_unmoved(row: Row, fresh: Row) -> None:
    if (fresh.status, fresh.attempt, fresh.claims) != (row.status, row.attempt, row.claims):
        raise FactsMoved(
            f"Row {row.number} has changed since you were shown it: it is “{fresh.get_status_display().lower()}” now."
        )
    if fresh.status not in DECIDABLE:
        raise Refused(
            f"Row {row.number} is “{fresh.get_status_display().lower()}”; only rows in review and failed ones can be"
            " decided."
        )


def _require_quiet(row: Row) -> None:
    """Before due and quiet period have passed, a request that nobody hears of any more may still buy the label."""
    if row.due is None:
        return
    wait = row.due + settings.QUIET_SECONDS - book_now()
    if wait > 0:
        raise TooEarly(
            f"The request for row {row.number} may still be on its way. Please decide in {ceil(wait)} seconds."
        )
