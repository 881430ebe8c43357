"""Comparing our books with the carrier's ledger, row by row."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Sum

from shipping.models import Job, Label, Row
from shipping.services import JobService
from shipping.states import PROCESSED_ROW_STATUSES, EventKind, RowStatus
from tests.support.sandbox import SandboxProcess

# A charge whose refund was asked for or granted; one that was "rejected" after all is paid for.
TAKEN_BACK = ("submitted", "refunded")


def assert_counters_equal_rows(job: Job) -> None:
    """The job's counters are what its rows and labels say."""
    job.refresh_from_db()
    rows = Row.objects.filter(job=job)
    assert job.total_rows == rows.count()
    assert job.processed_rows == rows.filter(status__in=PROCESSED_ROW_STATUSES).count()
    assert job.successful_rows == rows.filter(status=RowStatus.completed).count()
    assert job.failed_rows == rows.filter(status=RowStatus.failed).count()
    completed = rows.filter(status=RowStatus.completed, label__voided_at__isnull=True)
    assert job.cost_cents == (completed.aggregate(sum=Sum("label__cost_cents"))["sum"] or 0)
    paid = Label.objects.filter(job=job).paid().aggregate(sum=Sum("cost_cents"))["sum"] or 0
    assert job.spent_cents == paid


def assert_books_equal_ledger(job: Job, sandbox: SandboxProcess) -> None:
    """Every charge is in our books with its number and cost, and every label of ours is a charge; only rows that
    are shown to be in doubt or in review may have a charge that is not recorded yet.
    """
    assert_counters_equal_rows(job)
    charges: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for charge in sandbox.ledger():
        if charge["reference"].startswith(f"{job.code}-"):
            charges[charge["reference"]].append(charge)
    recorded: set[tuple[str, str, int]] = set()
    for label in Label.objects.filter(job=job).select_related("row"):
        recorded.add((label.purchase_id, label.tracking_number, label.cost_cents))
    charged = {
        (charge["shipment_id"], charge["tracking_code"], charge["cost_cents"])
        for its_charges in charges.values()
        for charge in its_charges
    }
    open_references = {job.reference(row.number, row.attempt) for row in Row.objects.filter(job=job).owed()}
    unrecorded = {
        (charge["shipment_id"], charge["tracking_code"], charge["cost_cents"])
        for reference, its_charges in charges.items()
        for charge in its_charges
        if reference in open_references
    }
    assert recorded <= charged, f"labels without a charge: {recorded - charged}"
    assert charged - recorded <= unrecorded, f"charges that no row owns: {charged - recorded - unrecorded}"


def assert_one_charge_per_completed_row(job: Job, sandbox: SandboxProcess) -> None:
    """No row was bought twice under one attempt."""
    references = [charge["reference"] for charge in sandbox.ledger() if charge["reference"].startswith(job.code)]
    assert len(references) == len(set(references))
    completed = Row.objects.filter(job=job, status=RowStatus.completed)
    expected = {job.reference(row.number, row.label.attempt) for row in completed.select_related("label") if row.label}
    assert expected <= set(references)


@dataclass(slots=True)
class Comparison:
    """A job's books beside the carrier's ledger. `unknown` charges belong to rows that are shown to owe an answer, and
    `bought_again` ones to rows whose earlier label a confirmed restart named; all that `breaches` holds by its kind
    breaks a promise.
    """

    charges: int = 0
    unknown: int = 0
    bought_again: int = 0
    breaches: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def compare_at_any_time(job: Job, charges: list[dict[str, Any]]) -> Comparison:
    """What has to hold at every moment, also while workers work: no reference charged twice, no charge that is neither
    recorded nor owed by a row, and counters that are the rows'. `charges`: the ledger, read before this.
    """
    found = Comparison()
    mine = [charge for charge in charges if charge["reference"].startswith(f"{job.code}-")]
    # Debts first: a charge whose row owes nothing any more at this moment is in the books by now.
    owed = {job.reference(row.number, row.attempt) for row in Row.objects.filter(job=job).owed()}
    recorded = set(Label.objects.filter(job=job).values_list("purchase_id", "tracking_number", "cost_cents"))
    seen: set[str] = set()
    for charge in mine:
        reference = charge["reference"]
        if reference in seen:
            found.breaches["duplicate"].append(f"{reference} was charged again under {charge['tracking_code']}")
        seen.add(reference)
        if (charge["shipment_id"], charge["tracking_code"], charge["cost_cents"]) in recorded:
            continue
        if reference in owed:
            found.unknown += 1
        else:
            found.breaches["lost"].append(f"no row owns the charge {charge['tracking_code']} for {reference}")
    found.charges = len(mine)
    try:
        with transaction.atomic():
            assert_counters_equal_rows(Job.objects.lock(job.pk))
    except AssertionError as wrong:
        found.breaches["counters"].append(str(wrong).partition("\n")[0] or "the counters are not what the rows say")
    return found


def assert_doubts_are_shown(job: Job, charges: list[dict[str, Any]]) -> None:
    """Every charge that the books do not know belongs to a row that people are shown: in doubt, in review, or bought
    and still owing an answer, so that a second charge is looked for. For moments at which no worker lives; `charges`:
    the ledger, read before this.
    """
    rows = Row.objects.filter(job=job)
    in_doubt = JobService().rows_in_doubt(job.pk)
    shown = {
        job.reference(row.number, row.attempt)
        for row in (*in_doubt, *rows.in_review(), *rows.owed().filter(status=RowStatus.completed))
    }
    known = set(Label.objects.filter(job=job).values_list("purchase_id", "tracking_number"))
    unknown = {
        charge["reference"]
        for charge in charges
        if charge["reference"].startswith(f"{job.code}-")
        and (charge["shipment_id"], charge["tracking_code"]) not in known
    }
    assert unknown <= shown, f"charged, unknown to the books, and not shown: {unknown - shown}"
    # A row that is being bought while nobody is at it is in doubt, and counted as such.
    assert in_doubt.count() == rows.filter(status=RowStatus.in_flight).count()


def compare_when_over(job: Job, charges: list[dict[str, Any]]) -> Comparison:
    """Charge by charge, once nothing moves any more: also one live charge for each bought row, with its number and its
    cost, each void a refund, and no label replaced that no confirmed restart named.
    """
    found = compare_at_any_time(job, charges)
    living = Counter(charge["reference"] for charge in charges if charge["refund_status"] not in TAKEN_BACK)
    by_purchase = {(charge["shipment_id"], charge["tracking_code"]): charge for charge in charges}
    labels: dict[int, list[Label]] = defaultdict(list)
    for label in Label.objects.filter(job=job).select_related("row").order_by("pk"):
        labels[label.row_id].append(label)
        _compare_label(job, label, by_purchase.get((label.purchase_id, label.tracking_number)), found)
    marks = [event.details["shown"]["mark"] for event in job.events.filter(kind=EventKind.restarted)]
    for row in Row.objects.filter(job=job).order_by("number"):
        mine = labels[row.pk]
        name = job.reference(row.number, row.attempt)
        live = [label for label in mine if label.attempt == row.attempt]
        if row.status == RowStatus.completed and [label.pk for label in live] != [row.label_id]:
            found.breaches["not one charge"].append(f"{name} is bought with {len(live)} labels of its attempt")
        paid = row.status == RowStatus.completed and not any(label.voided_at for label in live)
        if living[name] != paid:
            found.breaches["not one charge"].append(f"{name} is {row.status} and has {living[name]} live charges")
        for label in mine:
            if label.pk == row.label_id:
                continue
            found.bought_again += 1
            if not any(label.pk <= mark for mark in marks):
                found.breaches["duplicate"].append(f"{name}: no restart named {label.tracking_number}")
        if row.attempt > 1 + len(marks):
            found.breaches["duplicate"].append(f"{name} has more attempts than there were restarts")
    return found


def _compare_label(job: Job, label: Label, charge: dict[str, Any] | None, found: Comparison) -> None:
    name = f"{job.reference(label.row.number, label.attempt)} ({label.tracking_number})"
    if charge is None:
        found.breaches["without charge"].append(f"the carrier never charged {name}")
        return
    if charge["reference"] != job.reference(label.row.number, label.attempt):
        found.breaches["wrong label"].append(f"{name} was charged for {charge['reference']}")
    if charge["cost_cents"] != label.cost_cents:
        found.breaches["wrong label"].append(f"{name} cost {charge['cost_cents']} cents, not {label.cost_cents}")
    refunded = charge["refund_status"] in TAKEN_BACK
    if (label.voided_at is not None) != refunded and not (refunded and label.void_requested):
        found.breaches["void"].append(f"{name}: voided {label.voided_at}, at the carrier {charge['refund_status']}")
