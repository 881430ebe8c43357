"""The desk where a person decides rows in review and failed ones, and has the carrier asked about rows in doubt.

A decision about one row is answered to htmx with that row as it is then, and to a form by the way back to the desk.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from recovery.review import record_bought, send_again, skip, void_bought
from recovery.review_desk import Place, desk_context, row_lines, waiting_jobs, waiting_lines
from recovery.review_many import Decided, ManyDecision, decide_list, decide_rows
from recovery.row_forms import ManyForm, RowForm, ticked_rows
from recovery.shown import ShownRow, put_as_shown
from shipping.models import Job, Row
from shipping.services import JobService, Refused
from shipping.views.access import PageRequest, job_or_404, page, right_name, wants_fragment
from shipping.views.commands import queue_questions
from shipping.views.live import nothing_new
from shipping.views.rows import row_or_404

JOBS_ON_A_PAGE = 20
# The value of `back` that leads to the row's own page.
TO_ROW = "row"

DECISIONS: dict[str, tuple[Callable[..., Row], str | Promise]] = {
    "record_bought": (record_bought, gettext_lazy("Row %(number)s: the carrier confirmed the label; it is recorded.")),
    "void_bought": (
        void_bought,
        gettext_lazy("Row %(number)s: the carrier confirmed the label; it is recorded, and its void is on its way."),
    ),
    "send_again": (send_again, gettext_lazy("Row %(number)s will be bought.")),
    "skip": (skip, gettext_lazy("Row %(number)s is left out.")),
}


@page()
def review_all(request: PageRequest) -> HttpResponseBase:
    """All jobs that have something for a person to decide, the newest first."""
    shown = Paginator(waiting_jobs(), JOBS_ON_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "recovery/review_all.html", {"lines": waiting_lines(list(shown)), "page": shown})


@page()
def review(request: PageRequest, job_id: int) -> HttpResponseBase:
    """The rows of a job that are in doubt, in review or failed; to a poll, word that they have moved."""
    context = _desk(job_or_404(job_id), Place.read(request.GET))
    if wants_fragment(request):
        return nothing_new(request, context["version"]) or render(request, "recovery/review_news.html", context)
    return render(request, "recovery/review.html", context)


@page("shipping.resolve_job")
def resolve(request: PageRequest, job_id: int, number: int) -> HttpResponseBase:
    """Carry a person's decision about one row out."""
    row = row_or_404(job_id, number)
    if request.method != "POST":
        return redirect("shipping:row", job_id, number)
    said, problem = _decide(request, row)
    if wants_fragment(request):
        return _row_anew(request, job_id, number, said=said, problem=problem)
    messages.add_message(request, messages.ERROR if problem else messages.SUCCESS, problem or said)
    return _back(request, job_id, number)


def _decide(request: PageRequest, row: Row) -> tuple[str, str]:
    """Carry a decision out; returns what was done, or else why nothing was."""
    form = RowForm(request.POST)
    nothing = _("Nothing has been changed.")
    if "reason" in form.errors:
        return "", f"{' '.join(map(str, form.errors['reason']))} {nothing}"
    if not form.is_valid() or not put_as_shown(row, form.cleaned_data["shown"]):
        return "", _("Nothing has been changed: please look at row %(number)s again.") % {"number": row.number}
    decision = form.cleaned_data["decision"]
    if decision == "void_bought" and not request.user.has_perm("shipping.void_job"):
        needed = _("This needs the right “%(right)s”.") % {"right": right_name("shipping.void_job")}
        return "", f"{needed} {nothing}"
    decide, said = DECISIONS[decision]
    typed = {"tracking_number": form.cleaned_data["tracking_number"]} if decision in _CONFIRMED else {}
    try:
        decide(row, actor=request.user, reason=form.cleaned_data["reason"], **typed)
    except Refused as refusal:
        return "", f"{refusal} {nothing}"
    return str(said) % {"number": row.number}, ""


_CONFIRMED = frozenset({"record_bought", "void_bought"})


def _row_anew(request: PageRequest, job_id: int, number: int, *, said: str, problem: str) -> HttpResponse:
    """The row as it is now, and with it, out of band, the counts of the lists."""
    place = Place.read(QueryDict(request.POST.get("back", "")))
    context = _desk(job_or_404(job_id), place)
    line = row_lines(context["job"], [row_or_404(job_id, number)], context["live_runs"])[0]
    context |= {"line": line, "row": line.row, "said": said, "problem": problem}
    return render(request, "recovery/review_decided.html", context)


@page("shipping.resume_job")
def ask(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Have the carrier asked about the rows that were ticked, or about all that owe an answer."""
    job = job_or_404(job_id)
    if request.method != "POST":
        return redirect("recovery:review", job_id)
    ticked = ticked_rows(request.POST.getlist("row"))
    if wants_fragment(request):
        return _ask_about_one(request, job, ticked or [])
    if ticked is None:
        messages.error(request, _("Nothing has been changed. Please look at the rows again."))
    elif "only_ticked" not in request.POST:
        messages.info(request, queue_questions(request, job))
    elif not ticked:
        messages.error(request, _("No row is ticked."))
    else:
        # No database keeps a NUL, and this reason comes through no form.
        reason = request.POST.get("reason", "").replace("\0", "")[:500]
        keys = [row.key for row in ticked]
        asked = JobService().check_again(job_id, rows=keys, actor=request.user, reason=reason)
        messages.info(request, _asked(asked))
    return _back(request, job_id)


def _ask_about_one(request: PageRequest, job: Job, ticked: list[ShownRow]) -> HttpResponse:
    """Have the carrier asked about the row of one form; answers with that row as it is then."""
    row = JobService().get_rows(job.pk).filter(pk__in=[each.key for each in ticked]).first()
    if row is None or len(ticked) != 1:
        raise Http404(_("There is no such row."))
    asked = JobService().check_again(job.pk, rows=[row.pk], actor=request.user)
    return _row_anew(request, job.pk, row.number, said=_asked(asked), problem="")


def _asked(rows: int) -> str:
    if not rows:
        return _("The carrier owes no answer about these rows any more.")
    return ngettext(
        "The carrier will be asked about %(count)s row. This page tells when the answer is there.",
        "The carrier will be asked about %(count)s rows. This page tells when the answers are there.",
        rows,
    ) % {"count": rows}


@page("shipping.resolve_job")
def decide_many(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Carry one decision about many rows out; a long list goes on with the next request."""
    job = job_or_404(job_id)
    if request.method != "POST":
        return redirect("recovery:review", job_id)
    form = ManyForm(request.POST)
    shown = form.shown_list() if form.is_valid() else None
    ticked = ticked_rows(request.POST.getlist("row"))
    if shown is None or shown.rows.job_id != job.pk or ticked is None:
        messages.error(request, f"{form.problem()} {_('Nothing has been changed.')}")
        return _back(request, job_id)
    decision, reason = ManyDecision(form.cleaned_data["decision"]), form.cleaned_data["reason"]
    decided = Decided.read(form.cleaned_data["so_far"])
    try:
        if form.cleaned_data["scope"] == ManyForm.ALL:
            decided = decide_list(shown, decision, decided, actor=request.user, reason=reason)
        elif ticked:
            decided = decide_rows(job.pk, ticked, decision, actor=request.user, reason=reason)
        else:
            messages.error(request, _("No row is ticked. Nothing has been changed."))
            return _back(request, job_id)
    except Refused as refusal:
        messages.error(request, f"{refusal} {_so_far(decided)}")
        return _back(request, job_id)
    if decided.left is not None:
        context = {"job": job, "decided": decided, "decision": decision, "reason": reason, "back": _place(request)}
        return render(request, "recovery/review_progress.html", context)
    _tell(request, decided, decision)
    return _back(request, job_id)


def _so_far(decided: Decided) -> str:
    if not decided.done:
        return _("Nothing has been changed.")
    return ngettext(
        "%(count)s row was decided before, and that stands.",
        "%(count)s rows were decided before, and that stands.",
        decided.done,
    ) % {"count": decided.done}


def _tell(request: PageRequest, decided: Decided, decision: ManyDecision) -> None:
    if decision == ManyDecision.skip:
        said = ngettext("%(count)s row is left out.", "%(count)s rows are left out.", decided.done)
    else:
        said = ngettext("%(count)s row will be bought.", "%(count)s rows will be bought.", decided.done)
    if decided.done:
        messages.success(request, said % {"count": decided.done})
    if decided.refused:
        left = ngettext(
            "%(count)s row was left as it is:", "%(count)s rows were left as they are:", decided.refused_count
        ) % {"count": decided.refused_count}
        messages.warning(request, " ".join([left, *decided.sentences()]))


def _desk(job: Job, place: Place) -> dict[str, Any]:
    context = desk_context(job, place)
    here = f"{reverse('recovery:review', args=[job.pk])}?{context['place'].query}"
    return {**context, "here": here, "right": right_name("shipping.resolve_job")}


def _place(request: PageRequest) -> str:
    """Where on the desk the form was, as a query string that can't hold anything else."""
    return Place.read(QueryDict(request.POST.get("back", ""))).query


def _back(request: PageRequest, job_id: int, number: int = 0) -> HttpResponse:
    if number and request.POST.get("back") == TO_ROW:
        return redirect("shipping:row", job_id, number)
    query = _place(request)
    return redirect(reverse("recovery:review", args=[job_id]) + (f"?{query}" if query else ""))
