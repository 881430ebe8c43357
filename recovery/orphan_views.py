"""Comparing a job with the carrier's own list, and deciding about the charges that no row owns."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from recovery.comparison import comparison_context, standing_of
from recovery.orphan_plans import OrphanDecision, OrphanPlan
from recovery.orphans import adopt_orphan, confirm_orphan, open_orphan, void_orphan
from shipping.forms import ReasonForm
from shipping.liveness import Condition
from shipping.models import Job, Orphan
from shipping.services import JobService, Refused
from shipping.views.access import PageRequest, job_or_404, page, require_right, wants_fragment
from shipping.views.live import nothing_new
from shipping.voids import end_of_voiding

DECIDE = {OrphanDecision.adopt: adopt_orphan, OrphanDecision.void: void_orphan}


@page()
def comparison(request: PageRequest, job_id: int) -> HttpResponseBase:
    """How the comparison stands, for the part of a page that looks again by itself; a POST orders one."""
    job = job_or_404(job_id)
    if request.method == "POST":
        require_right(request.user, "shipping.resume_job")
        messages.info(request, _order(request, job))
    if not wants_fragment(request):
        return redirect(_back(job))
    context: dict[str, Any] = {"job": job, "polls": "polls" in request.GET or "polls" in request.POST}
    context |= comparison_context(job, standing_of(job))
    if request.method == "POST":
        return render(request, "recovery/comparison_fragment.html", context)
    return nothing_new(request, context["comparison_version"]) or render(request, "recovery/comparison.html", context)


def _order(request: PageRequest, job: Job) -> str:
    if JobService().compare(job.pk, actor=request.user):
        return _("“%(name)s” will be compared with the carrier's list. What is found shows here by itself.") % {
            "name": job.name
        }
    return _("“%(name)s” is being compared already.") % {"name": job.name}


@page("shipping.resolve_job")
def adopt(request: PageRequest, job_id: int, orphan_id: int) -> HttpResponseBase:
    """Record a charge that no row owned as a label of its row, after saying what that does."""
    return _decide(request, job_or_404(job_id), orphan_id, OrphanDecision.adopt)


@page("shipping.resolve_job")
def void(request: PageRequest, job_id: int, orphan_id: int) -> HttpResponseBase:
    """Record such a charge and have it voided, after saying what that does."""
    require_right(request.user, "shipping.void_job")
    return _decide(request, job_or_404(job_id), orphan_id, OrphanDecision.void)


def _decide(request: PageRequest, job: Job, orphan_id: int, decision: OrphanDecision) -> HttpResponseBase:
    orphan = open_orphan(job.pk, orphan_id)
    if orphan is None:
        messages.info(request, _("This charge is settled, or was never on the list: there is nothing to decide."))
        return redirect(_back(job))
    if request.method != "POST":
        return _ask(request, job, orphan, decision)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _ask(request, job, orphan, decision, refusal=form.problem())
    confirmation, reason = form.cleaned_data["confirmation"], form.cleaned_data["reason"]
    try:
        label = DECIDE[decision](orphan=orphan, confirmation=confirmation, actor=request.user, reason=reason)
    except Refused as refusal:
        return _refused(request, job, orphan, decision, f"{refusal} {_('Nothing has been changed.')}")
    if decision == OrphanDecision.adopt:
        said = _("Row %(number)s: the carrier confirmed the charge; its label %(tracking)s is recorded.")
    else:
        said = _("Row %(number)s: the label %(tracking)s is recorded, and its void is on its way.")
    messages.success(request, said % {"number": label.row.number, "tracking": label.tracking_number})
    return redirect(_back(job))


def _refused(
    request: PageRequest, job: Job, orphan: Orphan, decision: OrphanDecision, refusal: str
) -> HttpResponseBase:
    """The question anew with what is so now, or the list, where there is nothing to decide any more."""
    fresh = open_orphan(job.pk, orphan.pk)
    if fresh is None:
        messages.error(request, refusal)
        return redirect(_back(job))
    return _ask(request, job_or_404(job.pk), fresh, decision, refusal=refusal, status=409)


def _ask(
    request: PageRequest, job: Job, orphan: Orphan, decision: OrphanDecision, *, refusal: str = "", status: int = 200
) -> HttpResponse:
    plan = OrphanPlan.of(orphan, job)
    context: dict[str, Any] = {
        "job": job,
        "plan": plan,
        "orphan": orphan,
        "decision": decision.value,
        "refusal": refusal,
        "back": _back(job),
    }
    if not plan.obstacle:
        # A reason that was typed before a refusal still stands; the confirmation is of what is shown now.
        typed = {"reason": request.POST.get("reason", "")[:500].replace("\0", "")}
        context["form"] = ReasonForm(initial={**typed, "confirmation": confirm_orphan(orphan, job, decision)})
        context["sentences"] = plan.sentences(decision, void_until=_void_until(orphan))
    return render(request, "recovery/orphan.html", context, status=status)


def _void_until(orphan: Orphan) -> datetime | None:
    return end_of_voiding(orphan.account, orphan.carrier, orphan.bought_at) if orphan.bought_at else None


def _back(job: Job) -> str:
    """Where the list of such charges is: on the recovery page of a job that is interrupted, else on its desk."""
    name = "recovery:job" if JobService().condition(job) == Condition.interrupted else "recovery:review"
    return reverse(name, args=[job.pk]) + "#comparison"
