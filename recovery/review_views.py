"""The desk where a person decides rows in review, and failed ones."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recovery.review import record_bought, send_again, skip
from recovery.row_forms import RowForm
from recovery.shown import put_as_shown
from shipping.models import Row
from shipping.services import JobService, Refused
from shipping.states import RowStatus
from shipping.views.access import PageRequest, go_to, job_or_404, page, right_name, whole_number
from shipping.views.paging import key_page
from shipping.views.presenters import job_cards

ROWS_ON_A_PAGE = 20

DECISIONS: dict[str, tuple[Callable[..., Row], str | Promise]] = {
    "record_bought": (record_bought, gettext_lazy("Row %(number)s: the carrier confirmed the label; it is recorded.")),
    "send_again": (send_again, gettext_lazy("Row %(number)s will be bought.")),
    "skip": (skip, gettext_lazy("Row %(number)s is left out.")),
}


@page()
def review(request: PageRequest, job_id: int) -> HttpResponseBase:
    """The rows of a job that a person has to decide, or its failed ones."""
    found = job_or_404(job_id)
    failed = request.GET.get("status") == RowStatus.failed.value
    rows = JobService().get_rows(job_id, RowStatus.failed if failed else RowStatus.needs_review)
    after, before = whole_number(request, "after"), whole_number(request, "before")
    shown = key_page(rows.select_related("label"), "number", size=ROWS_ON_A_PAGE, after=after, before=before)
    context = {
        "job": found,
        "card": job_cards([found])[0],
        "failed": failed,
        "rows": shown,
        "lines": [{"row": row, "form": RowForm.shown_with(row)} for row in shown.items],
        "is_first_page": not after and before is None,
        "right": right_name("shipping.resolve_job"),
    }
    return render(request, "recovery/review.html", context)


@page("shipping.resolve_job")
def resolve(request: PageRequest, job_id: int, number: int) -> HttpResponseBase:
    """Carry a person's decision about one row out."""
    found = job_or_404(job_id)
    row = JobService().get_rows(job_id).select_related("job").filter(number=number).first()
    if row is None:
        raise Http404(_("There is no row %(number)s in “%(name)s”.") % {"number": number, "name": found.name})
    if request.method == "POST":
        level, sentence = _decide(request, row)
        messages.add_message(request, level, sentence)
    return go_to(request, "recovery:review", job_id)


def _decide(request: PageRequest, row: Row) -> tuple[int, str]:
    """Carry a decision out; returns the level and the sentence of the message."""
    form = RowForm(request.POST)
    if not form.is_valid() or not put_as_shown(row, form.cleaned_data["shown"]):
        return messages.ERROR, _("Nothing has been changed: please look at row %(number)s again.") % {
            "number": row.number
        }
    decide, said = DECISIONS[form.cleaned_data["decision"]]
    try:
        decide(row, actor=request.user, reason=form.cleaned_data["reason"])
    except Refused as refusal:
        return messages.ERROR, f"{refusal} {_('Nothing has been changed.')}"
    return messages.SUCCESS, str(said) % {"number": row.number}
