"""Voids: asking the carrier to refund labels, and what becomes of their rows. Under the job's lock."""

from django.conf import settings
from django.utils import timezone

from shipping.backoff import failures_with, wait_after
from shipping.carriers.port import CarrierError, Unsent, VoidAnswer, VoidState
from shipping.engine.letters import VoidLetter
from shipping.engine.refunds import begin_refund
from shipping.models import Job, Label, Row
from shipping.rows import buy_again
from shipping.runs import record
from shipping.states import EventKind, RefundState, RowStatus, VoidRequest

FLAG_AFTER_FAILURES = 8
FLAGS = (EventKind.void_refused, EventKind.void_unanswered, EventKind.refund_refused)


def pick_voids(job: Job, limit: int, now: float, *, working: bool) -> list[VoidLetter]:
    """Choose voids that are owed, and keep others from sending them for as long as an answer may take.

    The voids of a restart begin only while a run works on the job (`working`): an interrupted or cancelled one keeps
    the labels that it has. A row that still owes an answer keeps its label until the answer is there.
    """
    if limit <= 0:
        return []
    owed = Label.objects.void_owed() if working else Label.objects.void_may_have_begun()
    due = owed.filter(job=job, void_after__lte=now, row__due__isnull=True)
    labels = list(due.order_by("void_after", "pk")[:limit])
    Label.objects.filter(pk__in=[label.pk for label in labels]).update(
        void_after=now + 2 * settings.REQUEST_TIMEOUT_SECONDS
    )
    return [
        VoidLetter(job_id=job.pk, carrier=job.carrier, label_id=label.pk, purchase_id=label.purchase_id)
        for label in labels
    ]


def settle_void(job: Job, label: Label, outcome: VoidAnswer | CarrierError, now: float) -> None:
    """Apply the answer to a void. "Submitted" counts as voided; a refused one leaves the row as it is, flagged."""
    if label.voided_at is not None:
        return
    if isinstance(outcome, VoidAnswer) and outcome.state is not VoidState.refused:
        _voided(job, label, outcome, now)
    elif label.void_requested == VoidRequest.none:
        return  # a late refusal of what was refused before
    elif isinstance(outcome, CarrierError):
        _could_not_void(job, label, outcome, now)
    else:
        _refused(job, label, outcome.message)


def _voided(job: Job, label: Label, answer: VoidAnswer, now: float) -> None:
    row = Row.objects.get(pk=label.row_id)
    is_current = row.status == RowStatus.completed and row.label_id == label.pk
    if is_current:
        job.cost_cents -= label.cost_cents
    else:
        job.replaced_cents -= label.cost_cents
    label.voided_at = timezone.now()
    label.void_answer = answer.message or answer.state.value
    label.save(update_fields=["voided_at", "void_answer"])
    record(job, EventKind.voided, row=row, tracking_number=label.tracking_number, cost_cents=label.cost_cents)
    begin_refund(label, answer, now)
    # What an earlier refusal said about the row is settled.
    Row.objects.filter(pk=row.pk, label=label.pk, error_code__in=FLAGS).update(error_code="", error_message="")
    if is_current and label.void_requested == VoidRequest.rebuy:
        if row.due is None:
            buy_again(job, row, label)
        else:
            Row.objects.filter(pk=row.pk).update(rebuy=True)


def _refused(job: Job, label: Label, message: str) -> None:
    label.void_requested = VoidRequest.none
    label.void_answer = message
    label.refund_state, label.refund_at = RefundState.refused, timezone.now()
    label.save(update_fields=["void_requested", "void_answer", "refund_state", "refund_at"])
    _flag(job, label, EventKind.void_refused, message)


def _flag(job: Job, label: Label, kind: EventKind, message: str) -> None:
    Row.objects.filter(pk=label.row_id, label=label.pk).update(error_code=kind.value, error_message=message)
    record(job, kind, row=label.row, tracking_number=label.tracking_number, message=message)


def _could_not_void(job: Job, label: Label, error: CarrierError, now: float) -> None:
    label.void_failures = failures_with(error, label.void_failures)
    label.void_answer = error.message
    label.void_after = now + wait_after(label.void_failures, error, longest=3600.0)
    label.save(update_fields=["void_failures", "void_answer", "void_after"])
    if label.void_failures == FLAG_AFTER_FAILURES and not isinstance(error, Unsent):
        # It may have been voided all the same, so it is asked for again and again, and a person can see it.
        _flag(job, label, EventKind.void_unanswered, f"The carrier has not answered the void. {error.message}")
