from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from shipping.orders.checking import FileReport, Spread, check_file
from shipping.orders.checks import CheckedRow
from shipping.orders.zip_prefixes import states_of
from shipping.project.sample import sample_orders
from tests.orders.conftest import HEADER, numbered_orders, order_file

SIZES = {"length": "10", "width": "8", "height": "4"}


def check(*orders: dict[str, str], columns: Sequence[str] = HEADER) -> FileReport:
    return check_file(order_file(*orders, columns=columns), file_name="orders.csv", allow_duplicate=True)


@pytest.mark.parametrize(
    ("order", "column", "kind", "part"),
    [
        ({"to_zip": "10001"}, "to_zip", "zip_state", "ZIP code 10001 is in NY, not in DC"),
        ({"to_zip": "06390", "to_state": "NJ"}, "to_zip", "zip_state", "is in CT or NY, not in NJ"),
        ({"weight": "2401"}, "weight", "heavy", "150 lb"),
        ({"to_street1": "P.O. Box 12", "service": "UPS Ground"}, "to_street1", "po_box", "post office box"),
        ({"service": "Priorty"}, "service", "service", "not known here"),
    ],
)
def test_what_is_odd_is_a_warning_and_no_error(
    db: None, order: dict[str, str], column: str, kind: str, part: str
) -> None:
    report = check(order)
    assert report.ok
    [warning] = report.warnings
    assert (warning.row, warning.line, warning.column, warning.kind.value) == (1, 2, column, kind)
    assert part in warning.message
    assert report.warned_rows == report.warning_count == 1


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"weight": "2400"},
        {"to_zip": "06390", "to_state": "NY"},
        {"to_zip": "06390", "to_state": "CT"},
        {"to_country": "CA", "to_state": "ON", "to_zip": "K1A 0B1"},
        {"to_street1": "PO Box 12", "service": "Priority"},
        {"to_street1": "12 Boxwood Street", "service": "FedEx Ground Home Delivery"},
        {"service": "ground advantage"},
        {"service": "USPS GroundAdvantage"},
        SIZES,
    ],
)
def test_what_is_usual_is_no_warning(db: None, order: dict[str, str]) -> None:
    assert check(order).warnings == ()


def test_orders_without_sizes_are_told_where_others_have_them(db: None) -> None:
    report = check(
        {"reference": "1", "to_name": "A", **SIZES}, {"reference": "2", "to_name": "B"} | dict.fromkeys(SIZES, "")
    )
    [warning] = report.warnings
    assert (warning.row, warning.kind.value) == (2, "no_sizes")


def test_the_same_recipient_at_the_same_address_is_told_with_the_row_that_was_first(db: None) -> None:
    orders = numbered_orders(3)
    orders[2] |= {"to_name": " recipient  1"}
    [warning] = check(*orders).warnings
    assert (warning.row, warning.kind.value) == (3, "double_order")
    assert "Row 1 goes to the same recipient" in warning.message


def test_what_is_wrong_is_not_told_again_as_odd(db: None) -> None:
    report = check({"to_state": "Atlantis", "weight": "999999"})
    assert [error.column for error in report.errors] == ["to_state", "weight"]
    assert report.warnings == ()


def test_warnings_beyond_those_kept_are_counted_by_kind(db: None) -> None:
    report = check(*[order | {"service": "Nope"} for order in numbered_orders(250)])
    assert (len(report.warnings), report.warning_count, report.warned_rows) == (200, 250, 250)
    [(kind, rows)] = report.rows_by_kind.items()
    assert rows == 250
    assert report.first_by_kind[kind] == tuple(range(1, 21))


def test_the_preview_shows_the_first_rows_good_or_bad(db: None) -> None:
    orders = numbered_orders(25)
    orders[1] |= {"weight": "x"}
    preview = check(*orders).preview
    assert [each.row.number for each in preview] == list(range(1, 21))
    assert [bool(each.row.errors) for each in preview[:3]] == [False, True, False]


@pytest.mark.parametrize("count", [1, 20, 21, 49, 50, 51, 200, 1000])
def test_the_sample_is_the_first_rows_and_some_spread_evenly_over_the_rest(db: None, count: int) -> None:
    sample = [row.number for row in check(*numbered_orders(count)).sample]
    assert sample == sorted(set(sample))
    assert sample[:20] == list(range(1, min(count, 20) + 1))
    assert len(sample) == min(count, 50)
    rest = sample[20:]
    if count > 100:
        steps = [after - before for before, after in pairwise(rest)]
        assert max(steps) <= 2 * min(steps) + 1
        assert rest[0] < 20 + (count - 20) / 10
        assert rest[-1] > count - (count - 20) / 5


def test_the_spread_keeps_few_of_many() -> None:
    spread = Spread(10)
    for number in range(100_000):
        spread.offer(CheckedRow(number, {}, {}, ()))
        assert len(spread._kept) <= 10
    assert len(spread.rows(5)) == 5


def test_the_prefixes_fit_places_that_are_known(shared_file: Path) -> None:
    for order in sample_orders(1000):
        assert order["to_state"] in states_of(order["to_zip"])
    with shared_file.with_name("orders-200.csv").open("rb") as file:
        report = check_file(file, file_name="orders.csv", allow_duplicate=True)
    assert [warning for warning in report.warnings if warning.kind.value == "zip_state"] == []
