"""Search everywhere: jobs, orders, recipients and tracking numbers, from one box."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from shipping import liveness
from shipping.search import LONGEST_QUESTION, Hits, Place, search
from shipping.views.access import PageRequest, page, whole_number
from shipping.views.label_lines import label_line
from shipping.views.presenters import job_cards

TITLES: dict[Place, str | Promise] = {
    Place.jobs: _("Jobs"),
    Place.row: _("The row of this reference"),
    Place.references: _("Orders whose reference begins like this"),
    Place.tracking: _("Labels whose tracking number begins like this"),
    Place.names: _("Recipients whose name begins like this"),
    Place.surnames: _("Recipients whose last name begins like this"),
    Place.tracking_ends: _("Labels whose tracking number ends like this"),
}
LABELS = (Place.tracking, Place.tracking_ends)


@page()
def search_everywhere(request: PageRequest) -> HttpResponseBase:
    """What was found for `q`, or in one place (`in`) what comes after a record (`after`)."""
    question = request.GET.get("q", "")
    place = request.GET.get("in", "")
    after = whole_number(request, "after")
    going_on = place in tuple(Place) and after is not None
    answer = search(question, place=Place(place), after=after) if going_on else search(question)
    context = {
        "answer": answer,
        "groups": [_group(hits, answer.question) for hits in answer.found],
        "live_runs": liveness.live_run_ids() if answer.found else [],
        "going_on": going_on,
        "longest": LONGEST_QUESTION,
    }
    return render(request, "shipping/search.html", context)


def _group(hits: Hits, question: str) -> dict[str, Any]:
    """What a part of the page shows: a table of jobs, of rows or of labels."""
    more = urlencode({"q": question, "in": hits.place.value, "after": hits.next_after})
    return {
        "name": hits.place.value,
        "title": TITLES[hits.place],
        "table": _table(hits.place),
        "records": _lines(hits),
        "more": f"{reverse('shipping:search')}?{more}" if hits.next_after else "",
    }


def _lines(hits: Hits) -> Sequence[Any]:
    """What was found, with what the tables tell about it beside the books."""
    if hits.place == Place.jobs:
        return job_cards(hits.records)
    if hits.place in LABELS:
        return [label_line(label, label.row) for label in hits.records]
    return hits.records


def _table(place: Place) -> str:
    if place == Place.jobs:
        return "shipping/search_jobs.html"
    return "shipping/search_labels.html" if place in LABELS else "shipping/search_rows.html"
