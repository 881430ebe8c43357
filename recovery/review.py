"""What a person can decide about a row in review, or one that failed: have it sent again, leave it out, or have the
label recorded that the carrier says was bought, and voided where it is not wanted.

Each function works under the job's lock, writes an event, and completes a running job whose last open row it settles.
A row in doubt is nobody's to decide: the carrier is asked, until it answers or could not say (then it is in review).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from shipping.carriers.port import CarrierError, Purchase, Unknown
from shipping.engine.books import complete_if_done
from shipping.engine.letters import Question
from shipping.engine.reconcile import settle_finding
from shipping.engine.wire import Sent, deliver
from shipping.liveness import Condition, condition
from shipping.models import Job, Label, Row
from shipping.models.clock import book_now, local_seconds
from shipping.pace import ask
from shipping.rows import move_row
from shipping.runs import end_runs, issue_runs, record
from shipping.services import FactsMoved, Refused
from shipping.states import EventKind, RowStatus, RunEnd
from shipping.voids import order_voids

DECIDABLE = frozenset({RowStatus.needs_review, RowStatus.failed})

# What a person's decision ends: nothing is owed, and nobody is to ask, any more.
DECIDED: Mapping[str, Any] = {"due": None, "run": None, "ask_after": 0.0, "questions_failed": 0, "failed_epoch": None}
# What a row that is to be bought, after all, must not carry on with it.
SENT_AGAIN: Mapping[str, Any] = {**DECIDED, "error_code": "", "error_message": ""}


class TooEarly(Refused):
    """The row's request may still be in flight; the carrier can't be taken at its word yet."""


class NoDecisionNeeded(Refused):
    """The row is neither in review nor failed."""


class JobOver(Refused):
    """Nothing is bought for the row's job any more."""


class NotBought(Refused):
    """The carrier does not confirm that the row's label was bought."""


def send_again(row: Row, *, actor: User | None = None, reason: str = "") -> Row:
    """A person says that a row was not bought: it becomes pending, under the same attempt and handle.

    A job that only waited for this gets new runs; an interrupted one has to be resumed. Raises FactsMoved when the
    row is not as `row` shows it, TooEarly, or Refused when its job is over; then nothing was changed.
    """
    with deciding(row, EventKind.resolved, actor=actor, reason=reason, decision="send_again") as (job, fresh):
        require_open(job)
        require_decidable(fresh)
        require_quiet(fresh, book_now())
        with taken_up_where_it_only_waited(job):
            move_row(job, fresh, RowStatus.pending, **SENT_AGAIN)
    return fresh


def skip(row: Row, *, actor: User | None = None, reason: str = "") -> Row:
    """A person leaves a row out. Should its label turn up after all, it is recorded and shown.

    Raises FactsMoved when the row is not as `row` shows it, or TooEarly; then nothing was changed.
    """
    with deciding(row, EventKind.skipped, actor=actor, reason=reason, decision="skip") as (job, fresh):
        require_decidable(fresh)
        require_quiet(fresh, book_now())
        move_row(job, fresh, RowStatus.skipped, **DECIDED)
    return fresh


def record_bought(row: Row, *, tracking_number: str = "", actor: User | None = None, reason: str = "") -> Row:
    """A person says that a row was bought: the carrier is asked about its handle (for up to REQUEST_TIMEOUT_SECONDS),
    and what it says was bought is adopted. With a tracking number, it has to be that very label.

    Raises NotBought when the carrier does not confirm it, FactsMoved when the row is not as `row` shows it; then
    nothing was changed.
    """
    question, purchase = confirmed_purchase(row, tracking_number)
    with deciding(row, EventKind.resolved, actor=actor, reason=reason, decision="record_bought") as (job, fresh):
        require_decidable(fresh)
        adopt(job, fresh, question, purchase)
    return fresh


def void_bought(row: Row, *, tracking_number: str = "", actor: User | None = None, reason: str = "") -> Row:
    """A person says that a row was bought and its label is not wanted: it is adopted like by `record_bought`, and in
    the same transaction its void is ordered. A worker sends that, once the row owes no answer any more.

    The row stays bought, with a label that is voided when the carrier agrees. Raises what `record_bought` raises.
    """
    question, purchase = confirmed_purchase(row, tracking_number)
    with deciding(row, EventKind.resolved, actor=actor, reason=reason, decision="void_bought") as (job, fresh):
        require_decidable(fresh)
        label = adopt(job, fresh, question, purchase)
        order_voids(job, [label], actor=actor, reason=reason)
    return fresh


# --- Under the job's lock: what decisions about one row and about many share ---------------------------------


@contextmanager
def taken_up_where_it_only_waited(job: Job) -> Iterator[None]:
    """Issue runs for a job that only waited for a person (or for a void to be answered), when what is done inside has
    left it a row to buy. One that is interrupted waits for its resume.
    """
    stands = condition(job)
    awaited = job.runs.issued().filter(epoch=job.epoch).exists()
    only_waited = stands == Condition.waiting_for_person or (stands == Condition.waiting_for_worker and not awaited)
    yield
    if only_waited and job.rows.pending().exists():
        end_runs(job, live=RunEnd.fenced)
        job.epoch += 1
        issue_runs(job)


def adopt(job: Job, row: Row, question: Question, purchase: Purchase) -> Label:
    """Record what the carrier says was bought as the row's label. Raises NotBought when it is not this row's."""
    settle_finding(job, row, question, purchase, book_now())
    if row.status != RowStatus.completed or row.label is None:
        raise NotBought(
            _(
                "The carrier names the label %(tracking)s, but that belongs to another row, or to an earlier attempt at"
                " this one."
            )
            % {"tracking": purchase.tracking_number}
        )
    return row.label


def what_was_shown(row: Row) -> dict[str, str]:
    """What a person who decides about a row had before their eyes, for the event."""
    return {"status": row.status, "answer": row.answer, "error": row.error_message}


def require_open(job: Job) -> None:
    """Raises JobOver when nothing is bought for the job any more."""
    if job.is_over:
        raise JobOver(
            _("“%(name)s” is %(status)s: nothing is sent any more.")
            % {"name": job.name, "status": job.get_status_display().lower()}
        )


def require_decidable(row: Row) -> None:
    """Raises NoDecisionNeeded for a row that is no person's to decide."""
    if row.status not in DECIDABLE:
        raise NoDecisionNeeded(
            _("Row %(number)s is “%(status)s”; only rows in review and failed ones can be decided.")
            % {"number": row.number, "status": row.get_status_display().lower()}
        )


def require_quiet(row: Row, now: float) -> None:
    """Raises TooEarly before due and quiet period have passed: a request that nobody hears of any more may still buy
    the label. `now` is `book_now()`.
    """
    wait = seconds_to_wait(row, now)
    if wait > 0:
        raise TooEarly(
            _("The request for row %(number)s may still be on its way. Please decide in %(seconds)s seconds.")
            % {"number": row.number, "seconds": ceil(wait)}
        )


def seconds_to_wait(row: Row, now: float) -> float:
    """How long a row's request may still be on its way, in seconds from `book_now()`; 0 when it owes no answer."""
    return 0.0 if row.due is None else max(0.0, row.due + settings.QUIET_SECONDS - now)


def decidable_at(row: Row, now: float) -> datetime | None:
    """From when on a row may be decided, on the wall clock; None when it may be now."""
    wait = seconds_to_wait(row, now)
    return timezone.now() + timedelta(seconds=ceil(wait)) if wait > 0 else None


def require_unmoved(row: Row, fresh: Row) -> None:
    """Raises FactsMoved when a row is not what a person was shown of it."""
    if (fresh.status, fresh.attempt, fresh.claims) != (row.status, row.attempt, row.claims):
        raise FactsMoved(
            _("Row %(number)s has changed since you were shown it: it is “%(status)s” now.")
            % {"number": row.number, "status": fresh.get_status_display().lower()}
        )


@contextmanager
def deciding(
    row: Row, kind: EventKind, *, actor: User | None, reason: str, **details: Any
) -> Iterator[tuple[Job, Row]]:
    """One transaction under the job's lock, with the row as it is now; writes the event and saves the job's counters.
    Whatever is raised inside undoes all of it.
    """
    with transaction.atomic():
        job = Job.objects.lock(row.job_id)
        fresh = Row.objects.get(pk=row.pk)
        require_unmoved(row, fresh)
        shown = what_was_shown(fresh)
        yield job, fresh
        record(job, kind, row=fresh, actor=actor, reason=reason, shown=shown, **details)
        complete_if_done(job)
        job.save()


# --- Asking the carrier, outside any transaction -------------------------------------------------------------


def confirmed_purchase(row: Row, tracking_number: str = "") -> tuple[Question, Purchase]:
    """What the carrier says was bought for a row, and the question it answers. Raises NotBought when it says "not
    bought", can't be asked, or names another tracking number than the one typed.
    """
    if not row.handle:
        raise NotBought(
            _("Nothing was ever sent for row %(number)s, so there is nothing that could have been bought.")
            % {"number": row.number}
        )
    question = question_about(row)
    answer = ask_now(question)
    if isinstance(answer, CarrierError):
        raise NotBought(
            _("The carrier could not be asked about row %(number)s: %(message)s")
            % {"number": row.number, "message": answer.message}
        ) from answer
    if answer is None:
        raise NotBought(_("The carrier says that row %(number)s was not bought.") % {"number": row.number})
    if tracking_number and _bare(tracking_number) != _bare(answer.tracking_number):
        raise NotBought(
            _("You typed the tracking number %(typed)s, but for row %(number)s the carrier sold %(tracking)s.")
            % {"typed": tracking_number, "number": row.number, "tracking": answer.tracking_number}
        )
    return question, answer


def question_about(row: Row) -> Question:
    """The look-up of a row as it stands; `row.job` is read with it."""
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


def ask_now(question: Question) -> Purchase | CarrierError | None:
    """The carrier's answer, within REQUEST_TIMEOUT_SECONDS: a purchase, None for a definite "not bought", or why it
    could not be found out.
    """
    sent = Sent(question, local_seconds() + settings.REQUEST_TIMEOUT_SECONDS)
    try:
        answer = ask(question.carrier, partial(deliver, sent), settings.REQUEST_TIMEOUT_SECONDS)
    except TimeoutError:
        answer = Unknown("no_answer", _("The carrier did not answer in time."))
    if answer is None or isinstance(answer, Purchase | CarrierError):
        return answer
    raise TypeError(f"{type(answer).__name__} is no answer to a question.")


def _bare(tracking_number: str) -> str:
    """A tracking number as carriers mean it: people write it with spaces and dashes."""
    return "".join(filter(str.isalnum, tracking_number)).upper()
