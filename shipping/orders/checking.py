"""Checking a whole file of orders: what is wrong, what is odd, and what it would ship. The books are not touched."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO

from django.utils.translation import gettext as _

from shipping.orders.checks import CheckedRow, RowChecker
from shipping.orders.columns import HeaderMapping, Layout
from shipping.orders.earlier import earlier_import
from shipping.orders.errors import OrderFileError, RowError, shown
from shipping.orders.row_warnings import RowWarner, RowWarning, WarningKind
from shipping.orders.tables import Record, Table, open_table, read_records

# Errors beyond these are counted, not kept; and so are warnings.
KEPT_ERRORS = 1_000
KEPT_WARNINGS = 200
ROWS_NAMED_BY_KIND = 20
# Rows that a preview shows, and rows that an estimate asks for beyond them, spread evenly over the file.
PREVIEW_ROWS = 20
SPREAD_ROWS = 30

# New values by row number and header.
Corrections = Mapping[int, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """One of the first rows, as it would be shipped."""

    row: CheckedRow
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What a check found. `errors` are the first KEPT_ERRORS of `error_count`; `duplicate` tells which job was
    made from the same file before, empty when none was or when that is wanted. `sample` holds good rows: the first,
    and some spread evenly over the rest.
    """

    file_name: str
    table: Table
    good_rows: int
    bad_rows: int
    errors: tuple[RowError, ...]
    error_count: int
    duplicate: str
    notices: tuple[str, ...]
    corrections: Corrections = field(default_factory=dict)
    warned_rows: int = 0
    warnings: tuple[RowWarning, ...] = ()
    warning_count: int = 0
    rows_by_kind: Mapping[WarningKind, int] = field(default_factory=dict)
    first_by_kind: Mapping[WarningKind, tuple[int, ...]] = field(default_factory=dict)
    preview: tuple[PreviewRow, ...] = ()
    sample: tuple[CheckedRow, ...] = ()

    @property
    def digest(self) -> str:
        """The file's SHA-256 in hex."""
        return self.table.digest

    @property
    def rows(self) -> int:
        return self.good_rows + self.bad_rows

    @property
    def ok(self) -> bool:
        """Whether the whole file can be imported as it is."""
        return not self.bad_rows and not self.duplicate


def check_file(
    file: IO[bytes],
    *,
    file_name: str,
    allow_duplicate: bool = False,
    mapping: HeaderMapping | None = None,
    corrections: Corrections | None = None,
    progress: Callable[[int], None] = lambda _rows: None,
) -> FileReport:
    """Check every order of a file. `progress` is told of each row read, and may raise to break off.

    Raises OrderFileError when the file as a whole can't be read as a table of orders.
    """
    table = open_table(file, mapping)
    findings = _Findings()
    with closing(RowWarner(table.layout)) as warner, closing(checked_rows(file, table, corrections or {})) as rows:
        for record, row in rows:
            findings.take(row, warner.look(record, row))
            progress(row.number)
    if not findings.good_rows + findings.bad_rows:
        raise OrderFileError(_("The file has a header but no orders."))
    return FileReport(
        file_name=file_name,
        table=table,
        good_rows=findings.good_rows,
        bad_rows=findings.bad_rows,
        errors=tuple(findings.errors),
        error_count=findings.error_count,
        duplicate="" if allow_duplicate else earlier_import(table.digest),
        notices=(*table.notices, *_column_notices(table.layout)),
        corrections=corrections or {},
        warned_rows=findings.warned_rows,
        warnings=tuple(findings.warnings),
        warning_count=sum(findings.rows_by_kind.values()),
        rows_by_kind=findings.rows_by_kind,
        first_by_kind={kind: tuple(rows) for kind, rows in findings.first_by_kind.items()},
        preview=tuple(findings.preview),
        sample=(*findings.first, *findings.spread.rows(SPREAD_ROWS)),
    )


def checked_rows(
    file: IO[bytes], table: Table, corrections: Corrections
) -> Generator[tuple[Record, CheckedRow], None, None]:
    """Every order of a table, corrected, with what the check says of it."""
    with closing(RowChecker(table.layout)) as checker, closing(read_records(file, table)) as records:
        for each in records:
            record = _corrected(each, table.layout, corrections[each.number]) if each.number in corrections else each
            yield record, checker.check(record)


def _corrected(record: Record, layout: Layout, values: Mapping[str, str]) -> Record:
    """An order with new values in some of its cells. One that has too few cells stays as it is: where the missing
    ones belong, nobody knows.
    """
    if len(record.cells) < len(layout.headers):
        return record
    new = {layout.headers.index(header): value for header, value in values.items() if header in layout.headers}
    return Record(
        record.number,
        record.line,
        [new.get(place, cell) for place, cell in enumerate(record.cells)],
        {place: problem for place, problem in record.problems.items() if place not in new},
        {place: remark for place, remark in record.remarks.items() if place not in new},
    )


class Spread:
    """Some of many, spread evenly, chosen while their number is not known yet: every `step`-th, and the step doubles
    when they become too many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._step = 1
        self._seen = 0
        self._kept: list[CheckedRow] = []

    def offer(self, row: CheckedRow) -> None:
        if self._seen % self._step == 0:
            self._kept.append(row)
            if len(self._kept) > self._most:
                self._kept = self._kept[::2]
                self._step *= 2
        self._seen += 1

    def rows(self, count: int) -> list[CheckedRow]:
        """At most `count` of those kept, evenly again."""
        kept = len(self._kept)
        if kept <= count:
            return self._kept
        return [self._kept[place * kept // count] for place in range(count)]


class _Findings:
    """What is gathered while the rows of one file go by, in memory that does not grow with them."""

    def __init__(self) -> None:
        self.good_rows = self.bad_rows = self.error_count = self.warned_rows = 0
        self.errors: list[RowError] = []
        self.warnings: list[RowWarning] = []
        self.rows_by_kind: Counter[WarningKind] = Counter()
        self.first_by_kind: dict[WarningKind, list[int]] = {}
        self.preview: list[PreviewRow] = []
        self.first: list[CheckedRow] = []
        self.spread = Spread(4 * SPREAD_ROWS)

    def take(self, row: CheckedRow, warnings: list[RowWarning]) -> None:
        if row.errors:
            self.bad_rows += 1
            self.error_count += len(row.errors)
            self.errors += row.errors[: KEPT_ERRORS - len(self.errors)]
        else:
            self.good_rows += 1
            if len(self.first) < PREVIEW_ROWS:
                self.first.append(row)
            else:
                self.spread.offer(row)
        if len(self.preview) < PREVIEW_ROWS:
            self.preview.append(PreviewRow(row=row, warnings=tuple(warning.message for warning in warnings)))
        if warnings:
            self.warned_rows += 1
            self.warnings += warnings[: KEPT_WARNINGS - len(self.warnings)]
            for kind in {warning.kind for warning in warnings}:
                self.rows_by_kind[kind] += 1
                named = self.first_by_kind.setdefault(kind, [])
                if len(named) < ROWS_NAMED_BY_KIND:
                    named.append(row.number)


def _column_notices(layout: Layout) -> Iterator[str]:
    if layout.extra:
        names = ", ".join(f"“{shown(layout.headers[place])}”" for place in layout.extra)
        yield _("Kept for the results but not sent to the carrier: %(names)s.") % {"names": names}
    if "to_country" not in layout.places:
        yield _("The file has no country column: every order goes to the United States.")
    for column, factor in layout.factors.items():
        if factor != 1:
            unit = _("ounces") if column == "weight" else _("inches")
            yield _("“%(column)s” is converted to %(unit)s (1 is %(factor)s %(unit)s).") % {
                "column": shown(layout.header(column)),
                "unit": unit,
                "factor": f"{factor:.6g}",
            }
