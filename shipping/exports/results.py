"""The results of a job: the file that came in, row by row, with what became of each row beside it.

Read page by page, each page in a query of its own: neither memory nor an open transaction grows with the job.
"""

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from io import StringIO
from itertools import chain
from typing import Any

from django.utils import timezone

from shipping import liveness
from shipping.models import Job, Row
from shipping.orders.columns import COLUMNS
from shipping.orders.kept import KeptFileMissing, headers_of, records_of
from shipping.services import JobService
from shipping.spreadsheets import safe_cell
from shipping.states import RowStatus

RESULT_COLUMNS = ("tracking_number", "carrier", "service", "cost", "currency", "shipped_at", "status", "error")
IN_DOUBT = "in_doubt"
NOT_IMPORTED = "not_imported"
# What the file may be narrowed to.
STATUSES = (*RowStatus.values, IN_DOUBT, NOT_IMPORTED)

# Words for people and for programs: like the names of the columns, they are the same in every language.
STATUS_WORDS = {
    RowStatus.pending.value: "waiting",
    RowStatus.in_flight.value: "being bought",
    RowStatus.completed.value: "bought",
    RowStatus.failed.value: "failed",
    RowStatus.needs_review.value: "needs review",
    RowStatus.skipped.value: "skipped",
    IN_DOUBT: "in doubt",
    NOT_IMPORTED: "not imported",
}
VOIDED = "bought, voided"
VOID_ORDERED = "bought, void ordered"

ROWS_A_PAGE = 1_000
Record = tuple[int, list[str]]

# Excel takes a file for UTF-8 only when it begins with this mark.
BYTE_ORDER_MARK = "\ufeff"

_FIELDS = ("number", "status", "run_id", "due", "error_message", "answer")
_ORDER_FIELDS = ("order", "extra")
_LABEL_FIELDS = (
    "label__tracking_number",
    "label__carrier",
    "label__service",
    "label__cost_cents",
    "label__currency",
    "label__bought_at",
    "label__voided_at",
    "label__void_requested",
)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a row; `order` holds its order's cells, where they were asked for."""

    number: int
    status: str
    cells: list[str]
    order: list[str]


def results_csv(job: Job, zone: tzinfo, *, status: str = "") -> Iterator[bytes]:
    """The file in pieces of up to ROWS_A_PAGE rows: UTF-8 with a byte order mark, commas, times in `zone` with their
    offset (ISO 8601), cost in whole units with a dot; a voided label costs nothing.

    `status` keeps the rows of one status, one of STATUSES.
    """
    lines = _lines(job, zone, status)
    piece = StringIO(newline="")
    piece.write(BYTE_ORDER_MARK)
    writer = csv.writer(piece)
    for place, line in enumerate(lines, start=1):
        writer.writerow(line)
        if place % ROWS_A_PAGE == 0:
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()


def header(columns: Sequence[str]) -> list[str]:
    """The file's own columns and then ours; ours get `_result` behind their names where the file has the same."""
    taken = {column.strip().casefold() for column in columns}
    ours = []
    for column in RESULT_COLUMNS:
        name = column
        while name in taken:
            name += "_result"
        ours.append(name)
    return [*map(safe_cell, columns), *ours]


def _lines(job: Job, zone: tzinfo, status: str) -> Iterator[list[str]]:
    records = records_of(job)
    try:
        first = next(records, None)
    except KeptFileMissing:
        return _lines_of_books(job, zone, status)
    return _lines_of_file(job, zone, status, first, records)


def _lines_of_file(
    job: Job, zone: tzinfo, status: str, first: Record | None, records: Iterator[Record]
) -> Iterator[list[str]]:
    """The file's records, and beside each what the books say; those that the books don't have were not imported."""
    headers = headers_of(job)
    yield header(headers)
    outcomes = _outcomes(job, zone, "" if status == NOT_IMPORTED else status)
    outcome = next(outcomes, None)
    for number, cells in chain([] if first is None else [first], records):
        while outcome is not None and outcome.number < number:
            outcome = next(outcomes, None)
        own = [safe_cell(cell) for cell in cells[: len(headers)]]
        if outcome is not None and outcome.number == number:
            if status != NOT_IMPORTED:
                yield own + outcome.cells
        elif status in ("", NOT_IMPORTED):
            yield own + _not_imported()


def _lines_of_books(job: Job, zone: tzinfo, status: str) -> Iterator[list[str]]:
    """For a job whose file is not kept: its orders as they were read, in our own columns."""
    some = Row.objects.filter(job=job).order_by("number").values_list("extra", flat=True).first() or {}
    columns = (*COLUMNS, *some)
    yield header(columns)
    if status != NOT_IMPORTED:
        for outcome in _outcomes(job, zone, status, columns=columns):
            yield outcome.order + outcome.cells


def _outcomes(job: Job, zone: tzinfo, status: str, *, columns: Sequence[str] = ()) -> Iterator[_Outcome]:
    """What became of each row of one status or (empty) of all, by row number; a page of rows a query."""
    service = JobService()
    rows = service.rows_in_the_air(job.pk) if status == IN_DOUBT else service.get_rows(job.pk, status or None)
    fields = (*_FIELDS, *_LABEL_FIELDS, *(_ORDER_FIELDS if columns else ()))
    after = 0
    while True:
        live_runs = frozenset(liveness.live_run_ids(job.pk))
        page = list(rows.filter(number__gt=after).values(*fields)[:ROWS_A_PAGE])
        for row in page:
            after = row["number"]
            found = _status(row, live_runs)
            if status in ("", found):
                order = {**row["extra"], **row["order"]} if columns else {}
                yield _Outcome(
                    after, found, _cells(row, found, zone), [safe_cell(order.get(name, "")) for name in columns]
                )
        if len(page) < ROWS_A_PAGE:
            return


def _status(row: Mapping[str, Any], live_runs: Collection[int]) -> str:
    in_doubt = row["status"] == RowStatus.in_flight and row["due"] is not None and row["run_id"] not in live_runs
    return IN_DOUBT if in_doubt else str(row["status"])


def _cells(row: Mapping[str, Any], status: str, zone: tzinfo) -> list[str]:
    error = row["error_message"] or (row["answer"] if status in (IN_DOUBT, RowStatus.needs_review) else "")
    words = STATUS_WORDS[status]
    if status != RowStatus.completed:
        return ["", "", "", "", "", "", words, safe_cell(error)]
    voided = row["label__voided_at"] is not None
    if voided or row["label__void_requested"]:
        words = VOIDED if voided else VOID_ORDERED
    cents = 0 if voided else row["label__cost_cents"]
    return [
        safe_cell(row["label__tracking_number"]),
        safe_cell(row["label__carrier"]),
        safe_cell(row["label__service"]),
        f"{cents // 100}.{cents % 100:02d}",
        row["label__currency"],
        timezone.localtime(row["label__bought_at"], zone).isoformat(timespec="seconds"),
        words,
        safe_cell(error),
    ]


def _not_imported() -> list[str]:
    return ["", "", "", "", "", "", STATUS_WORDS[NOT_IMPORTED], ""]
