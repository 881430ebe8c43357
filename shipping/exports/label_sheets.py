"""Which labels are printed together: those bought so far in row order, in parts of at most SHEET_LABELS.

A part is named by its first and last row and by the newest label that was there when it was shown, so that the same
address gives the same labels again, and what is marked as printed is what was shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from django.db.models import Q

from shipping.exports.row_ranges import RowRanges
from shipping.models import Job, Label, Row
from shipping.models.row import RowQuerySet
from shipping.states import RowStatus

# pypdf keeps about 28 kB of each label in memory.
SHEET_LABELS = 500
SHEETS_ON_A_PAGE = 10

# So many of the labels that are left out are named on a page.
UNPRINTABLE_NAMED = 20

# What can be put on a page of a PDF.
PRINTABLE = frozenset({".pdf", ".png"})


@dataclass(frozen=True, slots=True)
class Choice:
    """Labels of a job: of some rows or (None) of all, perhaps only those not marked as printed; none that was
    recorded after the label `up_to`.
    """

    up_to: int
    rows: RowRanges | None = None
    unprinted: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One part: its first and last row, how many labels it has, and how many of them are printed, have no file yet
    or one that can't be put on a page.
    """

    first: int
    last: int
    labels: int
    printed: int
    without_file: int
    other_format: int

    @property
    def unprinted(self) -> int:
        return self.labels - self.printed

    @property
    def printable(self) -> int:
        return self.labels - self.without_file - self.other_format


def newest_label(job: Job) -> int:
    """The id of the label recorded last, 0 when there is none."""
    return Label.objects.filter(job=job).order_by("-pk").values_list("pk", flat=True).first() or 0


def labelled(job: Job, choice: Choice, *, first: int = 0, last: int | None = None) -> RowQuerySet:
    """Rows whose own label is to be printed, by row number: bought, not voided, in this choice and this range."""
    chosen = Q(label__lte=choice.up_to, label__voided_at__isnull=True, number__gte=first)
    if last is not None:
        chosen &= Q(number__lte=last)
    if choice.rows is not None:
        chosen &= choice.rows.within("number")
    if choice.unprinted:
        chosen &= Q(label__printed_at__isnull=True)
    return Row.objects.filter(chosen, job=job, status=RowStatus.completed).order_by("number")


def sheets(job: Job, choice: Choice, after: int = 0) -> tuple[list[Sheet], bool]:
    """The next parts of a choice, from the row after `after` on, and whether more follow. Reads no more rows than
    fit on the page.
    """
    first = after + 1
    if choice.unprinted and choice.rows is None:
        first = max(first, _first_unprinted(job))
    rows = labelled(job, choice, first=first)
    found = list(rows.values_list("number", "label__file", "label__printed_at")[: SHEETS_ON_A_PAGE * SHEET_LABELS + 1])
    parts = [found[start : start + SHEET_LABELS] for start in range(0, len(found), SHEET_LABELS)]
    return [_sheet(part) for part in parts[:SHEETS_ON_A_PAGE]], len(parts) > SHEETS_ON_A_PAGE


def _first_unprinted(job: Job) -> int:
    """A row before which nothing is left to print, found by index: a job's rows have their ids in file order."""
    unprinted = Label.objects.filter(job=job, voided_at__isnull=True).not_printed().order_by("row_id")
    return unprinted.values_list("row__number", flat=True).first() or 0


def _sheet(part: Sequence[tuple[int, str, object]]) -> Sheet:
    return Sheet(
        first=part[0][0],
        last=part[-1][0],
        labels=len(part),
        printed=sum(printed_at is not None for _number, _file, printed_at in part),
        without_file=sum(not file for _number, file, _printed_at in part),
        other_format=sum(bool(file) and not is_printable(file) for _number, file, _printed_at in part),
    )


def is_printable(file_name: str) -> bool:
    """Whether a label's file, by its name, can be put on a page of a PDF."""
    return PurePosixPath(file_name).suffix.lower() in PRINTABLE


def sheet_rows(job: Job, choice: Choice, *, first: int, last: int) -> list[Row]:
    """The rows of one part with their labels, in row order: at most SHEET_LABELS, and one more when the range holds
    more.
    """
    rows = labelled(job, choice, first=first, last=last).select_related("label")
    return list(
        rows.only("number", "job", "label__file", "label__tracking_number", "label__printed_at", "label__job")[
            : SHEET_LABELS + 1
        ]
    )


def unprintable_rows(job: Job, choice: Choice, *, first: int, last: int) -> list[Row]:
    """The first UNPRINTABLE_NAMED rows of a range whose label no PDF can hold, or not yet, with their labels."""
    rows = labelled(job, choice, first=first, last=last)
    for suffix in PRINTABLE:
        rows = rows.exclude(label__file__iendswith=suffix)
    return list(rows.select_related("label")[:UNPRINTABLE_NAMED])
