"""A file of orders as a table, whatever kind of file it is: its columns, and its orders one by one."""

import itertools
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipping.orders.columns import SIZE_COLUMNS, HeaderMapping, Layout, lay_out, told_apart, unit_factor
from shipping.orders.errors import OrderFileError, shown
from shipping.orders.places import US_TERRITORIES, country_code
from shipping.orders.readers import open_text
from shipping.orders.sources import CellKind, RawRow, Source
from shipping.orders.workbooks import is_workbook, open_workbook

# More columns than any table of orders has; each is shown to people and kept with every order.
MOST_COLUMNS = 200
MEASURES = frozenset({"weight", *SIZE_COLUMNS})

_PROBLEMS = {
    CellKind.long_number: gettext_lazy(
        "This number has more digits than a spreadsheet keeps (15), so the last ones may be wrong."
        " Format the column as text and enter it again."
    ),
    CellKind.date: gettext_lazy(
        "This cell holds a date. If it was no date when it was entered, format the column as text and enter it again."
    ),
    CellKind.boolean: gettext_lazy("This cell holds TRUE or FALSE, which is no value here."),
    CellKind.error: gettext_lazy("This cell holds an error of the spreadsheet."),
    CellKind.formula: gettext_lazy(
        "This cell holds a formula whose result is not in the file. Open it in a spreadsheet, save it"
        " and upload it again."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headed:
    """A file whose first row was read; what the columns mean is not said yet."""

    digest: str
    source: Source
    headers: tuple[str, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file whose columns are understood. `mapping` is what a person said about them, None where their names did."""

    digest: str
    source: Source
    layout: Layout
    mapping: HeaderMapping | None
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One order as it came, but for spaces right behind a delimiter. `number` counts orders from 1, `line` is where
    it begins in the file, from 1. By place: `problems` are cells that can't be read, `remarks` those that were mended.
    """

    number: int
    line: int
    cells: list[str]
    problems: Mapping[int, str] = field(default_factory=dict)
    remarks: Mapping[int, str] = field(default_factory=dict)


def read_headers(file: IO[bytes]) -> Headed:
    """Read a file once through for its digest, and its first row. Raises OrderFileError."""
    about, source = open_workbook(file) if is_workbook(file) else open_text(file)
    with closing(source.rows(file)) as rows:
        first = next(rows, None)
    if first is None:
        raise OrderFileError(_("The file is empty."))
    headers = [cell.strip() for cell in first.cells]
    while headers and not headers[-1]:
        headers.pop()
    if len(headers) > MOST_COLUMNS:
        raise OrderFileError(
            _("The table has %(columns)s columns; at most %(most)s are read.")
            % {"columns": intcomma(len(headers)), "most": MOST_COLUMNS}
        )
    named = tuple(name or f"Column {place}" for place, name in enumerate(headers, start=1))
    return Headed(digest=about.digest, source=source, headers=named, notices=about.notices)


def open_table(file: IO[bytes], mapping: HeaderMapping | None = None) -> Table:
    """A file with its columns understood, by their names or by what a person said of them. Raises OrderFileError."""
    headed = read_headers(file)
    headers = headed.headers if mapping is None else told_apart(headed.headers)
    return Table(
        digest=headed.digest,
        source=headed.source,
        layout=lay_out(headers, mapping),
        mapping=mapping,
        notices=headed.notices,
    )


def first_records(file: IO[bytes], headed: Headed, count: int) -> list[list[str]]:
    """The cells of the first orders, as they came."""
    with closing(headed.source.rows(file)) as rows:
        return [row.cells for row in itertools.islice(rows, 1, count + 1)]


def read_records(file: IO[bytes], table: Table) -> Generator[Record, None, None]:
    """The orders of a table, lazily. Blank lines (and lines of nothing but delimiters) are passed over.

    Raises OrderFileError for quotation marks that don't match and for more orders than IMPORT_MAX_ROWS.
    """
    with closing(table.source.rows(file)) as rows:
        for number, row in enumerate(itertools.islice(rows, 1, None), start=1):
            if number > settings.IMPORT_MAX_ROWS:
                raise OrderFileError(
                    _("The file has more than %(most)s orders. Split it and import the parts.")
                    % {"most": intcomma(settings.IMPORT_MAX_ROWS)}
                )
            yield _told(number, row, table.layout) if row.kinds else Record(number, row.line, row.cells)


def _told(number: int, row: RawRow, layout: Layout) -> Record:
    """An order of a workbook, each cell that is no text read for its column."""
    cells = row.cells + [""] * (len(layout.headers) - len(row.cells))
    columns = {place: column for column, place in layout.places.items()}
    problems: dict[int, str] = {}
    remarks: dict[int, str] = {}
    for place, kind in row.kinds.items():
        column = columns.get(place)
        if column in MEASURES and (problem := _unit_problem(column, row.words.get(place, ""), layout)):
            problems[place] = problem
            continue
        if column is None or (kind is CellKind.long_number and column in MEASURES):
            continue
        if kind is not CellKind.number:
            problems[place] = str(_PROBLEMS[kind])
        elif column == "to_zip" and (zip_code := _restored_zip(cells, layout)):
            remarks[place] = _("The workbook held the number %(number)s; it was read as ZIP code %(zip_code)s.") % {
                "number": cells[place],
                "zip_code": zip_code,
            }
            cells[place] = zip_code
    return Record(number, row.line, cells, problems, remarks)


def _unit_problem(column: str, words: str, layout: Layout) -> str:
    """What is wrong with a weight or size that the workbook shows with these words; empty when they name the unit that
    the column is read in, or no unit at all.
    """
    if not any(letter.isalpha() or letter == "%" for letter in words):
        return ""
    if unit_factor(column, words) == layout.factors[column]:
        return ""
    return _(
        "The workbook shows this number with “%(words)s”, which is not the unit that the column is read in. Name the"
        " unit in the column’s header, such as “Weight (lb)”, or say it when the columns are chosen."
    ) % {"words": shown(words)}


def _restored_zip(cells: list[str], layout: Layout) -> str | None:
    """A ZIP code of the United States whose leading zeros went lost because a workbook keeps it as a number; None for
    other countries and for numbers that can be none.
    """
    place = layout.places.get("to_country")
    country = country_code(cells[place]) if place is not None and cells[place].strip() else "US"
    number = cells[layout.places["to_zip"]]
    if country not in US_TERRITORIES | {"US"} or not number.isdecimal():
        return None
    if len(number) in {3, 4}:
        return number.zfill(5)
    if len(number) in {7, 8}:
        return f"{number.zfill(9)[:5]}-{number[-4:]}"
    return None
