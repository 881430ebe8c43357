"""The buttons on a job's page. A GET of a button's address changes nothing: it shows what the button would do, or
goes to the job.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shipping.forms import ReasonForm, VoidForm
from shipping.models import Job
from shipping.services import JobService, Refused
from shipping.states import JobStatus
from shipping.views.access import PageRequest, job_or_404, page, to_job
from shipping.views.confirmation import read_facts, sign_facts
from shipping.views.jobs import live_context
from shipping.voids import void_until


@page("shipping.change_job")
def start(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Start a job, or carry on one that was paused."""
    return _at_once(request, job_id, _start)


@page("shipping.change_job")
def pause(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Pause a running job."""
    return _at_once(request, job_id, _pause)


@page("shipping.resume_job")
def check_again(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Have the carrier asked about every row that owes an answer."""
    return _at_once(request, job_id, queue_questions)


def _start(request: PageRequest, job: Job) -> str:
    was_paused = job.status == JobStatus.paused
    JobService().start(job.pk, actor=request.user)
    if was_paused:
        return _("“%(name)s” is carried on.") % {"name": job.name}
    return _("“%(name)s” is started.") % {"name": job.name}


def _pause(request: PageRequest, job: Job) -> str:
    outcome = JobService().pause(job.pk, actor=request.user)
    said = _("“%(name)s” is paused: no further row will be bought.") % {"name": job.name}
    return f"{said} {in_the_air(outcome.in_flight_rows)}".strip()


def queue_questions(request: PageRequest, job: Job) -> str:
    """Queue the question about every row in doubt; returns the sentence for the person."""
    asked = JobService().check_again(job.pk, actor=request.user)
    if not asked:
        return _("No row of “%(name)s” is in doubt: for every row it is known whether it was bought.") % {
            "name": job.name
        }
    return ngettext(
        "The carrier will be asked about %(count)s row. The answer shows on this page as soon as it is there.",
        "The carrier will be asked about %(count)s rows. The answers show on this page as soon as they are there.",
        asked,
    ) % {"count": asked}


def in_the_air(rows: int) -> str:
    """What may still arrive after a stop; empty when nothing may."""
    if not rows:
        return ""
    return ngettext(
        "%(count)s purchase was already sent or is in doubt: it may still turn out to be bought, and will be recorded.",
        "%(count)s purchases were already sent or are in doubt: they may still turn out to be bought, and will be"
        " recorded.",
        rows,
    ) % {"count": rows}


def _at_once(request: PageRequest, job_id: int, command: Callable[[PageRequest, Job], str]) -> HttpResponseBase:
    """Carry a command out that needs no question; answer htmx with the part of the page that moved."""
    job = job_or_404(job_id)
    if request.method != "POST":
        return to_job(request, job_id)
    try:
        messages.success(request, command(request, job))
    except Refused as refusal:
        messages.error(request, str(refusal))
    if not request.htmx:
        return to_job(request, job_id)
    context = {**live_context(request, job_or_404(job_id)), "with_messages": True}
    return render(request, "shipping/job_fragment.html", context)


@page("shipping.cancel_job")
def cancel(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Cancel an open job, after saying what that does in rows and money."""
    job = job_or_404(job_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            expected = read_facts(form.cleaned_data["confirmation"], job)
            reason = form.cleaned_data["reason"]
            outcome = JobService().cancel(job_id, actor=request.user, reason=reason, expected=expected)
        except Refused as refusal:
            return _confirm_cancel(request, job_or_404(job_id), refusal=str(refusal))
        said = _("“%(name)s” is cancelled: no further row will be bought.") % {"name": job.name}
        messages.success(request, f"{said} {in_the_air(outcome.in_flight_rows)}".strip())
        return to_job(request, job_id)
    return _confirm_cancel(request, job, refusal=form.problem() if form.is_bound else "")


def _confirm_cancel(request: PageRequest, job: Job, refusal: str = "") -> HttpResponse:
    if not job.is_open:
        return _nothing_to_do(request, job, refusal)
    token = sign_facts(job, JobService().facts(job))
    context = {**live_context(request, job), "form": ReasonForm(initial={"confirmation": token})}
    return _confirm(request, "shipping/cancel.html", context, refusal)


@page("shipping.void_job")
def void_labels(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Have the labels of a job that is over voided, after saying how many they are and what they cost."""
    job = job_or_404(job_id)
    form = VoidForm(request.POST or None)
    if request.method != "POST":
        return _confirm_void(request, job)
    if not form.is_valid():
        return _confirm_void(request, job, refusal=form.problem())
    try:
        shown = read_facts(form.cleaned_data["confirmation"], job)
        reason = form.cleaned_data["reason"]
        JobService().void_labels(job_id, actor=request.user, reason=reason, mark=shown.mark)
    except Refused as refusal:
        return _confirm_void(request, job_or_404(job_id), refusal=str(refusal))
    messages.success(request, _("The labels of “%(name)s” are being voided.") % {"name": job.name})
    return to_job(request, job_id)


def _confirm_void(request: PageRequest, job: Job, refusal: str = "") -> HttpResponse:
    facts = JobService().facts(job)
    paid = {"count": 0 if job.is_open or job.sweep else _paid_labels(job, facts.mark), "cents": job.spent_cents}
    if not paid["count"]:
        return _nothing_to_do(request, job, refusal or _("There is nothing to void in “%s” now.") % job.name)
    form = VoidForm(initial={"confirmation": sign_facts(job, facts)})
    oldest = job.labels.paid().order_by("pk")[0]
    context = {**live_context(request, job), "form": form, "paid": paid, "void_until": void_until(oldest)}
    return _confirm(request, "shipping/void.html", context, refusal)


def _paid_labels(job: Job, mark: int) -> int:
    """How many labels up to `mark` are not voided: all but the voided ones, both counted in an index alone."""
    shown = job.labels.filter(pk__lte=mark).order_by()
    return shown.count() - shown.filter(voided_at__isnull=False).count()


def _confirm(request: PageRequest, template: str, context: dict[str, Any], refusal: str) -> HttpResponse:
    return render(request, template, {**context, "refusal": refusal}, status=409 if refusal else 200)


def _nothing_to_do(request: PageRequest, job: Job, refusal: str) -> HttpResponse:
    said = _("“%(name)s” is %(status)s.") % {"name": job.name, "status": job.get_status_display().lower()}
    messages.warning(request, refusal or said)
    return to_job(request, job.pk)
