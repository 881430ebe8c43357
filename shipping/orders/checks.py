"""Checking each order before any money is spent: what is wrong with it, or what goes into the books."""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _

from shipping.orders.addresses import check_address, text_problem, tidy
from shipping.orders.columns import ADDRESS_COLUMNS, SIZE_COLUMNS, Layout
from shipping.orders.errors import RowError, shown
from shipping.orders.tables import Record
from shipping.spreadsheets import plain_text

LONGEST_REFERENCE = 100
LONGEST_SERVICE = 100
# All cells of an order together; it bounds what one chunk of rows can weigh.
ORDER_CHARACTERS = 65_536
# More than any parcel weighs or measures; a longer number is a slip of the keyboard.
LARGEST_MEASURE = Decimal(99_999)

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
# How some shops keep spreadsheets from dropping leading zeros: ="01027".
_TEXT_FORMULA = re.compile(r'="([^"]*)"')


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """An order as the books take it, or what is wrong with it. `order` has canonical columns with normalised
    values (ounces, inches, codes), empty ones left out; `extra` the columns that fit nothing, as they came.
    """

    number: int
    order: Mapping[str, str]
    extra: Mapping[str, str]
    errors: tuple[RowError, ...]

    @property
    def recipient(self) -> str:
        return self.order.get("to_name") or self.order.get("to_company", "")


class Seen:
    """What a file held so far, in a temporary SQLite file of its own: memory does not grow with it."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        # Nothing here outlives the process, so nothing is kept safe; 8 MiB of it stay in memory.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -8192", "locking_mode = EXCLUSIVE"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE seen (value TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def first_row(self, value: str, row: int) -> int | None:
        """The row that had this value before, or None when this row is the first."""
        if self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (value, row)).rowcount:
            return None
        first: int = self._database.execute("SELECT row FROM seen WHERE value = ?", (value,)).fetchone()[0]
        return first

    def close(self) -> None:
        self._database.close()


class RowChecker:
    """Checks the orders of one file, in their order. Close it when done."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._references = Seen()

    def close(self) -> None:
        self._references.close()

    def check(self, record: Record) -> CheckedRow:
        """The checked order; its errors name all that is wrong with it."""
        shape = self._shape_problem(record.cells)
        if shape:
            error = RowError(row=record.number, line=record.line, column="", message=shape)
            return CheckedRow(record.number, {}, {}, (error,))
        cells = record.cells
        given = {column: _value(cells[place]) for column, place in self._layout.places.items()}
        order, problems = self._check_order(given, record.number)
        # What can't be read is no wrong value; it goes first.
        columns = {place: column for column, place in self._layout.places.items()}
        problems |= {columns[place]: message for place, message in record.problems.items()}
        errors = tuple(
            RowError(
                row=record.number,
                line=record.line,
                column=self._layout.header(column),
                message=message,
                value=shown(given.get(column, "")),
            )
            for column, message in problems.items()
        )
        extra = {self._layout.headers[place]: cells[place] for place in self._layout.extra}
        return CheckedRow(record.number, order, extra, errors)

    def _shape_problem(self, cells: list[str]) -> str | None:
        """Too many or too few cells (trailing empty ones are no harm), or too much text."""
        expected = len(self._layout.headers)
        if len(cells) < expected or any(map(str.strip, cells[expected:])):
            return _(
                "The row has %(cells)s cells, the header %(expected)s. Perhaps a delimiter is missing, or stands in"
                " a cell without quotation marks."
            ) % {"cells": len(cells), "expected": expected}
        characters = sum(map(len, cells))
        if characters > ORDER_CHARACTERS:
            return _("The row has %(characters)s characters; at most %(most)s are allowed.") % {
                "characters": intcomma(characters),
                "most": intcomma(ORDER_CHARACTERS),
            }
        return None

    def _check_order(self, given: Mapping[str, str], number: int) -> tuple[dict[str, str], dict[str, str]]:
        address = check_address({column[3:]: given.get(column, "") for column in ADDRESS_COLUMNS})
        order = {f"to_{field}": value for field, value in address.fields.items() if value}
        problems = {self._present(f"to_{field}"): message for field, message in address.problems.items()}
        for column, longest in (("reference", LONGEST_REFERENCE), ("service", LONGEST_SERVICE)):
            if value := given.get(column, ""):
                order[column] = value
                if problem := text_problem(value, longest):
                    problems[column] = problem
        reference = order.get("reference", "")
        if reference and "reference" not in problems:
            first = self._references.first_row(reference, number)
            if first is not None:
                problems["reference"] = _(
                    "Row %(first)s has the same reference. Every order needs its own, or none."
                ) % {"first": first}
        self._check_measures(given, order, problems)
        return order, problems

    def _present(self, column: str) -> str:
        """A file may have a company instead of a name: then the error stands there."""
        return "to_company" if column == "to_name" and column not in self._layout.places else column

    def _check_measures(self, given: Mapping[str, str], order: dict[str, str], problems: dict[str, str]) -> None:
        for column in ("weight", *SIZE_COLUMNS):
            if value := given.get(column, ""):
                measure = self._measure(column, value)
                if measure:
                    order[column] = measure
                else:
                    problems[column] = self._why_no_measure(column, value)
        if not given.get("weight"):
            problems["weight"] = _("A weight is needed.")
        sizes = [column for column in SIZE_COLUMNS if given.get(column)]
        if sizes:
            for column in SIZE_COLUMNS:
                if column not in sizes:
                    there = _(" and ").join(map(self._layout.header, sizes))
                    problems[column] = _("Sizes are given all or not at all; %(there)s is given.") % {"there": there}

    def _measure(self, column: str, value: str) -> str | None:
        """A positive number in ounces or inches, as a plain decimal; None when it is none."""
        if len(value) > 20 or not _NUMBER.fullmatch(value):
            return None
        number = Decimal(value)
        factor = self._layout.factors[column]
        if factor != 1:
            number = (number * factor).quantize(Decimal("0.0001"))
        if not 0 < number <= LARGEST_MEASURE:
            return None
        plain = f"{number:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain

    def _why_no_measure(self, column: str, value: str) -> str:
        what = _("weight") if column == "weight" else _("size")
        if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?", value):
            return _("Write the number without thousands separators, such as 1234.5.")
        if re.fullmatch(r"[0-9]+,[0-9]+", value):
            return _("Write the number with a decimal point, such as 1.5.")
        if re.fullmatch(r"[0-9.]+\s*[^\W\d_]+\.?", value):
            return _("Write the number alone; the unit belongs into the header.")
        if _NUMBER.fullmatch(value) and value.strip("0."):
            return _("This %(what)s is beyond what a parcel can have.") % {"what": what}
        return _("A %(what)s is a number larger than 0, such as 12 or 1.5.") % {"what": what}


def _value(cell: str) -> str:
    value = tidy(plain_text(cell))
    if value.startswith('="') and (match := _TEXT_FORMULA.fullmatch(value)):
        return tidy(match[1])
    return value
