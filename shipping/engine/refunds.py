"""Refunds: a void that the carrier accepted is decided days or weeks later, so it is asked how it stands. Under the
job's lock.
"""

from django.conf import settings
from django.utils import timezone

from shipping.backoff import wait_after
from shipping.carriers.port import CarrierError, Unsent, VoidAnswer, VoidState
from shipping.engine.letters import RefundQuestion
from shipping.models import Job, Label, Row
from shipping.runs import record
from shipping.states import EventKind, RefundState, RowStatus, VoidRequest

# Carriers take from days to weeks. The first question comes early for those that answer at once.
FIRST_WAIT_SECONDS = 3600.0
LONGEST_WAIT_SECONDS = 2 * 24 * 3600.0


def wait_for_refund(questions: int) -> float:
    """Seconds until the carrier is asked once more, when it was asked so often: doubling from an hour to two days."""
    return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(questions, 20))


def begin_refund(label: Label, answer: VoidAnswer, now: float) -> None:
    """Note how the refund of a label that was voided just now stands, and when to ask about it."""
    label.refund_state = RefundState(answer.state.value)
    label.refund_at = timezone.now()
    label.refund_questions = 0
    label.refund_ask_after = now + wait_for_refund(0)
    label.save(update_fields=["refund_state", "refund_at", "refund_questions", "refund_ask_after"])


def pick_refunds(job: Job, limit: int, now: float) -> list[RefundQuestion]:
    """Choose refunds to ask about, and keep others from asking for as long as an answer may take."""
    if limit <= 0:
        return []
    due = Label.objects.refund_open().filter(job=job, refund_ask_after__lte=now)
    labels = list(due.order_by("refund_ask_after", "pk")[:limit])
    Label.objects.filter(pk__in=[label.pk for label in labels]).update(
        refund_ask_after=now + 2 * settings.REQUEST_TIMEOUT_SECONDS
    )
    return [
        RefundQuestion(job_id=job.pk, carrier=job.carrier, label_id=label.pk, purchase_id=label.purchase_id)
        for label in labels
    ]


def settle_refund(job: Job, label: Label, outcome: VoidAnswer | CarrierError, now: float) -> None:
    """Apply what the carrier says about a refund. What it does not know yet, or can't say, is asked again later."""
    if label.refund_state != RefundState.submitted or label.voided_at is None:
        return  # a late answer: it is decided
    if isinstance(outcome, Unsent):
        label.refund_ask_after = now + wait_after(0, outcome)
        label.save(update_fields=["refund_ask_after"])
    elif isinstance(outcome, CarrierError) or outcome.state is VoidState.submitted:
        label.refund_questions += 1
        label.refund_ask_after = now + wait_for_refund(label.refund_questions)
        label.save(update_fields=["refund_questions", "refund_ask_after"])
    elif outcome.state is VoidState.refunded:
        label.refund_state, label.refund_at = RefundState.refunded, timezone.now()
        label.save(update_fields=["refund_state", "refund_at"])
        record(
            job,
            EventKind.refunded,
            row=label.row,
            tracking_number=label.tracking_number,
            cost_cents=label.cost_cents,
        )
    else:
        _refused_after_all(job, label, outcome.message)


def _refused_after_all(job: Job, label: Label, message: str) -> None:
    """The label counts as paid for again. A row that was only waiting to be bought again in its place keeps it."""
    row = Row.objects.get(pk=label.row_id)
    if row.status == RowStatus.completed and row.label_id == label.pk:
        job.cost_cents += label.cost_cents
        Row.objects.filter(pk=row.pk).update(
            rebuy=False, error_code=EventKind.refund_refused.value, error_message=message
        )
    else:
        job.replaced_cents += label.cost_cents
    label.voided_at, label.void_requested, label.void_answer = None, VoidRequest.none, message
    label.refund_state, label.refund_at = RefundState.refused, timezone.now()
    label.save(update_fields=["voided_at", "void_requested", "void_answer", "refund_state", "refund_at"])
    record(
        job,
        EventKind.refund_refused,
        row=row,
        tracking_number=label.tracking_number,
        cost_cents=label.cost_cents,
        message=message,
    )
