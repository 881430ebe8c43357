"""What a comparison of the books with the carrier's list finds, in words: what is so, and what to do about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from shipping.carriers.port import Guarantee, ListedPurchase
from shipping.models import Job, Label, Row
from shipping.states import RefundState, RowStatus
from shipping.templatetags.money import money


class Kind(StrEnum):
    """The kinds of findings. Those of DIFFERENCES say that the books and the list disagree."""

    orphan = "orphan"  # bought under our reference, and no label of ours
    in_review = "in_review"  # bought, and a person has to decide about its row
    unknown_label = "unknown_label"  # a label of ours that the carrier denies
    cost = "cost"
    tracking = "tracking"
    refund = "refund"
    reference = "reference"
    unreadable = "unreadable"  # the carrier's entry could not be read: neither agrees nor differs
    awaited = "awaited"  # bought, and its row still owes an answer, which workers ask for
    taken_back = "taken_back"  # bought under our reference, no label of ours, and refunded
    foreign = "foreign"  # bought by others, or for jobs that are not in these books


DIFFERENCES = frozenset(
    {Kind.orphan, Kind.in_review, Kind.unknown_label, Kind.cost, Kind.tracking, Kind.refund, Kind.reference}
)
# What is as it should be, or nobody's here.
MERELY_COUNTED = frozenset({Kind.awaited, Kind.taken_back, Kind.foreign})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found. `cost_cents` is what the carrier says, or else our books. `carrier` is the account;
    `sold_by`, `service` and `bought_at` are what is known of the label itself. `fact` and `advice` are sentences for
    the person; `advice` is "" where nothing is to be done.
    """

    kind: Kind
    carrier: str
    purchase_id: str
    reference: str
    tracking_number: str
    cost_cents: int | None
    currency: str
    job_id: int | None = None
    row_number: int | None = None
    sold_by: str = ""
    service: str = ""
    bought_at: datetime | None = None
    fact: str
    advice: str = ""


def about_purchase(
    kind: Kind, account: str, purchase: ListedPurchase, fact: str, advice: str = "", *, row: Row | None = None
) -> Finding:
    """A finding about an entry of the carrier's list."""
    return Finding(
        kind=kind,
        carrier=account,
        purchase_id=purchase.purchase_id,
        reference=purchase.reference,
        tracking_number=purchase.tracking_number,
        cost_cents=purchase.cost_cents,
        currency=purchase.currency,
        job_id=None if row is None else row.job_id,
        row_number=None if row is None else row.number,
        sold_by=purchase.carrier,
        service=purchase.service,
        bought_at=purchase.bought_at,
        fact=fact,
        advice=advice,
    )


def about_label(kind: Kind, label: Label, fact: str, advice: str, purchase: ListedPurchase | None = None) -> Finding:
    """A finding about a label of ours, which must have its row and job at hand."""
    return Finding(
        kind=kind,
        carrier=label.account,
        purchase_id=label.purchase_id,
        reference=label.job.reference(label.row.number, label.attempt),
        tracking_number=label.tracking_number,
        cost_cents=label.cost_cents if purchase is None or purchase.cost_cents is None else purchase.cost_cents,
        currency=label.currency,
        job_id=label.job_id,
        row_number=label.row.number,
        sold_by=label.carrier,
        service=label.service,
        bought_at=label.bought_at,
        fact=fact,
        advice=advice,
    )


def orphan(account: str, purchase: ListedPurchase, job: Job, row: Row | None, guarantee: Guarantee) -> Finding:
    """A purchase under the reference of a job of ours that no row has a label for."""
    if row is None:
        fact = _("Bought under the reference of job “%(job)s”, which has no such row.") % {"job": job.name}
        advice = _("Nothing in the books will use it: void it in the carrier's own account.")
        return about_purchase(Kind.orphan, account, purchase, fact, advice)
    said = {"job": job.name, "number": row.number, "status": row.get_status_display().lower()}
    fact = _("Bought for row %(number)s of “%(job)s” (%(status)s), and no label in the books.") % said
    return about_purchase(Kind.orphan, account, purchase, fact, _orphan_advice(purchase, job, row, guarantee), row=row)


def _orphan_advice(purchase: ListedPurchase, job: Job, row: Row, guarantee: Guarantee) -> str:
    void = _(
        "Adopt or void it on the job's page of decisions, after “Compare with the carrier’s list”, or with: manage.py"
        " orphans %(job)s"
    ) % {"job": job.pk}
    own_handle = row.handle == purchase.purchase_id
    if row.status == RowStatus.completed:
        return _("The row has another label, so it was paid for twice.") + " " + void
    if row.status == RowStatus.failed and own_handle:
        return _(
            "On the page of the row, press “Ask the carrier whether it was bought after all”: its label is then"
            " recorded."
        )
    if row.status == RowStatus.pending and own_handle and guarantee is Guarantee.exactly_once and job.is_open:
        return _(
            "Have the job go on: this carrier sells the row's shipment only once, so when the row's turn comes this"
            " label is recorded and no other is bought."
        )
    if row.status == RowStatus.pending and job.is_open:
        return _("The row would be bought once more: do not have the job go on before this is settled.") + " " + void
    return _("The row is not going to be shipped with it.") + " " + void


def foreign(account: str, purchase: ListedPurchase) -> Finding:
    """A purchase that is none of these books'."""
    return about_purchase(Kind.foreign, account, purchase, _("Not bought for a job in these books."))


def awaited(account: str, purchase: ListedPurchase, row: Row) -> Finding:
    """A purchase whose answer is on its way, or asked for."""
    fact = _("Its row still owes an answer; workers and housekeeping ask for it.")
    return about_purchase(Kind.awaited, account, purchase, fact, row=row)


def taken_back(account: str, purchase: ListedPurchase, row: Row | None) -> Finding:
    """A purchase that would be an orphan, had it not been refunded."""
    fact = _("No label in the books, and the carrier has taken it back.")
    return about_purchase(Kind.taken_back, account, purchase, fact, row=row)


def in_review(account: str, purchase: ListedPurchase, job: Job, row: Row) -> Finding:
    """A purchase of a row that a person is to decide about."""
    fact = _("Row %(number)s of “%(job)s” waits for a decision, and the carrier's list says that it was bought.") % {
        "job": job.name,
        "number": row.number,
    }
    advice = _("On the page of the row, press “It was bought: ask the carrier, record it”.")
    return about_purchase(Kind.in_review, account, purchase, fact, advice, row=row)


def unknown_label(label: Label) -> Finding:
    """A label of ours that the carrier denies."""
    return about_label(
        Kind.unknown_label,
        label,
        _("Row %(number)s of “%(job)s” has this label, and the carrier does not know it.")
        % {"number": label.row.number, "job": label.job.name},
        _(
            "Look whether the API key is of the account that it was bought with. If it is, ask the carrier about the"
            " shipment by its id, and hold the parcel back until it answers."
        ),
    )


def unreadable(account: str, purchase: ListedPurchase, row: Row | None) -> Finding:
    """An entry of ours that could not be compared."""
    return about_purchase(
        Kind.unreadable,
        account,
        purchase,
        _("The carrier's entry could not be read: its price, tracking number or refund is missing or strange."),
        _("Look it up in the carrier's own account."),
        row=row,
    )


def differences(label: Label, purchase: ListedPurchase) -> list[Finding]:
    """In what a label of ours and the carrier's entry of it disagree."""
    found: list[Finding] = []
    books = {"number": label.row.number, "job": label.job.name}
    if (label.cost_cents, label.currency) != (purchase.cost_cents, purchase.currency):
        costs = {
            "ours": money(label.cost_cents, label.currency),
            "theirs": money(purchase.cost_cents, purchase.currency),
        }
        fact = _("Row %(number)s of “%(job)s” cost %(ours)s in the books; the carrier says %(theirs)s.")
        advice = _("Compare with the carrier's invoice. The books keep the price that was told at the purchase.")
        found.append(about_label(Kind.cost, label, fact % {**books, **costs}, advice, purchase))
    if label.tracking_number != purchase.tracking_number:
        fact = _("Row %(number)s of “%(job)s” has number %(ours)s in the books; the carrier says %(theirs)s.")
        numbers = {"ours": label.tracking_number, "theirs": purchase.tracking_number}
        advice = _(
            "Compare with the number that is printed on the label. If both numbers exist, the shipment was charged"
            " twice: ask the carrier to take one back."
        )
        found.append(about_label(Kind.tracking, label, fact % {**books, **numbers}, advice, purchase))
    ours = label.job.reference(label.row.number, label.attempt)
    if ours != purchase.reference:
        fact = _("The label of row %(number)s of “%(job)s” has the reference %(theirs)s at the carrier, not %(ours)s.")
        advice = _("Compare the recipient on the label with the row before the parcel goes out.")
        references = {"ours": ours, "theirs": purchase.reference or "—"}
        found.append(about_label(Kind.reference, label, fact % {**books, **references}, advice, purchase))
    refund = _refund_difference(label, purchase)
    return [*found, refund] if refund is not None else found


def _refund_difference(label: Label, purchase: ListedPurchase) -> Finding | None:
    """What a void that is still owed an answer leaves open is no difference; neither is a refund that the carrier has
    decided and housekeeping will hear of.
    """
    is_voided = label.voided_at is not None
    if label.is_void_owed or is_voided == purchase.is_taken_back:
        return None
    books = {"number": label.row.number, "job": label.job.name}
    if label.voided_at is None:
        fact = _("Row %(number)s of “%(job)s” has this label, and the carrier has taken it back.") % books
        advice = _("Ship nothing with it. Void it here, too: the carrier then confirms the refund to the books.")
        return about_label(Kind.refund, label, fact, advice, purchase)
    on = date_format(timezone.localtime(label.voided_at), "DATE_FORMAT")
    if purchase.refund is not None:
        fact = _("The label of row %(number)s of “%(job)s” was voided on %(on)s; the carrier has refused the refund.")
    else:
        fact = _("The label of row %(number)s of “%(job)s” was voided on %(on)s; the carrier knows of no refund.")
    if label.refund_state == RefundState.submitted and purchase.refund is not None:
        advice = _("Nothing by hand: housekeeping asks about refunds, and will count the label as paid for again.")
    else:
        advice = _("Ask for the refund in the carrier's own account while its time for that has not run out.")
    return about_label(Kind.refund, label, fact % {**books, "on": on}, advice, purchase)
