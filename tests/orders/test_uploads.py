import csv
import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from shipping.models import Event, Job, Sender, Upload
from shipping.orders import mapping, upload_work, uploads
from shipping.orders.errors import OrderFileError
from shipping.orders.kept import records_of
from shipping.orders.uploads import UploadRefused
from shipping.states import UploadStatus
from tests.orders.conftest import HEADER, csv_bytes, numbered_orders, order_file
from tests.orders.uploaded import BAD, confirm, large, receive, tickets
from tests.orders.workbooks import order, workbook

pytestmark = pytest.mark.django_db(transaction=True)

STRANGE = ["Kunde", "Strasse", "Ort", "State", "Zip", "Gewicht"]
CHOSEN = dict(zip(STRANGE, ["to_name", "to_street1", "to_city", "to_state", "to_zip", "weight:kg"], strict=True))


def test_a_file_without_faults_is_read_and_checked_at_once(clerk: User) -> None:
    upload = receive(order_file(*numbered_orders(25)), clerk, name="")
    assert (upload.status, upload.person, upload.name, upload.problem) == ("ready", clerk, "orders", "")
    assert (upload.rows, upload.good_rows, upload.bad_rows, upload.rows_read) == (25, 25, 0, 25)
    assert upload.headers == list(HEADER)
    assert [cells[0] for cells in upload.sample] == ["R-1", "R-2", "R-3", "R-4", "R-5"]
    assert len(uploads.preview(upload)) == 20
    first = uploads.preview(upload)[0]
    assert (first["row"], first["recipient"], first["city"], first["cost_cents"]) == (
        1,
        "Recipient 1",
        "Washington",
        None,
    )
    assert default_storage.exists(str(upload.file))
    assert not Job.objects.exists()
    assert not tickets()


def test_a_workbook_goes_the_same_way(db: None) -> None:
    upload = receive(workbook(order(), order(order="R-2", zip=2134, state="MA")), file_name="a.csv")
    assert upload.status == UploadStatus.needs_mapping, "“Note” fits nothing"
    chosen = {each.header: each.target for each in mapping.suggestions(upload)}
    upload = uploads.set_mapping(upload.pk, chosen, actor=None)
    assert upload.status == UploadStatus.ready
    assert str(upload.file).endswith(".xlsx")
    assert [warning["kind"] for warning in upload.report["warnings"]] == ["zip_restored"]


def test_a_large_file_is_left_to_a_worker(monkeypatch: pytest.MonkeyPatch, clerk: User) -> None:
    large(monkeypatch)
    upload = receive(order_file(*numbered_orders(3)), clerk)
    assert (upload.status, upload.waits_for_worker) == (UploadStatus.received, True)
    assert tickets() == [[upload.pk]]
    assert upload_work.work(upload.pk) == "ready"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "The file is empty."),
        (b"%PDF-1.4", "This is a PDF"),
        (b"hello", "not a table"),
        (b"PK\x03\x04", "damaged"),
    ],
)
def test_what_is_no_table_is_refused_and_nothing_is_kept(content: bytes, part: str) -> None:
    with pytest.raises(OrderFileError, match=part):
        receive(io.BytesIO(content))
    assert not Upload.objects.exists()


def test_a_large_file_that_is_no_table_fails_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    large(monkeypatch)
    upload = receive(io.BytesIO(b"%PDF-1.4"))
    assert upload_work.work(upload.pk) == "failed"
    upload.refresh_from_db()
    assert "This is a PDF" in upload.problem
    assert uploads.discard(upload.pk).status == UploadStatus.discarded


def test_more_bytes_than_allowed_are_refused(settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 10
    with pytest.raises(OrderFileError, match="larger than 10 bytes"):
        receive(order_file(*numbered_orders(1)))


@pytest.mark.parametrize(
    "options", [{"carrier": "nobody"}, {"name": "x" * 201}, {"name": "a\nb"}], ids=["carrier", "long", "line break"]
)
def test_a_name_or_carrier_that_no_job_can_have_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UploadRefused):
        receive(order_file(*numbered_orders(1)), **options)
    assert not Upload.objects.exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\x\\..\\" + "y" * 400 + ".csv", "\x1b[31m.csv", ""])
def test_a_name_of_any_kind_never_decides_where_the_file_goes(name: str) -> None:
    upload = receive(order_file(*numbered_orders(1)), file_name=name, name="")
    assert str(upload.file) == f"uploads/{upload.code}/{upload.digest}.csv"
    assert upload.file_name.isprintable()
    assert upload.name


def test_uploaded_files_of_django_are_taken_in_memory_and_on_disk(db: None) -> None:
    content = order_file(*numbered_orders(2)).read()
    on_disk = TemporaryUploadedFile("o.csv", "text/csv", len(content), "utf-8")
    on_disk.write(content)
    with on_disk:
        for file in (SimpleUploadedFile("o.csv", content), on_disk):
            upload = receive(file)
            assert upload.status == UploadStatus.ready
            with default_storage.open(str(upload.file)) as kept:
                assert kept.read() == content


def strange() -> Upload:
    return receive(io.BytesIO(csv_bytes([STRANGE, ["Ada", "1 Main St", "Boston", "MA", "02110", "1.5"]])))


def test_unknown_headers_wait_for_a_person_and_are_remembered(sender: Sender, clerk: User) -> None:
    upload = strange()
    assert (upload.status, upload.mapping, upload.revision) == (UploadStatus.needs_mapping, {}, 0)
    with pytest.raises(OrderFileError, match="Missing columns"):
        uploads.set_mapping(upload.pk, CHOSEN | {"Gewicht": "", "Ort": ""}, actor=clerk)
    upload.refresh_from_db()
    assert (upload.status, upload.mapping) == (UploadStatus.needs_mapping, {})
    upload = uploads.set_mapping(upload.pk, CHOSEN, actor=clerk)
    assert (upload.status, upload.mapping) == (UploadStatus.ready, CHOSEN)
    assert any("“Gewicht” is converted to ounces" in notice for notice in upload.report["notices"])
    job = confirm(upload).job
    assert job is not None
    assert job.rows.get().order["weight"] == "52.9109"
    assert (job.file_mapping, job.file_columns) == (CHOSEN, STRANGE)
    again = strange()
    assert again.status == UploadStatus.ready
    assert any("as they were chosen" in notice for notice in again.report["notices"])


def test_columns_can_be_chosen_anew_and_corrections_are_forgotten(clerk: User) -> None:
    upload = uploads.set_mapping(strange().pk, CHOSEN, actor=clerk)
    upload = uploads.correct(upload.pk, {1: {"Ort": "Salem"}})
    assert upload.report["preview"][0]["city"] == "Salem"
    upload = uploads.set_mapping(upload.pk, CHOSEN | {"Gewicht": "weight:oz"}, actor=clerk)
    assert upload.corrections == {}
    assert (upload.report["preview"][0]["city"], upload.report["preview"][0]["weight"]) == ("Boston", "1.5")


def test_it_is_refused_for_an_upload_that_is_over(clerk: User) -> None:
    upload = uploads.discard(strange().pk)
    with pytest.raises(UploadRefused, match="Discarded"):
        uploads.set_mapping(upload.pk, CHOSEN, actor=clerk)


def faulty() -> Upload:
    good, other = numbered_orders(2)
    return receive(order_file(good, other | BAD))


def test_errors_are_told_by_row_and_column() -> None:
    upload = faulty()
    assert (upload.status, upload.good_rows, upload.bad_rows) == (UploadStatus.has_errors, 1, 1)
    first = upload.report["errors"][0]
    assert (first["row"], first["line"], first["column"], first["value"]) == (2, 3, "to_zip", "1027")
    assert (first["fixable"], first["cut"], upload.report["error_count"]) == (True, False, 2)


def test_corrected_cells_are_shipped_and_what_came_in_stays(sender: Sender, clerk: User) -> None:
    upload = faulty()
    upload = uploads.correct(upload.pk, {2: {"to_zip": "20020"}}, revision=upload.revision)
    assert (upload.status, upload.report["error_count"]) == (UploadStatus.has_errors, 1)
    upload = uploads.correct(upload.pk, {2: {"weight": "7"}}, revision=upload.revision)
    assert (upload.status, upload.corrections) == (UploadStatus.ready, {"2": {"to_zip": "20020", "weight": "7"}})
    job = confirm(upload, clerk).job
    assert job is not None
    assert [row.order["weight"] for row in job.rows.order_by("number")] == ["12", "7"]
    assert [cells[-1] for _number, cells in records_of(job)] == ["12", "0"]
    assert Event.objects.get(job=job).details["corrected_rows"] == 1


def test_a_corrected_cell_loses_what_no_database_keeps() -> None:
    upload = uploads.correct(faulty().pk, {2: {"to_zip": "200\x0020"}})
    assert upload.corrections == {"2": {"to_zip": "20020"}}


@pytest.mark.parametrize(
    "corrections", [{3: {"weight": "1"}}, {0: {"weight": "1"}}, {1: {"nope": "1"}}, {1: {"weight": "x" * 1001}}]
)
def test_cells_that_there_are_not_are_refused(corrections: dict[int, dict[str, str]]) -> None:
    upload = faulty()
    with pytest.raises(UploadRefused):
        uploads.correct(upload.pk, corrections)
    assert Upload.objects.get().corrections == {}


def test_so_many_corrections_belong_into_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_CORRECTED_ROWS", 1)
    upload = uploads.correct(faulty().pk, {2: {"to_zip": "20020"}})
    with pytest.raises(UploadRefused, match="At most 1 rows"):
        uploads.correct(upload.pk, {1: {"to_zip": "20020"}})


def test_a_correction_of_what_was_changed_meanwhile_is_refused() -> None:
    upload = faulty()
    uploads.correct(upload.pk, {2: {"to_zip": "20020"}}, revision=upload.revision)
    with pytest.raises(UploadRefused, match="changed or checked again"):
        uploads.correct(upload.pk, {2: {"to_zip": "20021"}}, revision=upload.revision)


def test_the_errors_can_be_taken_along_as_a_table_that_runs_no_formulas() -> None:
    order = numbered_orders(1)[0] | {"to_state": '=HYPERLINK("http://x")', "weight": "-1"}
    upload = receive(order_file(order))
    text = io.StringIO()
    csv.writer(text).writerows(uploads.error_lines(upload))
    header, *lines = list(csv.reader(io.StringIO(text.getvalue())))
    assert header == ["row", "line", "column", "value", "error"]
    assert [line[2:4] for line in lines] == [["to_state", '\'=HYPERLINK("http://x")'], ["weight", "-1"]]


def test_the_two_hundred_real_orders_go_through(shared_file: Path, sender: Sender, transactional_db: None) -> None:
    with shared_file.open("rb") as file:
        upload = receive(file)
    assert (upload.status, upload.rows, upload.bad_rows) == (UploadStatus.ready, 200, 0)
    job = confirm(upload).job
    assert job is not None
    assert job.total_rows == 200
