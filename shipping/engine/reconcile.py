"""Reconciling: asking the carrier about rows in doubt, and believing only what it definitely says."""

from collections.abc import Collection

from django.conf import settings
from django.utils import timezone

from shipping.backoff import failures_with, wait_after
from shipping.carriers.port import CarrierError, Guarantee, Purchase, Unsent
from shipping.carriers.registry import get_carrier
from shipping.engine.letters import Question
from shipping.engine.settle import clear_owed, owes, set_aside, settle_bought, settle_not_bought
from shipping.liveness import is_gone, process_of
from shipping.models import Job, Row, Run
from shipping.models.row import POISON_CRASHES
from shipping.runs import WORKERS_DIED, note_crashes, of_workers_that_died, record
from shipping.states import EventKind, RowStatus


def pick_questions(job: Job, live_runs: Collection[int], limit: int, now: float) -> list[Question]:
    """Choose rows in doubt to ask about, and keep others from asking at the same time for as long as an answer may
    take. Under the job's lock.
    """
    if limit <= 0:
        return []
    rows = list(job.rows.owed().filter(ask_after__lte=now).exclude(run__in=live_runs).order_by("due")[:limit])
    Row.objects.filter(pk__in=[row.pk for row in rows]).update(ask_after=now + 2 * settings.REQUEST_TIMEOUT_SECONDS)
    # Runs that a choice fenced may have lived on, or died later: no tick of theirs tells.
    fenced = Run.objects.filter(pk__in={row.run_id for row in rows if row.run_id is not None})
    note_crashes(job, [run for run in fenced if is_gone(process_of(run))])
    return [
        Question(
            job_id=job.pk,
            carrier=job.carrier,
            row_id=row.pk,
            attempt=row.attempt,
            claim=row.claims,
            handle=row.handle or "",
            reference=job.reference(row.number, row.attempt),
            asked=now,
        )
        for row in rows
    ]


def settle_finding(job: Job, row: Row, question: Question, outcome: Purchase | CarrierError | None, now: float) -> None:
    """Apply the carrier's answer to the claim it was asked for.

    "Bought" counts at any time. What is definite once due and quiet period have passed also ends what is owed.
    "Could not find out" is never read as "not bought".
    """
    still_owed = owes(row, question.claim)
    quiet_over = still_owed and question.asked >= (row.due or 0.0) + settings.QUIET_SECONDS
    if isinstance(outcome, Purchase):
        settle_bought(job, row, question.attempt, outcome, answers=quiet_over, adopted=True)
        if still_owed and not quiet_over:
            _note(row, "The carrier says: bought.", ask_after=_end_of_quiet(row))
    elif not still_owed:
        return
    elif isinstance(outcome, CarrierError):
        _could_not_find_out(job, row, outcome, now, quiet_over=quiet_over)
    elif not quiet_over:
        _note(row, "The carrier says: not bought so far. It is asked again.", ask_after=_end_of_quiet(row))
    else:
        _found_not_bought(job, row)


def _end_of_quiet(row: Row) -> float:
    return (row.due or 0.0) + settings.QUIET_SECONDS


def _note(row: Row, answer: str, *, ask_after: float) -> None:
    Row.objects.filter(pk=row.pk).update(
        answer=answer, answered_at=timezone.now(), ask_after=ask_after, questions_failed=0
    )


def _found_not_bought(job: Job, row: Row) -> None:
    carrier = get_carrier(job.carrier)
    answer = "The carrier says: not bought."
    if row.status == RowStatus.completed:
        clear_owed(job, row)
    elif row.crashes >= POISON_CRASHES:
        _note(row, answer, ask_after=0.0)
        set_aside(job, row, WORKERS_DIED, of_workers_that_died(row))
    elif carrier.guarantee is Guarantee.adopt_or_ask and not carrier.send_again_when_not_found:
        _note(row, answer, ask_after=0.0)
        set_aside(job, row, "not_found", "The carrier does not know this purchase. Please decide whether to send it.")
    else:
        record(job, EventKind.not_bought, row=row, claim=row.claims)
        settle_not_bought(job, row, answer)


def _could_not_find_out(job: Job, row: Row, error: CarrierError, now: float, *, quiet_over: bool) -> None:
    failed = failures_with(error, row.questions_failed)
    answer = f"Could not find out: {error.message}"
    Row.objects.filter(pk=row.pk).update(
        answer=answer, answered_at=timezone.now(), ask_after=now + wait_after(failed, error), questions_failed=failed
    )
    if failed < settings.REVIEW_AFTER_QUESTIONS or isinstance(error, Unsent):
        return
    if row.status == RowStatus.completed and quiet_over:
        # Its label is known; whether this claim charged a second time can't be found out this way. Before the quiet
        # period is over the request itself may still arrive, so until then the answer stays owed.
        record(job, EventKind.unanswered, row=row, code=error.code, message=error.message)
        clear_owed(job, row)
    elif row.status == RowStatus.in_flight:
        set_aside(job, row, "could_not_find_out", f"The carrier could not say whether this was bought. {error.message}")
