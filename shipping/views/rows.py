"""The page of one row: its order, how it stands, its labels, and everything that happened to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from shipping import liveness
from shipping.models import Event, Job, Label, Row
from shipping.orders.column_names import COLUMN_NAMES
from shipping.states import EventKind
from shipping.views.access import PageRequest, job_or_404, page
from shipping.views.label_lines import label_line
from shipping.views.presenters import EventLine, event_lines, job_cards

# A row has few of each; these are guards.
MOST_LABELS = 100
MOST_EVENTS = 500


@dataclass(frozen=True, slots=True)
class Change:
    """One column of an order that a person corrected."""

    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """Something that happened to the row; `changes` only where its order was corrected."""

    line: EventLine
    changes: list[Change]


@page()
def row_detail(request: PageRequest, job_id: int, number: int) -> HttpResponseBase:
    """One row of a job, in a fixed number of queries."""
    row = row_or_404(job_id, number)
    return render(request, "shipping/row_page.html", row_context(row.job, row))


def row_or_404(job_id: int, number: int) -> Row:
    """The row with its job and label. Raises Http404."""
    job = job_or_404(job_id)
    row = job.rows.select_related("label").filter(number=number).first()
    if row is None:
        raise Http404(_("There is no row %(number)s in “%(name)s”.") % {"number": number, "name": job.name})
    return row


def row_context(job: Job, row: Row) -> dict[str, Any]:
    """All that the page of a row shows, but what can be done about it."""
    labels = list(Label.objects.filter(row=row).order_by("pk")[:MOST_LABELS])
    events = list(Event.objects.filter(row=row).select_related("actor").order_by("-pk")[:MOST_EVENTS])[::-1]
    return {
        "job": job,
        "card": job_cards([job])[0],
        "row": row,
        "reference": job.reference(row.number, row.attempt),
        "live_runs": liveness.live_run_ids(job.pk),
        "order": [(name, row.order[column]) for column, name in COLUMN_NAMES.items() if row.order.get(column)],
        "extra": list(row.extra.items()),
        "label_lines": [label_line(label, row) for label in labels],
        "history": history_lines(events),
    }


def history_lines(events: Sequence[Event]) -> list[HistoryLine]:
    """The events of a row with what each changed of its order."""
    return [HistoryLine(line, _changes(line.event)) for line in event_lines(events)]


def _changes(event: Event) -> list[Change]:
    details: Mapping[str, Any] = event.details if event.kind == EventKind.corrected else {}
    changed: Mapping[str, Sequence[str]] = details.get("changed", {})
    return [
        Change(column=str(COLUMN_NAMES.get(column, column)), before=before, after=after)
        for column, (before, after) in changed.items()
    ]
