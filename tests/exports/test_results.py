"""The results: the file that came in, row by row, with what became of each."""

import csv
import io
import zoneinfo
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from shipping.exports import results as module
from shipping.exports.results import RESULT_COLUMNS, results_csv
from shipping.models import Job, Label, Sender
from shipping.orders.checking import check_file
from shipping.orders.importer import import_file
from tests.exports.files import label_of
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    make_interrupted_job,
    make_job,
    make_live_run,
    make_sender,
    row_of,
    set_aside,
    skip_row,
)
from tests.orders.conftest import numbered_orders, order_file

pytestmark = pytest.mark.django_db

DENVER = zoneinfo.ZoneInfo("America/Denver")


def read(job: Job, **options: Any) -> list[list[str]]:
    """All lines as a spreadsheet would take them."""
    content = b"".join(results_csv(job, DENVER, **options))
    assert content.startswith(b"\xef\xbb\xbf"), "Excel takes it for UTF-8"
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def read_as_mappings(job: Job, **options: Any) -> list[dict[str, str]]:
    header, *lines = read(job, **options)
    return [dict(zip(header, line, strict=True)) for line in lines]


@pytest.fixture
def sender(db: None) -> Sender:
    return make_sender()


def imported(*orders: dict[str, str], skip_bad: bool = False) -> Job:
    """A job made from a file that is kept."""
    file = order_file(*orders)
    job = import_file(
        file, check_file(file, file_name="orders.csv"), name="Autumn orders", carrier="sandbox", skip_bad=skip_bad
    )
    job.refresh_from_db()
    return job


def test_the_files_own_columns_come_first_as_they_were_and_then_ours(sender: Sender) -> None:
    job = imported(*[order | {"Shelf": f"0{number}"} for number, order in enumerate(numbered_orders(2), start=1)])
    complete_row(row_of(job, 1), tracking_number="9400100000000000000001", cost_cents=1205)
    header, first, second = read(job)
    assert header == [
        *("reference", "to_name", "to_street1", "to_city", "to_state", "to_zip", "to_country", "weight", "Shelf"),
        *RESULT_COLUMNS,
    ]
    assert first[:2] + first[8:14] == [
        "R-1",
        "Recipient 1",
        "01",
        "9400100000000000000001",
        "USPS",
        "Priority",
        "12.05",
        "USD",
    ]
    bought_at = label_of(job, 1).bought_at
    assert first[14] == timezone.localtime(bought_at, DENVER).isoformat(timespec="seconds")
    assert first[14].endswith(("-06:00", "-07:00"))
    assert first[15:] == ["bought", ""]
    assert second[8:] == ["02", "", "", "", "", "", "", "waiting", ""]


def test_rows_that_were_not_imported_are_there_and_say_so(sender: Sender) -> None:
    orders = numbered_orders(4)
    orders[1]["to_state"] = "Nowhere"
    job = imported(*orders, skip_bad=True)
    assert [(line["reference"], line["status"]) for line in read_as_mappings(job)] == [
        ("R-1", "waiting"),
        ("R-2", "not imported"),
        ("R-3", "waiting"),
        ("R-4", "waiting"),
    ]
    assert [line["to_state"] for line in read_as_mappings(job, status="not_imported")] == ["Nowhere"]


def test_each_row_says_in_plain_words_how_it_stands() -> None:
    job = make_interrupted_job(8, completed=2)
    Label.objects.filter(pk=label_of(job, 2).pk).update(voided_at=timezone.now())
    fail_row(row_of(job, 3), message="The address was not found.")
    skip_row(row_of(job, 4))
    claim_row(row_of(job, 5))
    claim_row(row_of(job, 6), make_live_run(job))
    set_aside(row_of(job, 7), answer="The carrier could not say.")
    found = [(line["status"], line["cost"], line["error"]) for line in read_as_mappings(job)]
    assert found == [
        ("bought", "7.50", ""),
        ("bought, voided", "0.00", ""),
        ("failed", "", "The address was not found."),
        ("skipped", "", ""),
        ("in doubt", "", ""),
        ("being bought", "", ""),
        ("needs review", "", "The carrier could not say."),
        ("waiting", "", ""),
    ]
    job.refresh_from_db()
    Job.objects.filter(pk=job.pk).update(cost_cents=750)
    assert sum(round(float(line["cost"] or 0) * 100) for line in read_as_mappings(job)) == 750


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("failed", ["Recipient 2"]),
        ("in_doubt", ["Recipient 3"]),
        ("in_flight", ["Recipient 4"]),
        ("completed", ["Recipient 1"]),
        ("not_imported", []),
    ],
)
def test_it_is_narrowed_to_one_status(status: str, names: list[str]) -> None:
    job = make_interrupted_job(5, completed=1)
    fail_row(row_of(job, 2))
    claim_row(row_of(job, 3))
    claim_row(row_of(job, 4), make_live_run(job))
    assert [line["to_name"] for line in read_as_mappings(job, status=status)] == names


def test_the_rows_of_one_status_of_a_kept_file_are_those_of_the_file(sender: Sender) -> None:
    job = imported(*numbered_orders(5))
    fail_row(row_of(job, 2))
    fail_row(row_of(job, 5))
    assert [line["reference"] for line in read_as_mappings(job, status="failed")] == ["R-2", "R-5"]


def test_our_columns_get_another_name_where_the_file_has_them(sender: Sender) -> None:
    job = imported(
        *[order | {"Status": "urgent", "service": "Priority", "service_result": "?"} for order in numbered_orders(1)]
    )
    header, line = read(job)
    assert header[8:] == [
        *("Status", "service", "service_result"),
        *(
            "tracking_number",
            "carrier",
            "service_result_result",
            "cost",
            "currency",
            "shipped_at",
            "status_result",
            "error",
        ),
    ]
    assert line[8:11] == ["urgent", "Priority", "?"]


FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "＝1+1")


def test_no_cell_is_a_formula_and_numbers_stay_numbers(sender: Sender) -> None:
    orders = [
        order | {"Note": formula} for order, formula in zip(numbered_orders(len(FORMULAS)), FORMULAS, strict=True)
    ]
    job = imported(*orders, numbered_orders(9)[8] | {"Note": "-12.5", "=HYPERLINK(1)": "x"})
    fail_row(row_of(job, 1), message="=cmd()")
    header, *lines = read(job)
    for cell in (cell for line in (header, *lines) for cell in line):
        assert not cell.lstrip().startswith(("=", "@", "＝")), cell
    notes = [line[header.index("Note")] for line in lines]
    assert notes[:-1] == [f"'{formula}" for formula in FORMULAS]
    assert notes[-1] == "-12.5"
    assert lines[0][-1] == "'=cmd()"


def test_a_job_whose_file_is_not_kept_gives_its_orders_in_our_columns() -> None:
    job = make_job(2)
    header, first, _second = read(job)
    assert header[:3] == ["reference", "to_name", "to_company"]
    assert first[:2] == ["ORDER-1", "Recipient 1"]
    assert "service" in header
    assert "service_result" in header


def test_a_kept_file_that_is_lost_does_not_keep_the_results_back(sender: Sender) -> None:
    job = imported(*[order | {"Shelf": "A"} for order in numbered_orders(2)])
    default_storage.delete(str(job.file))
    assert [(line["reference"], line["Shelf"], line["status"]) for line in read_as_mappings(job)] == [
        ("R-1", "A", "waiting"),
        ("R-2", "A", "waiting"),
    ]


def test_it_comes_in_pieces_page_by_page_and_holds_no_transaction(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_A_PAGE", 2)
    job = imported(*numbered_orders(7))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        pieces: Iterator[bytes] = results_csv(job, DENVER)
        first = next(pieces)
        seen = len(queries)
        rest = list(pieces)
    assert first.count(b"\r\n") == 2
    assert len(rest) == 4
    assert seen < len(queries), "the books are read as the pieces are wanted"
    assert all("LIMIT 2" in query["sql"] for query in queries if "shipping_row" in query["sql"])


def test_it_can_be_taken_again_and_is_the_same(sender: Sender) -> None:
    job = imported(*numbered_orders(3))
    complete_row(row_of(job, 2))
    assert read(job) == read(job)
