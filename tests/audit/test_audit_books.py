"""`manage.py audit_books` against the real sandbox: what it finds, what it says, its exit codes."""

import io
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recovery.review import record_bought
from shipping.audit import compare
from shipping.audit.carrier_list import CarrierList
from shipping.carriers.port import ListedPurchase, Purchase
from shipping.carriers.registry import get_carrier
from shipping.engine.loop import RunLoop
from shipping.engine.settle import settle_bought, settle_not_bought
from shipping.engine.wire import Wire
from shipping.models import Event, Job, Label, Row, Run
from shipping.states import JobStatus, RefundState, RowStatus, RunEnd, VoidRequest
from tests.engine.letters import started_run
from tests.factories import carrier_order, fail_row, make_job, row_of
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db


def audit(*arguments: object, patience: float = 0) -> tuple[int, list[str], str]:
    """Exit code, lines of stdout, and what goes to stderr."""
    out = io.StringIO()
    try:
        call_command("audit_books", *map(str, arguments), "--patience", str(patience), stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue().splitlines(), str(error)
    return 0, out.getvalue().splitlines(), ""


def found(*arguments: object) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """Exit code, findings and the summary of the one account."""
    code, lines, _error = audit(*arguments, "--json")
    *findings, summary = [json.loads(line) for line in lines]
    return code, findings, summary["summary"]


def buy(job: Job, number: int, *, attempt: int = 1) -> Purchase:
    """Buy a row's label at the sandbox, under our reference, without a word in the books."""
    row = row_of(job, number)
    row.attempt = attempt
    order = carrier_order(row, job)
    carrier = get_carrier("sandbox")
    prepared = carrier.prepare(order, timeout=10)
    return carrier.buy(order, prepared.handle, prepared.details, timeout=10)


def claim(job: Job, number: int, handle: str, *, status: RowStatus = RowStatus.in_flight) -> None:
    """The books as they stand while a purchase under this handle is in the air."""
    Row.objects.filter(job=job, number=number).update(status=status, handle=handle, claims=1, due=0.0)


def ship(job: Job, number: int) -> Label:
    """Buy a row's label, and settle it as the engine does."""
    purchase = buy(job, number)
    claim(job, number, purchase.purchase_id)
    with transaction.atomic():
        locked = Job.objects.lock(job.pk)
        label = settle_bought(locked, row_of(job, number), 1, purchase, answers=True)
        locked.save()
    return label


def at_the_carrier(sandbox: SandboxProcess, statement: str, *values: object) -> None:
    """Change the carrier's own books behind its back."""
    with closing(sqlite3.connect(sandbox.database, timeout=10)) as books, books:
        assert books.execute(statement, values).rowcount > 0


@pytest.fixture
def shipped(sandbox: SandboxProcess) -> Job:
    """A running job of three rows, the first two bought."""
    job = make_job(3, status=JobStatus.running)
    ship(job, 1)
    ship(job, 2)
    return job


def test_books_that_agree(shipped: Job) -> None:
    code, lines, error = audit()
    assert (code, error) == (0, "")
    (summary,) = lines
    assert "2 purchases listed, 2 labels in the books; they agree." in summary


def test_books_without_any_job_have_nothing_to_compare(sandbox: SandboxProcess) -> None:
    assert audit()[0] == 0


def test_a_purchase_behind_our_back_is_an_orphan(shipped: Job) -> None:
    purchase = buy(shipped, 3)
    code, findings, summary = found()
    assert code == 1
    (orphan,) = findings
    assert (orphan["kind"], orphan["purchase_id"]) == ("orphan", purchase.purchase_id)
    assert (orphan["job_id"], orphan["row_number"]) == (shipped.pk, 3)
    assert orphan["cost_cents"] == purchase.cost_cents
    assert "do not have the job go on" in orphan["advice"]
    assert summary["agrees"] is False
    assert summary["checked_to_the_end"] is True


def test_an_orphan_is_a_line_with_what_to_do(shipped: Job) -> None:
    purchase = buy(shipped, 3)
    code, lines, error = audit(shipped.pk)
    assert code == 1
    assert error == "The books and the carrier's list differ. Differences: 1."
    assert len(lines) == 2
    assert lines[0].startswith(f"orphan: {purchase.purchase_id} {purchase.reference} {purchase.tracking_number} $")
    assert lines[0].endswith(f"or with: manage.py orphans {shipped.pk}")


def test_a_second_charge_for_a_bought_row_says_so(shipped: Job) -> None:
    buy(shipped, 1)
    code, (orphan,), _summary = found()
    assert code == 1
    assert orphan["kind"] == "orphan"
    assert "paid for twice" in orphan["advice"]


def test_a_charge_under_a_row_that_the_job_has_not_is_an_orphan(shipped: Job) -> None:
    buy(shipped, 3)
    Row.objects.filter(job=shipped, number=3).delete()
    code, (orphan,), _summary = found()
    assert (code, orphan["kind"], orphan["row_number"]) == (1, "orphan", None)
    assert "no such row" in orphan["fact"]


def test_a_purchase_of_a_process_that_woke_after_the_final_question_is_found(shipped: Job) -> None:
    row = row_of(shipped, 3)
    carrier, order = get_carrier("sandbox"), carrier_order(row, shipped)
    prepared = carrier.prepare(order, timeout=10)
    claim(shipped, 3, prepared.handle)
    with transaction.atomic():
        job = Job.objects.lock(shipped.pk)
        settle_not_bought(job, row_of(job, 3), "The carrier says: not bought.")
        job.save()
    assert audit()[0] == 0

    carrier.buy(order, prepared.handle, prepared.details, timeout=10)
    code, (orphan,), _summary = found()
    assert (code, orphan["kind"], orphan["row_number"]) == (1, "orphan", 3)
    assert "this label is recorded and no other is bought" in orphan["advice"]

    fail_row(row_of(shipped, 3))
    _code, (orphan,), _summary = found()
    assert "Ask the carrier whether it was bought after all" in orphan["advice"]


@pytest.mark.django_db(transaction=True)
def test_the_advice_to_have_the_job_go_on_buys_nothing_twice(sandbox: SandboxProcess) -> None:
    job = make_job(1)
    run = started_run(job)
    order, carrier = carrier_order(row_of(job, 1), job), get_carrier("sandbox")
    prepared = carrier.prepare(order, timeout=10)
    Row.objects.filter(job=job).update(handle=prepared.handle, claims=1)
    bought = carrier.buy(order, prepared.handle, prepared.details, timeout=10)
    code, (orphan,), _summary = found()
    assert code == 1
    assert orphan["advice"].startswith("Have the job go on")

    assert RunLoop(run, Wire(1), threading.Event()).work() == RunEnd.no_work
    assert Label.objects.get().purchase_id == bought.purchase_id
    assert sandbox.stats()["charges"] == 1
    assert audit()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_the_advice_to_ask_whether_a_failed_row_was_bought_records_it(shipped: Job) -> None:
    purchase = buy(shipped, 3)
    Row.objects.filter(job=shipped, number=3).update(handle=purchase.purchase_id, claims=1)
    fail_row(row_of(shipped, 3))
    assert audit()[0] == 1
    record_bought(row_of(shipped, 3))
    assert audit()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_the_advice_for_a_row_in_review_records_it(shipped: Job) -> None:
    claim(shipped, 3, buy(shipped, 3).purchase_id, status=RowStatus.needs_review)
    assert audit()[0] == 1
    record_bought(row_of(shipped, 3))
    assert audit()[0] == 0


def test_a_purchase_in_the_air_is_no_difference(shipped: Job) -> None:
    claim(shipped, 3, buy(shipped, 3).purchase_id)
    code, findings, summary = found()
    assert (code, findings) == (0, [])
    assert summary["counts"]["awaited"] == 1
    _code, (awaited,), _summary = found("--all")
    assert (awaited["kind"], awaited["row_number"]) == ("awaited", 3)


def test_another_purchase_than_the_one_in_the_air_is_an_orphan(shipped: Job) -> None:
    first, second = buy(shipped, 3), buy(shipped, 3)
    claim(shipped, 3, second.purchase_id)
    code, (orphan,), summary = found()
    assert (code, orphan["purchase_id"]) == (1, first.purchase_id)
    assert summary["counts"]["awaited"] == 1


def test_a_purchase_of_a_row_in_review_is_told(shipped: Job) -> None:
    claim(shipped, 3, buy(shipped, 3).purchase_id, status=RowStatus.needs_review)
    code, (finding,), _summary = found()
    assert (code, finding["kind"]) == (1, "in_review")
    assert "record it" in finding["advice"]


def test_a_label_that_the_carrier_does_not_know(shipped: Job, sandbox: SandboxProcess) -> None:
    label = Label.objects.get(row=row_of(shipped, 2))
    at_the_carrier(sandbox, "DELETE FROM shipments WHERE id = ?", label.purchase_id)
    code, (finding,), summary = found()
    assert code == 1
    assert (finding["kind"], finding["tracking_number"]) == ("unknown_label", label.tracking_number)
    assert (summary["listed"], summary["labels"]) == (1, 2)


def test_a_cost_that_changed(shipped: Job, sandbox: SandboxProcess) -> None:
    label = Label.objects.get(row=row_of(shipped, 2))
    at_the_carrier(
        sandbox,
        "UPDATE shipments SET rates = (SELECT json_group_array(json_set(value, '$.cents', 12345)) FROM"
        " json_each(rates)) WHERE id = ?",
        label.purchase_id,
    )
    code, (finding,), _summary = found()
    assert (code, finding["kind"], finding["cost_cents"]) == (1, "cost", 12345)
    assert "the carrier says $123.45" in finding["fact"]


def test_a_tracking_number_that_changed(shipped: Job, sandbox: SandboxProcess) -> None:
    """As when a carrier forgets to be idempotent, and charges one shipment twice."""
    label = Label.objects.get(row=row_of(shipped, 2))
    at_the_carrier(sandbox, "UPDATE charges SET tracking_code = 'OTHER' WHERE shipment_id = ?", label.purchase_id)
    code, (finding,), _summary = found()
    assert (code, finding["kind"]) == (1, "tracking")
    assert f"{label.tracking_number} in the books; the carrier says OTHER" in finding["fact"]


def test_a_label_with_the_reference_of_another_row(shipped: Job, sandbox: SandboxProcess) -> None:
    label = Label.objects.get(row=row_of(shipped, 2))
    other = shipped.reference(1, 1)
    at_the_carrier(sandbox, "UPDATE shipments SET reference = ? WHERE id = ?", other, label.purchase_id)
    code, (finding,), _summary = found()
    assert (code, finding["kind"], finding["row_number"]) == (1, "reference", 2)
    assert other in finding["fact"]


def test_a_refund_that_only_the_carrier_knows(shipped: Job) -> None:
    label = Label.objects.get(row=row_of(shipped, 2))
    get_carrier("sandbox").void(label.purchase_id, timeout=10)
    code, (finding,), _summary = found()
    assert (code, finding["kind"]) == (1, "refund")
    assert "the carrier has taken it back" in finding["fact"]

    Label.objects.filter(pk=label.pk).update(void_requested=VoidRequest.only)
    assert audit()[0] == 0, "its answer is still owed"
    Label.objects.filter(pk=label.pk).update(voided_at=timezone.now(), refund_state=RefundState.submitted)
    assert audit()[0] == 0, "both say that it was taken back"


def test_a_refund_that_only_the_books_know(shipped: Job, sandbox: SandboxProcess) -> None:
    label = Label.objects.filter(row=row_of(shipped, 2))
    label.update(voided_at=timezone.now(), refund_state=RefundState.submitted)
    code, (finding,), _summary = found()
    assert (code, finding["kind"]) == (1, "refund")
    assert "the carrier knows of no refund" in finding["fact"]

    get_carrier("sandbox").void(label.get().purchase_id, timeout=10)
    assert audit()[0] == 0
    sandbox.decide_refunds("rejected")
    code, (finding,), _summary = found()
    assert code == 1
    assert "has refused the refund" in finding["fact"]
    assert "housekeeping" in finding["advice"]


def test_an_orphan_that_was_taken_back_is_only_counted(shipped: Job) -> None:
    purchase = buy(shipped, 3)
    get_carrier("sandbox").void(purchase.purchase_id, timeout=10)
    code, findings, summary = found()
    assert (code, findings, summary["counts"]["taken_back"]) == (0, [], 1)
    assert [each["kind"] for each in found("--all")[1]] == ["taken_back"]


def test_foreign_purchases_are_counted_apart_and_never_ours(shipped: Job) -> None:
    other = make_job(1, sender=shipped.sender)
    buy(other, 1)
    Row.objects.filter(job=other).delete()
    other.delete()
    third = make_job(1, sender=shipped.sender)
    third.code = "order 17"
    buy(third, 1)
    code, findings, summary = found()
    assert (code, findings, summary["counts"]["foreign"]) == (0, [], 2)
    listed = found("--all")[1]
    assert [each["kind"] for each in listed] == ["foreign", "foreign"]
    assert all(each["job_id"] is None and not each["advice"] for each in listed)


def test_one_job_alone(shipped: Job) -> None:
    other = make_job(1, sender=shipped.sender)
    purchase = buy(other, 1)
    code, findings, summary = found(shipped.pk)
    assert (code, findings) == (0, [])
    assert (summary["job"], summary["listed"], summary["labels"]) == (shipped.pk, 2, 2)
    code, (orphan,), _summary = found(other.pk)
    assert (code, orphan["purchase_id"]) == (1, purchase.purchase_id)


def test_what_is_older_than_the_date_is_left_out(shipped: Job) -> None:
    tomorrow = (timezone.now() + timedelta(days=2)).date().isoformat()
    code, _findings, summary = found("--since", tomorrow)
    assert (code, summary["listed"], summary["labels"]) == (0, 0, 0)
    yesterday = (timezone.now() - timedelta(days=2)).date().isoformat()
    assert found("--since", yesterday)[2]["labels"] == 2


def test_a_label_of_an_older_shipment_is_asked_for_alone(shipped: Job, sandbox: SandboxProcess) -> None:
    label = Label.objects.get(row=row_of(shipped, 2))
    at_the_carrier(sandbox, "UPDATE shipments SET created_at = created_at - 864000 WHERE id = ?", label.purchase_id)
    code, findings, summary = found()
    assert (code, findings) == (0, [])
    assert (summary["listed"], summary["labels"]) == (1, 2)


def test_jobs_older_than_a_month_are_compared_in_windows(shipped: Job, sandbox: SandboxProcess) -> None:
    """EasyPost lists a month at most when it is given one date or none."""
    orphan = buy(shipped, 3)
    Job.objects.filter(pk=shipped.pk).update(created_at=timezone.now() - timedelta(days=100))
    at_the_carrier(sandbox, "UPDATE shipments SET created_at = created_at - 86400 * 95")
    code, (finding,), summary = found()
    assert (code, finding["purchase_id"]) == (1, orphan.purchase_id)
    assert summary["listed"] == 3


def test_a_carrier_that_can_not_be_asked_is_never_agreement(shipped: Job, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "lookup", "action": "error", "status": 503}])
    code, lines, error = audit()
    assert code == 2
    assert error.startswith("Could not be found out: sandbox: The carrier could not be asked for its list:")
    assert "could not be compared to the end" in lines[-1]
    code, findings, summary = found()
    assert (code, findings, summary["agrees"]) == (2, [], None)


@pytest.mark.parametrize("action", ["drop", "malformed", "hang"])
def test_no_answer_is_never_agreement(shipped: Job, sandbox: SandboxProcess, action: str) -> None:
    sandbox.faults([{"on": "lookup", "action": action}])
    assert audit()[0] == 2


def test_an_answer_drop_by_drop_is_given_up_at_the_deadline(shipped: Job, sandbox: SandboxProcess) -> None:
    """Each read of the library is answered in time, so that its own timeout never strikes."""
    sandbox.faults([{"on": "lookup", "action": "drip", "bytes_per_second": 20}])
    code, _lines, error = audit()
    assert code == 2
    assert "did not answer in time" in error


def test_differences_are_told_even_when_the_list_breaks_off(shipped: Job, sandbox: SandboxProcess) -> None:
    buy(shipped, 3)
    Job.objects.filter(pk=shipped.pk).update(created_at=timezone.now() - timedelta(days=60))
    sandbox.faults([{"on": "lookup", "action": "error", "status": 503, "after": 1}])
    code, findings, summary = found()
    assert (code, summary["agrees"], summary["checked_to_the_end"]) == (2, False, False)
    assert [each["kind"] for each in findings] == ["orphan"]
    sandbox.faults([{"on": "lookup", "action": "error", "status": 503, "after": 1}])
    assert audit()[2].endswith("Differences found so far: 1.")


def test_it_waits_as_long_as_the_carrier_asks_it_to(shipped: Job, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "lookup", "action": "error", "status": 429, "retry_after": 2, "count": 1}])
    before = timezone.now()
    assert audit(patience=30)[0] == 0
    assert timezone.now() - before >= timedelta(seconds=2)
    sandbox.faults([{"on": "lookup", "action": "error", "status": 429, "retry_after": 3600, "count": 1}])
    assert audit(patience=30)[0] == 2
    assert sandbox.faults()[0]["seen"] == 1, "it was not asked again before its time"


def test_an_entry_that_can_not_be_read_is_never_agreement(shipped: Job, sandbox: SandboxProcess) -> None:
    label = Label.objects.get(row=row_of(shipped, 2))
    at_the_carrier(sandbox, "UPDATE charges SET refund_status = 'odd' WHERE shipment_id = ?", label.purchase_id)
    code, lines, error = audit()
    assert code == 2
    assert "could not be read: 1." in error
    assert lines[0].startswith(f"unreadable: {label.purchase_id}")


def test_the_command_line_is_checked(shipped: Job) -> None:
    assert audit(999)[0] == 2
    assert audit(2**70)[0] == 2
    assert audit("--carrier", "pigeon")[0] == 2
    assert audit(shipped.pk, "--carrier", "easypost")[0] == 2
    assert audit("--carrier", "sandbox")[0] == 0
    assert "'soon' is no date" in audit("--since", "soon")[2]


def test_a_job_of_a_carrier_that_is_no_longer_configured(sandbox: SandboxProcess) -> None:
    job = make_job(1)
    Job.objects.filter(pk=job.pk).update(carrier="pigeon")
    code, _lines, error = audit()
    assert code == 2
    assert "No carrier named 'pigeon' is configured" in error


def test_what_changes_while_it_is_compared_is_no_difference(shipped: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A label is voided after the list was had, and before the books are read."""
    label = Label.objects.filter(row=row_of(shipped, 2))
    pages = CarrierList.pages

    def pages_and_then_a_void(theirs: CarrierList, since: datetime) -> Iterator[Sequence[ListedPurchase]]:
        for page in pages(theirs, since):
            get_carrier("sandbox").void(label.get().purchase_id, timeout=10)
            label.update(voided_at=timezone.now(), refund_state=RefundState.submitted)
            yield page

    monkeypatch.setattr(CarrierList, "pages", pages_and_then_a_void)
    assert audit()[0] == 0
    assert label.get().voided_at is not None


def test_an_answer_that_is_settled_while_the_books_are_read_is_no_orphan(
    shipped: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    purchase = buy(shipped, 3)
    claim(shipped, 3, purchase.purchase_id)
    read_rows = compare._rows

    def settle_and_read_rows(jobs: dict[str, Job], names: Sequence[compare.Name]) -> dict[tuple[int, int], Row]:
        with transaction.atomic():
            job = Job.objects.lock(shipped.pk)
            settle_bought(job, row_of(job, 3), 1, purchase, answers=True)
            job.save()
        return read_rows(jobs, names)

    monkeypatch.setattr(compare, "_rows", settle_and_read_rows)
    code, findings, _summary = found("--all")
    assert (code, findings) == (0, [])


def copies_at_the_carrier(sandbox: SandboxProcess, purchase: Purchase, references: list[str]) -> None:
    """Bought shipments like one that was bought, under these references, made and charged one after the other."""
    with closing(sqlite3.connect(sandbox.database, timeout=10)) as books, books:
        for number, reference in enumerate(references):
            charge = books.execute(
                "INSERT INTO charges (shipment_id, reference, tracking_code, cost_cents, currency, carrier, service,"
                " rate_id, charged_at) SELECT ?, ?, ?, cost_cents, currency, carrier, service, rate_id, charged_at"
                " FROM charges WHERE shipment_id = ?",
                (f"shp_{number:032d}", reference, f"94{number:020d}", purchase.purchase_id),
            ).lastrowid
            books.execute(
                "INSERT INTO shipments (id, reference, details, rates, created_at, updated_at, charge_id)"
                " SELECT ?, ?, details, rates, created_at, updated_at, ? FROM shipments WHERE id = ?",
                (f"shp_{number:032d}", reference, charge, purchase.purchase_id),
            )


def labels_like(job: Job, label: Label, count: int) -> None:
    """Labels in the books for those copies."""
    rows = list(Row.objects.filter(job=job).order_by("number")[:count])
    Label.objects.bulk_create(
        Label(
            job=job,
            row=row,
            attempt=1,
            account=label.account,
            purchase_id=f"shp_{number:032d}",
            tracking_number=f"94{number:020d}",
            carrier=label.carrier,
            service=label.service,
            cost_cents=label.cost_cents,
            currency=label.currency,
            bought_at=timezone.now(),
        )
        for number, row in enumerate(rows)
    )


@pytest.fixture
def thousand(sandbox: SandboxProcess) -> Job:
    """A job with a thousand labels that the carrier knows, and a list of eleven pages."""
    job = make_job(1001, status=JobStatus.running)
    label = ship(job, 1001)
    purchase = get_carrier("sandbox").lookup(label.purchase_id, job.reference(1001, 1), timeout=10)
    assert purchase is not None
    copies_at_the_carrier(sandbox, purchase, [job.reference(number, 1) for number in range(1, 1001)])
    labels_like(job, label, 1000)
    return job


def test_a_thousand_purchases_come_in_pages_with_a_fixed_number_of_queries(
    thousand: Job, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"on": "lookup", "action": "delay", "seconds": 0}])
    with CaptureQueriesContext(
        connection,
    ) as queries:
        code, findings, summary = found(thousand.pk)
    assert (code, findings) == (0, [])
    assert (summary["listed"], summary["labels"]) == (1001, 1001)
    assert sandbox.faults()[0]["seen"] == 11, "pages of a hundred"
    # One for the job, four for each page of the list (one for the pace), one for each page of labels and one that finds
    # no more.
    assert len(queries) <= 1 + 4 * 11 + 7


def test_nothing_is_written(shipped: Job, sandbox: SandboxProcess) -> None:
    buy(shipped, 3)
    before = (Event.objects.count(), Run.objects.count(), Label.objects.count(), sandbox.stats())
    rows = list(Row.objects.values())
    with CaptureQueriesContext(connection) as queries:
        audit("--all")
    assert all(query["sql"].startswith("SELECT") for query in queries)
    assert (Event.objects.count(), Run.objects.count(), Label.objects.count(), sandbox.stats()) == before
    assert list(Row.objects.values()) == rows
