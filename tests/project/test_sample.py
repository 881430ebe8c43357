"""The sample orders."""

import csv
from pathlib import Path

import pytest

from shipping.orders.checking import check_file
from shipping.project.sample import COLUMNS, sample_orders, write_sample_orders


def test_they_are_the_same_each_time() -> None:
    assert list(sample_orders(200)) == list(sample_orders(200))


def test_nobody_and_no_reference_appears_twice() -> None:
    orders = list(sample_orders(200))
    assert len({order["reference"] for order in orders}) == 200
    assert len({order["to_name"] for order in orders}) == 200


def test_every_place_is_used() -> None:
    assert len({order["to_zip"] for order in sample_orders(200)}) == 41


def test_the_file_holds_every_column_and_row(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    write_sample_orders(path, 200)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert rows == list(sample_orders(200))


@pytest.mark.django_db
def test_the_importer_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    write_sample_orders(path, 200)
    with path.open("rb") as file:
        report = check_file(file, file_name=path.name)
    assert report.ok, report.errors
    assert report.good_rows == 200
    assert report.notices == ()
