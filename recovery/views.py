"""The recovery desk: the interrupted jobs, the facts about one, and the three choices.

A POST carries the confirmation of the facts that were shown. When they have moved, nothing is changed, and the same
part of the page comes back with what is true now: with status 200 to htmx, which shows no other, and 409 to a form.
"""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.translation import gettext as _

from recovery.banner import Banner, may_see_banner, read_banner
from recovery.choices import handle_recovery_choice
from recovery.confirmation import RecoveryChoice, confirmed_facts
from recovery.desk import desk_context, list_interrupted
from recovery.forms import RestartForm, ResumeForm
from recovery.offers import offers_context, own_choice, restart_context
from recovery.plan import plan_restart
from recovery.report import look_at, report_context
from shipping.forms import ReasonForm
from shipping.models import Job
from shipping.refusals import NotInterrupted, require_interrupted
from shipping.services import JobService, Refused
from shipping.views.access import (
    PageRequest,
    go_to,
    job_or_404,
    page,
    to_job,
    wants_fragment,
)
from shipping.views.commands import queue_questions
from shipping.views.live import NOTHING_NEW, nothing_new
from shipping.views.presenters import job_cards

JOBS_ON_A_PAGE = 10


@page()
def desk(request: PageRequest) -> HttpResponseBase:
    """All interrupted jobs, the one interrupted last first, and those that wait for rows to be decided."""
    # Which jobs are interrupted is what takes long, so it is asked once, for the page, its number and the banner.
    interrupted = list_interrupted()
    context = desk_context(Paginator(interrupted, JOBS_ON_A_PAGE).get_page(request.GET.get("page")))
    if not wants_fragment(request):
        now = Banner.of(interrupted)
        context |= {"interrupted_banner": now, "interrupted_count": now.number}
        return render(request, "recovery/desk.html", context)
    return nothing_new(request, context["version"]) or render(request, "recovery/desk_jobs.html", context)


@login_not_required
def banner(request: HttpRequest) -> HttpResponseBase:
    """The banner of interrupted jobs, for every page that is open. Whose session has expired, or who may not view
    jobs (any more), gets no answer: a page must not be taken away by something that it asks in the background. It goes
    on asking, and sees the banner again once somebody has signed in in another tab.
    """
    if not wants_fragment(cast("PageRequest", request)):
        return redirect("recovery:desk")
    if not may_see_banner(getattr(request, "user", None)):
        return HttpResponse(status=NOTHING_NEW)
    now = read_banner()
    context = {"banner": now, "out_of_band": True}
    response = nothing_new(request, now.version) or render(request, "recovery/banner.html", context)
    patch_vary_headers(response, ["HX-Request"])
    add_never_cache_headers(response)
    return response


@page()
def job(request: PageRequest, job_id: int) -> HttpResponseBase:
    """What happened to a job, what is certain, what is not, and what can be done; for htmx only the report."""
    if wants_fragment(request):
        return _report(request, job_id, offers_seen=request.GET.get("offers", ""))
    found = _interrupted(job_id)
    if found is None:
        return _no_decision_needed(request, job_or_404(job_id))
    return render(request, "recovery/job.html", _job_context(request, found))


def _report(request: PageRequest, job_id: int, *, offers_seen: str, with_messages: bool = False) -> HttpResponse:
    """The part of the page that looks again by itself. The forms stay as they are: when what they are bound to has
    moved, the page says so.
    """
    found = _interrupted(job_id)
    context: dict[str, Any] = {"with_messages": with_messages}
    if found is None:
        gone = job_or_404(job_id)
        context |= {"card": job_cards([gone])[0], "job": gone, "said": _how_it_moved(gone)}
        return render(request, "recovery/report_moved.html", context)
    look = look_at(found)
    unchanged = None if with_messages else nothing_new(request, look.version)
    if unchanged is not None:
        return unchanged
    offers = offers_context(found, request.user, seen=offers_seen, live_runs=look.live_runs)
    context |= {**report_context(found, look), **offers}
    return render(request, "recovery/report_fragment.html", context)


def _job_context(request: PageRequest, job: Job) -> dict[str, Any]:
    look = look_at(job)
    return {**report_context(job, look), **offers_context(job, request.user, live_runs=look.live_runs)}


def _how_it_moved(job: Job) -> str:
    """How a job stands that was interrupted a moment ago, and who chose that."""
    try:
        require_interrupted(job)
    except NotInterrupted as moved:
        return str(moved)
    return ""


@page("shipping.resume_job")
def resume(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Carry the job on."""
    return _choose(request, job_id, RecoveryChoice.resume, ResumeForm(request.POST))


@page("shipping.cancel_job")
def cancel(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Stop the job for good."""
    return _choose(request, job_id, RecoveryChoice.cancel, ReasonForm(request.POST))


@page("shipping.resume_job")
def check_again(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Have the carrier asked about the rows in doubt, and come back to where one was."""
    found = job_or_404(job_id)
    if request.method == "POST":
        messages.info(request, queue_questions(request, found))
        if wants_fragment(request):
            return _report(request, job_id, offers_seen=request.POST.get("offers", ""), with_messages=True)
    return go_to(request, "recovery:job", job_id)


@page("shipping.restart_job")
def restart(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Buy again what was bought, after the person typed how many rows that is: a modal for htmx, else a page."""
    if request.method == "POST":
        return _restart(request, job_or_404(job_id))
    found = _interrupted(job_id)
    if found is None:
        return _no_decision_needed(request, job_or_404(job_id))
    return _ask_to_restart(request, found)


def _restart(request: PageRequest, job: Job) -> HttpResponseBase:
    try:
        shown = confirmed_facts(RecoveryChoice.restart, job.pk, request.POST.get("confirmation", ""))
    except Refused as refusal:
        return _restart_refused(request, job.pk, str(refusal))
    form = RestartForm(request.POST, labelled_rows=shown.labelled_rows)
    if not form.is_valid():
        return _ask_once_more(request, job)
    try:
        done = handle_recovery_choice(
            RecoveryChoice.restart,
            job.pk,
            JobService(),
            actor=request.user,
            confirmation=form.cleaned_data["confirmation"],
            reason=form.cleaned_data["reason"],
            void_first=form.cleaned_data.get("void_first", False),
        )
    except Refused as refusal:
        return _restart_refused(request, job.pk, str(refusal))
    messages.success(request, done["message"])
    return to_job(request, job.pk)


def _ask_once_more(request: PageRequest, job: Job) -> HttpResponse:
    """The form with its errors, bound to the facts as they are now, since those are what it shows."""
    found = _interrupted(job.pk)
    if found is None:
        return _restart_refused(request, job.pk, _("“%(name)s” is not interrupted any more.") % {"name": job.name})
    plan = plan_restart(found, JobService())
    sent = request.POST.copy()
    sent["confirmation"] = plan.confirmation
    form = RestartForm(sent, labelled_rows=plan.labelled_rows)
    if form.is_valid():
        return _ask_to_restart(request, found, refusal=_("More labels were recorded since you were shown it."))
    return _ask_to_restart(request, found, form)


def _ask_to_restart(request: PageRequest, job: Job, form: RestartForm | None = None, refusal: str = "") -> HttpResponse:
    """The modal or page with the plan as it is now; `form` is one that was sent and has errors.

    Without one, the number has to be typed anew, but the rest of what was sent still stands.
    """
    plan = plan_restart(job, JobService())
    form = form or RestartForm.shown_with(plan, sent=request.POST)
    context = {**restart_context(job, plan, form), "refusal": refusal}
    return _restart_answer(request, "recovery/restart", context, refused=bool(refusal))


def _restart_refused(request: PageRequest, job_id: int, refusal: str) -> HttpResponse:
    found = _interrupted(job_id)
    if found is not None:
        return _ask_to_restart(request, found, refusal=refusal)
    context = _moved_context(request, job_id, RecoveryChoice.restart, refusal)
    return _restart_answer(request, "recovery/moved", context, refused=True)


def _moved_context(request: PageRequest, job_id: int, choice: RecoveryChoice, refusal: str) -> dict[str, Any]:
    """What is said when there is nothing to choose any more; `own` is set when this person had chosen just that."""
    job = job_or_404(job_id)
    return {"card": job_cards([job])[0], "refusal": refusal, "own": own_choice(job, request.user, choice)}


def _restart_answer(request: PageRequest, template: str, context: dict[str, Any], *, refused: bool) -> HttpResponse:
    if wants_fragment(request):
        if request.method == "POST" and "form" in context:
            # The page behind the dialog is brought up to date with it.
            context = {**_job_context(request, context["job"]), **context, "page_behind": True}
        return render(request, f"{template}_dialog.html", context)
    return render(request, f"{template}.html", context, status=409 if refused else 200)


def _choose(request: PageRequest, job_id: int, choice: RecoveryChoice, form: ReasonForm) -> HttpResponseBase:
    """Resume or cancel; a GET of such an address leads to the facts."""
    if request.method != "POST":
        return go_to(request, "recovery:job", job_id)
    job = job_or_404(job_id)
    if not form.is_valid():
        return _shown_anew(request, job, choice, form.problem())
    try:
        done = handle_recovery_choice(
            choice,
            job.pk,
            JobService(),
            actor=request.user,
            confirmation=form.cleaned_data["confirmation"],
            reason=form.cleaned_data["reason"],
            **(form.options() if isinstance(form, ResumeForm) else {}),
        )
    except Refused as refusal:
        return _shown_anew(request, job, choice, str(refusal))
    messages.success(request, done["message"])
    return to_job(request, job.pk)


def _shown_anew(request: PageRequest, job: Job, choice: RecoveryChoice, refusal: str) -> HttpResponse:
    """The recovery page with the facts as they are now, and what was refused and why."""
    found = _interrupted(job.pk)
    if found is None:
        template = "recovery/moved"
        context = _moved_context(request, job.pk, choice, refusal)
    else:
        template = "recovery/job"
        context = {**_job_context(request, found), "refusal": refusal}
    if wants_fragment(request):
        return render(request, f"{template}_content.html", context)
    return render(request, f"{template}.html", context, status=409)


def _interrupted(job_id: int) -> Job | None:
    """The job with `last_sign_at` when it is interrupted at this moment."""
    return JobService().interrupted_jobs().filter(pk=job_id).first()


def _no_decision_needed(request: PageRequest, job: Job) -> HttpResponse:
    condition = job_cards([job])[0].condition_name
    messages.info(
        request,
        _("“%(name)s” is not interrupted, so there is nothing to decide. How it stands: %(condition)s.")
        % {"name": job.name, "condition": condition},
    )
    return to_job(request, job.pk)
