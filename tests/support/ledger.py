"""Comparing our books with the carrier's ledger, row by row."""

from collections import defaultdict
from typing import Any

from django.db.models import Sum

from shipping.models import Job, Label, Row
from shipping.states import PROCESSED_ROW_STATUSES, RowStatus
from tests.support.sandbox import SandboxProcess


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
