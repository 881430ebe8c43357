"""What a person can decide about a charge that no row owns (an orphan): adopt its label, or have it voided.

Either way the label goes into the books, so that the money is seen. Both ask the carrier once more about that very
purchase, outside any transaction, and are bound to what the person was shown: if the orphan or its row has moved since,
or the carrier tells something else, nothing is done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from recovery.orphan_plans import OrphanDecision, OrphanPlan, is_own
from shipping.audit.carrier_list import CarrierList, CouldNotCheck
from shipping.carriers.port import ListedPurchase, Purchase
from shipping.carriers.registry import UnknownCarrier
from shipping.engine.books import complete_if_done
from shipping.engine.settle import record_unwanted, settle_bought
from shipping.models import Job, Label, Orphan, Row
from shipping.models.clock import book_now
from shipping.refusals import FactsMoved, Refused, lock_job
from shipping.rows import begin_new_attempt
from shipping.runs import record
from shipping.states import EventKind, OrphanOutcome, RowStatus
from shipping.voids import order_voids

SALT = "recovery.orphan"


class NotConfirmed(Refused):
    """The decision was not confirmed, or with a note that was made for something else."""


class NothingToDecide(Refused):
    """No row could take the label, or the row's own answer will."""


class NotAsTold(FactsMoved):
    """The carrier does not confirm the charge as it was shown."""


@dataclass(frozen=True, slots=True)
class ShownOrphan:
    """An orphan and its row as a person saw them, and what was to be done. The cost is in hundredths of `currency`."""

    key: int
    decision: str
    tracking_number: str
    cost_cents: int
    currency: str
    row_status: str
    row_attempt: int
    row_claims: int
    row_label: int | None
    job_is_open: bool

    @classmethod
    def of(cls, orphan: Orphan, job: Job, decision: OrphanDecision) -> "ShownOrphan":
        """What is so now; the orphan must have a row."""
        row = _row_of(orphan)
        return cls(
            key=orphan.pk,
            decision=decision.value,
            tracking_number=orphan.tracking_number,
            cost_cents=orphan.cost_cents,
            currency=orphan.currency,
            row_status=row.status,
            row_attempt=row.attempt,
            row_claims=row.claims,
            row_label=row.label_id,
            job_is_open=job.is_open,
        )


def confirm_orphan(orphan: Orphan, job: Job, decision: OrphanDecision) -> str:
    """The note that confirms a decision about an orphan as it is shown now; letters, digits and `-_.:` only."""
    shown = asdict(ShownOrphan.of(orphan, job, decision))
    return signing.Signer(salt=SALT).sign_object(list(shown.values()), compress=True)


def adopt_orphan(*, orphan: Orphan, confirmation: str, actor: User | None = None, reason: str = "") -> Label:
    """Record an orphan as a label of its row: a row that is not bought yet is bought with it, and one that has another
    label was charged a second time. Asks the carrier first, for up to twice REQUEST_TIMEOUT_SECONDS.

    Raises NotConfirmed, NothingToDecide, NotAsTold, or FactsMoved when something is not as it was shown; then nothing
    was recorded.
    """
    asked, purchase = _confirmed_purchase(orphan, confirmation, OrphanDecision.adopt)
    with _deciding(orphan, confirmation, OrphanDecision.adopt, actor=actor, reason=reason) as (job, fresh, row):
        return _take_as_label(job, fresh, row, purchase, asked)


def void_orphan(*, orphan: Orphan, confirmation: str, actor: User | None = None, reason: str = "") -> Label:
    """Record an orphan, and order its void, which a worker sends. Its row keeps the label that it has; one that has
    none stays as it is, and is bought anew where it is bought at all. Only a row in review about this very purchase
    is completed by it, since that answers its question.

    A row whose own purchase this was gets a new attempt: under the old handle the carrier would tell of the voided
    label again. That makes no second charge possible that was not before: a handle that is charged once was charged,
    and where a carrier doesn't promise that, the window is the same as when a row is corrected.

    Asks the carrier first, and raises the same as `adopt_orphan`.
    """
    asked, purchase = _confirmed_purchase(orphan, confirmation, OrphanDecision.void)
    with _deciding(orphan, confirmation, OrphanDecision.void, actor=actor, reason=reason) as (job, fresh, row):
        if row.status == RowStatus.completed or (row.status == RowStatus.needs_review and is_own(fresh, row)):
            label = _take_as_label(job, fresh, row, purchase, asked)
        else:
            label = record_unwanted(job, row, fresh.attempt, purchase)
            if row.status in (RowStatus.pending, RowStatus.failed) and _would_be_told_again(job, fresh, row):
                begin_new_attempt(row)
        order_voids(job, [label], actor=actor, reason=reason)
    return label


def open_orphan(job_id: int, key: int) -> Orphan | None:
    """An orphan of a job that nothing has settled, with its row and that row's label; None when there is none."""
    return Orphan.objects.open().filter(job=job_id, pk=key).select_related("job", "row__label").first()


# --- Under the job's lock ------------------------------------------------------------------------------------


@contextmanager
def _deciding(
    orphan: Orphan, confirmation: str, decision: OrphanDecision, *, actor: User | None, reason: str
) -> Iterator[tuple[Job, Orphan, Row]]:
    """One transaction under the job's lock, with the orphan and its row as they are now; settles the orphan, writes
    the event and saves the job's counters. Whatever is raised inside undoes all of it.
    """
    with transaction.atomic():
        job = lock_job(orphan.job_id)
        fresh = _require_as_shown(orphan, job, confirmation, decision)
        row = _row_of(fresh)
        shown = {
            "certain": OrphanPlan.of(fresh, job).certain,
            "row": row.get_status_display(),
            "attempt": row.attempt,
            "cost_cents": fresh.cost_cents,
        }
        yield job, fresh, row
        fresh.outcome = OrphanOutcome.adopted if decision == OrphanDecision.adopt else OrphanOutcome.voided
        fresh.settled_at = timezone.now()
        fresh.save(update_fields=["outcome", "settled_at"])
        record(
            job,
            EventKind.resolved,
            row=row,
            actor=actor,
            reason=reason,
            decision=f"{decision.value}_orphan",
            purchase_id=fresh.purchase_id,
            tracking_number=fresh.tracking_number,
            cost_cents=fresh.cost_cents,
            shown=shown,
        )
        complete_if_done(job)
        job.save()


def _take_as_label(job: Job, orphan: Orphan, row: Row, purchase: Purchase, asked: float) -> Label:
    """Record the purchase as the engine would. It also is the answer that the row owes where it is that very purchase
    and was asked for (`asked`, of `book_now()`) after due and quiet period; whatever else is owed is asked for.
    """
    answers = row.due is not None and is_own(orphan, row) and asked >= row.due + settings.QUIET_SECONDS
    label = settle_bought(job, row, orphan.attempt, purchase, answers=answers, adopted=True)
    if row.due is not None:
        Row.objects.filter(pk=row.pk).update(ask_after=row.due + settings.QUIET_SECONDS, questions_failed=0)
    return label


def _would_be_told_again(job: Job, orphan: Orphan, row: Row) -> bool:
    """Whether the carrier, asked under what the row is bought by, would tell of this purchase."""
    not_pinned = row.handle is None and orphan.reference == job.reference(row.number, row.attempt)
    return is_own(orphan, row) or not_pinned


def _require_as_shown(orphan: Orphan, job: Job, confirmation: str, decision: OrphanDecision) -> Orphan:
    """The orphan as it is now. Raises NotConfirmed, NothingToDecide, or FactsMoved when it, or its row, is not as the
    confirmation says it was shown.
    """
    shown = _read(confirmation)
    if shown.key != orphan.pk or shown.decision != decision:
        raise NotConfirmed(_("This confirmation is for another charge. Please look at it again."))
    fresh = open_orphan(job.pk, orphan.pk)
    if fresh is None:
        raise FactsMoved(what_became_of(orphan))
    plan = OrphanPlan.of(fresh, job)
    if plan.obstacle:
        raise NothingToDecide(plan.obstacle)
    if ShownOrphan.of(fresh, job, decision) != shown:
        raise FactsMoved(
            _("Row %(number)s, or the charge, has changed since you were shown it: the row is “%(status)s” now.")
            % {"number": _row_of(fresh).number, "status": _row_of(fresh).get_status_display().lower()}
        )
    return fresh


def _read(confirmation: str) -> ShownOrphan:
    try:
        return ShownOrphan(*signing.Signer(salt=SALT).unsign_object(confirmation.strip()))
    except (signing.BadSignature, ValueError, TypeError):
        raise NotConfirmed(_("This confirmation is not valid. Please look at the charge again.")) from None


def _row_of(orphan: Orphan) -> Row:
    """The row of an orphan that has one."""
    if orphan.row is None:
        raise NothingToDecide(OrphanPlan.of(orphan, orphan.job).obstacle)
    return orphan.row


def what_became_of(orphan: Orphan) -> str:
    """Why an orphan is open no more, and who decided that where somebody did."""
    decided = orphan.job.events.filter(kind=EventKind.resolved, details__purchase_id=orphan.purchase_id)
    event = decided.select_related("actor").order_by("-pk").first()
    if event is not None:
        return _("%(person)s settled this charge at %(time)s: its label %(tracking)s is in the books.") % {
            "person": event.actor.get_username() if event.actor else _("Somebody at a terminal"),
            "time": f"{timezone.localtime(event.at):%H:%M:%S}",
            "tracking": orphan.tracking_number,
        }
    if Label.objects.filter(account=orphan.account, purchase_id=orphan.purchase_id).exists():
        return _("The answer to this purchase came late: its label %(tracking)s is in the books.") % {
            "tracking": orphan.tracking_number
        }
    return _("The carrier has taken this charge back, or lists it no more: there is nothing to decide about it.")


# --- Asking the carrier, outside any transaction -------------------------------------------------------------


def _confirmed_purchase(orphan: Orphan, confirmation: str, decision: OrphanDecision) -> tuple[float, Purchase]:
    """What the carrier says of an orphan now, and from when (`book_now()`) that answer is. What can be refused without
    asking is refused before.
    """
    _require_as_shown(orphan, orphan.job, confirmation, decision)
    asked = book_now()
    try:
        with CarrierList(orphan.account, patience=0.0) as theirs:
            listed = theirs.purchase(orphan.purchase_id)
    except (CouldNotCheck, UnknownCarrier) as error:
        raise NotAsTold(str(error)) from error
    if listed is None:
        raise NotAsTold(
            _("The carrier says that it knows no such purchase. Compare again to bring this list up to date.")
        )
    if listed.is_taken_back:
        _settle_gone(orphan)
        raise NotAsTold(_("The carrier has taken this label back meanwhile: there is nothing to decide about it."))
    if not listed.readable or listed.cost_cents is None:
        raise NotAsTold(_("The carrier's answer about this purchase could not be read. Please try again later."))
    _require_as_listed(orphan, listed)
    return asked, _purchase_of(listed, listed.cost_cents)


def _require_as_listed(orphan: Orphan, listed: ListedPurchase) -> None:
    """Raises NotAsTold when the carrier tells another number, price or reference than was shown, and keeps that."""
    told = (listed.reference, listed.tracking_number, listed.cost_cents, listed.currency)
    if told == (orphan.reference, orphan.tracking_number, orphan.cost_cents, orphan.currency):
        return
    if listed.reference != orphan.reference:
        raise NotAsTold(
            _("The carrier names another reference for this purchase now, %(reference)s. Compare again.")
            % {"reference": listed.reference or "–"}
        )
    with transaction.atomic():
        lock_job(orphan.job_id)
        Orphan.objects.filter(pk=orphan.pk).update(
            tracking_number=listed.tracking_number, cost_cents=listed.cost_cents, currency=listed.currency
        )
    raise NotAsTold(_("The carrier tells another price or number for this purchase now; they are shown below."))


@transaction.atomic
def _settle_gone(orphan: Orphan) -> None:
    lock_job(orphan.job_id)
    Orphan.objects.open().filter(pk=orphan.pk).update(outcome=OrphanOutcome.gone, settled_at=timezone.now())


def _purchase_of(listed: ListedPurchase, cost_cents: int) -> Purchase:
    """An entry of the carrier's list as the answer to a purchase would have told it."""
    return Purchase(
        purchase_id=listed.purchase_id,
        reference=listed.reference,
        tracking_number=listed.tracking_number,
        carrier=listed.carrier,
        service=listed.service,
        cost_cents=cost_cents,
        currency=listed.currency,
        label_url=listed.label_url,
        bought_at=listed.bought_at,
    )
