import io
from pathlib import Path
from typing import IO, Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shipping.models import Event, Job, Row, Sender
from shipping.orders import importer
from shipping.orders.checking import check_file
from shipping.orders.errors import OrderFileError
from shipping.orders.importer import (
    DuplicateRefused,
    ImportRefused,
    RowsRefused,
    import_file,
    require_readiness,
)
from shipping.services import JobService, Refused
from shipping.states import EventKind, JobStatus, RowStatus
from tests.factories import carrier_order
from tests.orders.conftest import numbered_orders, order_file

BAD = {"weight": "0", "to_zip": "1027"}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def run(file: IO[bytes], *, allow_duplicate: bool = False, **options: Any) -> Job:
    report = check_file(file, file_name="orders.csv", allow_duplicate=allow_duplicate)
    wanted: dict[str, Any] = {"name": "Spring", "carrier": "sandbox", "allow_duplicate": allow_duplicate}
    return import_file(file, report, **wanted | options)


def numbers(job: Job) -> list[int]:
    return list(job.rows.order_by("number").values_list("number", flat=True))


def cut_short(monkeypatch: pytest.MonkeyPatch, orders: list[dict[str, str]], *, chunks: int = 1, **options: Any) -> Job:
    """Import orders and die right after so many chunks are committed; the job that is left behind."""
    committed = 0
    insert = importer._insert

    def insert_and_die(job_id: int, rows: list[Row]) -> None:
        nonlocal committed
        insert(job_id, rows)
        committed += 1
        if committed == chunks:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(importer, "_insert", insert_and_die)
        with pytest.raises(Killed):
            run(order_file(*orders), **options)
    return Job.objects.get()


def test_a_check_reports_and_touches_nothing(db: None) -> None:
    orders = numbered_orders(3)
    report = check_file(order_file(orders[0], orders[1] | BAD, orders[2]), file_name="orders.csv")
    assert (report.rows, report.good_rows, report.bad_rows, report.error_count) == (3, 2, 1, 2)
    assert [(error.row, error.line, error.column) for error in report.errors] == [
        (2, 3, "to_zip"),
        (2, 3, "weight"),
    ]
    assert not report.ok
    assert len(report.digest) == 64
    assert not Job.objects.exists()


def test_errors_beyond_the_first_thousand_are_counted_and_not_kept(db: None) -> None:
    report = check_file(order_file(*([BAD] * 700)), file_name="orders.csv")
    assert (report.bad_rows, report.error_count, len(report.errors)) == (700, 1400, 1000)


def test_a_header_without_orders_is_refused(db: None) -> None:
    with pytest.raises(OrderFileError, match="a header but no orders"):
        check_file(order_file(), file_name="orders.csv")


def test_notices_tell_what_is_kept_assumed_and_converted(db: None) -> None:
    columns = ["to_name", "to_street1", "to_city", "to_state", "to_zip"]
    file = order_file({"Weight (kg)": "1", "Gift Note": "x"}, columns=columns)
    kept, country, unit = check_file(file, file_name="orders.csv").notices
    assert "not sent to the carrier: “Gift Note”" in kept
    assert "every order goes to the United States" in country
    assert "“Weight (kg)” is converted to ounces (1 is 35.2740 ounces)" in unit


def test_an_import_puts_every_row_into_the_books(sender: Sender, clerk: User) -> None:
    file = order_file(
        {"reference": "A", "to_country": "USA", "Gift Note": "hi "},
        {"to_name": "", "to_company": "Acme", "to_zip": "01027"},
    )
    report = check_file(file, file_name="orders.csv")
    job = import_file(file, report, name=" Spring ", carrier="sandbox", created_by=clerk, stop_on_error=False)
    job.refresh_from_db()
    assert (job.name, job.carrier, job.sender, job.created_by) == ("Spring", "sandbox", sender, clerk)
    assert (job.status, job.total_rows, job.import_complete, job.stop_on_error) == (JobStatus.pending, 2, True, False)
    assert (job.file_name, job.file_digest) == ("orders.csv", report.digest)
    assert job.file_columns == [*report.table.layout.headers]
    assert job.file_columns[-2:] == ["Gift Note", "to_company"]
    first, second = job.rows.order_by("number")
    assert (first.number, first.order_reference, first.recipient) == (1, "A", "Søren de la Cruz")
    assert (first.status, first.account, first.attempt) == (RowStatus.pending, "sandbox", 1)
    assert first.extra == {"Gift Note": "hi "}
    assert first.order["to_country"] == "US"
    assert "to_company" not in first.order
    assert (second.number, second.order_reference, second.recipient) == (2, "", "Acme")
    assert carrier_order(first, job).parcel.weight == 12.0


def test_an_import_leaves_a_trace(sender: Sender, clerk: User) -> None:
    job = run(order_file(*numbered_orders(2), BAD | {"Note": "x"}), created_by=clerk, skip_bad=True)
    event = Event.objects.get(job=job)
    assert (event.kind, event.actor) == (EventKind.created, clerk)
    assert event.details["file_name"] == "orders.csv"
    assert (event.details["rows"], event.details["skipped_rows"]) == (2, 1)
    assert len(event.details["errors"]) == 2
    assert event.details["errors"][0].startswith("Row 3 (line 4), to_zip “1027”")
    assert len(event.details["notices"]) == 1


def test_bad_rows_stop_the_import_before_there_is_a_job(sender: Sender) -> None:
    with pytest.raises(RowsRefused, match="1 of 2 rows have errors; nothing was imported"):
        run(order_file({}, BAD))
    assert not Job.objects.exists()


def test_the_good_rows_go_without_the_bad_and_keep_their_numbers(sender: Sender) -> None:
    orders = numbered_orders(5)
    job = run(order_file(orders[0], orders[1] | BAD, orders[2], orders[3], BAD, orders[4]), skip_bad=True)
    assert numbers(job) == [1, 3, 4, 6]
    assert (job.total_rows, job.import_complete) == (4, True)


def test_nothing_but_bad_rows_makes_no_job(sender: Sender) -> None:
    with pytest.raises(ImportRefused, match="None of the 2 rows"):
        run(order_file(BAD, BAD), skip_bad=True)
    assert not Job.objects.exists()


def test_without_a_sender_there_is_no_job(db: None) -> None:
    with pytest.raises(ImportRefused, match="Set the address that parcels come from"):
        run(order_file({}))
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("name", "carrier", "part"),
    [
        ("", "sandbox", "needs a name"),
        ("x" * 201, "sandbox", "200"),
        ("x", "pigeon", "“pigeon” is configured; there is"),
    ],
)
def test_a_job_needs_a_name_and_a_carrier_that_is_there(sender: Sender, name: str, carrier: str, part: str) -> None:
    with pytest.raises(ImportRefused, match=part):
        require_readiness(name=name, carrier=carrier)
    with pytest.raises(ImportRefused, match=part):
        run(order_file({}), name=name, carrier=carrier)
    assert not Job.objects.exists()


def test_the_same_file_again_is_refused_naming_the_job(sender: Sender) -> None:
    job = run(order_file({}))
    report = check_file(order_file({}), file_name="another-name.csv")
    assert not report.ok
    assert f"imported before, as job {job.pk} “Spring”" in report.duplicate
    with pytest.raises(DuplicateRefused, match=f"job {job.pk} “Spring”"):
        run(order_file({}), name="Another")
    assert Job.objects.count() == 1


def test_a_duplicate_is_told_together_with_bad_rows(sender: Sender) -> None:
    run(order_file({}, BAD), skip_bad=True)
    with pytest.raises(RowsRefused, match=r"1 of 2 rows have errors.*imported before"):
        run(order_file({}, BAD))


def test_the_same_file_again_is_a_second_job_when_that_is_wanted(sender: Sender) -> None:
    first = run(order_file({}))
    second = run(order_file({}), allow_duplicate=True)
    assert second.pk != first.pk
    assert check_file(order_file({}), file_name="orders.csv", allow_duplicate=True).ok


def test_no_transaction_takes_more_than_a_chunk(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    insert = importer._insert

    def count_and_insert(job_id: int, rows: list[Row]) -> None:
        sizes.append(len(rows))
        insert(job_id, rows)

    monkeypatch.setattr(importer, "_insert", count_and_insert)
    job = run(order_file(*numbered_orders(1201)))
    assert sizes == [500, 500, 201]
    assert job.total_rows == job.rows.count() == 1201
    sizes.clear()
    run(order_file(*({"Note": f"{number}" + "x" * 60_000} for number in range(40))))
    assert sizes == [17, 17, 6]


def test_a_chunk_is_written_in_few_statements(sender: Sender) -> None:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        run(order_file(*numbered_orders(500)))
    inserts = [query for query in captured if 'INSERT INTO "shipping_row"' in query["sql"]]
    assert 1 <= len(inserts) <= 15


@pytest.mark.parametrize("skip_bad", [False, True])
def test_an_import_that_was_killed_is_finished_by_the_same_import(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, skip_bad: bool
) -> None:
    monkeypatch.setattr(importer, "CHUNK_ROWS", 10)
    orders = numbered_orders(35)
    if skip_bad:
        orders[4] |= BAD
        orders[25] |= BAD
    cut = cut_short(monkeypatch, orders, chunks=2, skip_bad=skip_bad)
    assert (cut.total_rows, cut.import_complete) == (20, False)
    with pytest.raises(Refused, match="not wholly imported"):
        JobService().start(cut.pk)
    finished = run(order_file(*orders), skip_bad=skip_bad)
    bad = {5, 26} if skip_bad else set()
    assert finished.pk == cut.pk
    assert numbers(finished) == [number for number in range(1, 36) if number not in bad]
    assert (finished.total_rows, finished.import_complete) == (35 - len(bad), True)
    assert Event.objects.filter(job=cut).count() == 1


def test_an_import_that_was_killed_after_its_last_chunk_is_finished(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_short(monkeypatch, numbered_orders(3))
    job = run(order_file(*numbered_orders(3)))
    assert (Job.objects.count(), numbers(job), job.import_complete) == (1, [1, 2, 3], True)


@pytest.mark.parametrize(
    "other",
    [{"name": "Other"}, {"stop_on_error": False}, {"skip_bad": True}],
    ids=["name", "stop_on_error", "skip_bad"],
)
def test_an_import_with_other_options_does_not_take_an_unfinished_job(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
) -> None:
    cut = cut_short(monkeypatch, numbered_orders(3))
    with pytest.raises(DuplicateRefused, match=f"cut short: job {cut.pk} “Spring”"):
        run(order_file(*numbered_orders(3)), **other)
    another = run(order_file(*numbered_orders(3)), allow_duplicate=True, **other)
    assert another.pk != cut.pk


def test_an_unfinished_import_that_was_cancelled_is_not_in_the_way(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = cut_short(monkeypatch, numbered_orders(3))
    JobService().cancel(cut.pk)
    job = run(order_file(*numbered_orders(3)))
    assert job.pk != cut.pk
    assert job.import_complete


def test_two_imports_of_one_file_at_once_share_the_work(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second runs from start to end between two chunks of the first."""
    monkeypatch.setattr(importer, "CHUNK_ROWS", 10)
    insert = importer._insert
    finished: list[Job] = []

    def insert_and_let_the_other_run(job_id: int, rows: list[Row]) -> None:
        insert(job_id, rows)
        if not finished:
            finished.append(Job(pk=0))
            finished[0] = run(order_file(*numbered_orders(35)))

    monkeypatch.setattr(importer, "_insert", insert_and_let_the_other_run)
    job = run(order_file(*numbered_orders(35)))
    assert finished == [job]
    assert Job.objects.count() == 1
    assert numbers(job) == list(range(1, 36))
    assert (job.total_rows, job.import_complete) == (35, True)


def test_a_job_that_is_cancelled_meanwhile_gets_no_more_rows(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "CHUNK_ROWS", 10)
    insert = importer._insert

    def insert_and_cancel(job_id: int, rows: list[Row]) -> None:
        insert(job_id, rows)
        if Job.objects.get(pk=job_id).status == JobStatus.pending:
            JobService().cancel(job_id)

    monkeypatch.setattr(importer, "_insert", insert_and_cancel)
    with pytest.raises(ImportRefused, match="was cancelled while it was imported"):
        run(order_file(*numbered_orders(35)))
    job = Job.objects.get()
    assert (job.total_rows, job.rows.count(), job.import_complete) == (10, 10, False)


def test_a_file_that_changes_while_it_is_imported_never_becomes_a_job_that_can_start(sender: Sender) -> None:
    file = order_file(*numbered_orders(3))
    report = check_file(file, file_name="orders.csv")
    changed = io.BytesIO(order_file(*numbered_orders(3)).read().replace(b"Recipient 2", b"Recipient 9"))
    with pytest.raises(ImportRefused, match="changed while it was imported"):
        import_file(changed, report, name="Spring", carrier="sandbox")
    assert not Job.objects.get().import_complete


def test_the_two_hundred_real_orders_are_imported_whole(sender: Sender, shared_file: Path) -> None:
    with shared_file.open("rb") as file:
        report = check_file(file, file_name=shared_file.name)
        assert report.ok
        assert report.notices == ()
        job = import_file(file, report, name="Real", carrier="sandbox")
    assert numbers(job) == list(range(1, 201))
    row = job.rows.get(number=4)
    assert (row.order_reference, row.recipient, row.order["to_zip"]) == ("ORD-00004", "Kofi Smith-Jones", "06040")
    assert row.order["to_company"] == "Acme, Inc."
