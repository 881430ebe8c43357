"""Where in the file things stand: a strip of at most 60 cells, each for a span of rows, also for a million of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import groupby

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import connection
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from shipping.models import Job, Row
from shipping.states import RowStatus
from shipping.views.progress import STATE_NAMES

# Few enough to be told apart on a phone, and for the weight of a page.
CELLS = 60
# Rows on their way and in doubt are few: what the runs of a job had in the air at once.
IN_FLIGHT_SEEN = 1_000

# A cell shows the first of these that it has rows of: what needs attention comes before what is in order.
TELLING = ("doubt", "review", "failed", "buying", "waiting", "bought", "skipped")

# Which of the states that have a partial index by (job, number) occur in each cell: one look into each index for each
# cell, whatever the number of rows. The states stand here as they do in the indexes, so that those can be used.
CELLS_SQL = """
WITH RECURSIVE cell(first) AS (
    SELECT 1
    UNION ALL
    SELECT first + %(size)s FROM cell WHERE first + %(size)s <= %(last)s
)
SELECT
    first,
    EXISTS (SELECT 1 FROM shipping_row WHERE job_id = %(job)s AND status = 'completed'
        AND number >= first AND number < first + %(size)s),
    EXISTS (SELECT 1 FROM shipping_row WHERE job_id = %(job)s AND status = 'pending'
        AND number >= first AND number < first + %(size)s),
    EXISTS (SELECT 1 FROM shipping_row WHERE job_id = %(job)s AND status = 'failed'
        AND number >= first AND number < first + %(size)s),
    EXISTS (SELECT 1 FROM shipping_row WHERE job_id = %(job)s AND status = 'needs_review'
        AND number >= first AND number < first + %(size)s)
FROM cell ORDER BY first
"""
CELL_SVG = (
    '<a href="{}?after={}#rows-heading" tabindex="-1">'
    '<rect x="{}" width="{}" height="100%" fill="{}"/>{}<title>{}</title></a>'
)
PARTLY_SVG = '<rect x="{}" y="50%" width="{}" height="50%" fill="url(#pattern-bought)"/>'
INDEXED_STATES = ("bought", "waiting", "failed", "review")


@dataclass(frozen=True, slots=True)
class Cell:
    """A span of rows and which states occur in it, the most telling one first."""

    first: int
    last: int
    states: tuple[str, ...]
    x: str
    width: str

    @property
    def fill(self) -> str:
        """The pattern of the most telling state; of "partly bought", that of what still waits."""
        return f"url(#pattern-{self.states[0]})"

    @property
    def is_partly_bought(self) -> bool:
        return self.states[:2] == ("waiting", "bought")

    @property
    def sentence(self) -> str:
        """Which rows, and the states that occur among them."""
        states = ", ".join(str(STATE_NAMES[state]).lower() for state in self.states)
        if self.first == self.last:
            return _("Row %(number)s: %(states)s") % {"number": intcomma(self.first), "states": states}
        return _("Rows %(first)s to %(last)s: %(states)s") % {
            "first": intcomma(self.first),
            "last": intcomma(self.last),
            "states": states,
        }

    @property
    def after(self) -> int:
        """The value of `?after=` that shows the rows from here on."""
        return self.first - 1


@dataclass(frozen=True, slots=True)
class Strip:
    """The cells in the order of the file; `size` is how many row numbers each stands for."""

    cells: tuple[Cell, ...]
    size: int
    address: str

    @property
    def picture(self) -> SafeString:
        """The cells as SVG, each a link to the rows from there on. Made here: a template takes ten times as long."""
        return format_html_join("", CELL_SVG, (self._drawn(cell) for cell in self.cells))

    def _drawn(self, cell: Cell) -> tuple[object, ...]:
        partly = format_html(PARTLY_SVG, cell.x, cell.width) if cell.is_partly_bought else ""
        return self.address, str(cell.after), cell.x, cell.width, cell.fill, partly, cell.sentence

    @property
    def last_row(self) -> int:
        return self.cells[-1].last

    @property
    def spans(self) -> list[Cell]:
        """The same in fewer lines: neighbours in which the same states occur, joined."""
        joined = []
        for states, group in groupby(self.cells, key=lambda cell: cell.states):
            cells = list(group)
            joined.append(Cell(cells[0].first, cells[-1].last, states, x="", width=""))
        return joined

    @property
    def caption(self) -> str:
        if self.size == 1:
            return _("Where in the file: each cell is one row.")
        return _(
            "Where in the file: each cell stands for %(size)s rows and shows what among them most needs attention."
        ) % {"size": intcomma(self.size)}


def rows_strip(job: Job, live_runs: Collection[int]) -> Strip | None:
    """The strip of a job, or None for one without rows; `live_runs` are the ids of its live runs. Three queries whose
    cost does not grow with the job.

    Skipped rows are not looked for: a cell is shown as skipped when nothing else is in it.
    """
    rows = Row.objects.filter(job=job)
    last = rows.order_by("-number").values_list("number", flat=True).first()
    if last is None:
        return None
    size = -(-last // CELLS)
    in_flight = rows.owed().filter(status=RowStatus.in_flight).order_by("due")
    buying: set[int] = set()
    doubt: set[int] = set()
    for number, run in in_flight.values_list("number", "run")[:IN_FLIGHT_SEEN]:
        (buying if run in live_runs else doubt).add((number - 1) // size)
    cells = tuple(_cells(job, size, last, buying, doubt))
    return Strip(cells=cells, size=size, address=reverse("shipping:job", args=[job.pk]))


def _cells(job: Job, size: int, last: int, buying: Collection[int], doubt: Collection[int]) -> Iterable[Cell]:
    with connection.cursor() as cursor:
        cursor.execute(CELLS_SQL, {"job": job.pk, "size": size, "last": last})
        found = cursor.fetchall()
    width = 100 / len(found)
    for index, (first, *present) in enumerate(found):
        states = {state for state, occurs in zip(INDEXED_STATES, present, strict=True) if occurs}
        states |= {"buying"} if index in buying else set()
        states |= {"doubt"} if index in doubt else set()
        yield Cell(
            first=first,
            last=min(first + size - 1, last),
            states=tuple(state for state in TELLING if state in (states or {"skipped"})),
            x=f"{index * width:.2f}%",
            width=f"{width:.2f}%",
        )
