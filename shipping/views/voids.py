"""Voiding single labels, and how the voids and refunds of a job stand."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from shipping.export_forms import VoidChosenForm, read_labels, sign_labels
from shipping.exports.row_ranges import BadRange, RowRanges
from shipping.models import Job, Label, Row
from shipping.models.label import LabelQuerySet
from shipping.services import Refused
from shipping.states import RefundState, RowStatus, VoidRequest
from shipping.views.access import PageRequest, go_to, job_or_404, page, read_number, whole_number
from shipping.views.label_lines import label_line
from shipping.views.labels import label_or_404
from shipping.views.paging import key_page
from shipping.voids import MOST_LABELS, void_chosen, voidable_labels

LABELS_ON_A_PAGE = 50
LABELS_NAMED = 20

# The state that the list is narrowed to: its name, and which labels of a job those are.
STATES = {
    "paid": (gettext_lazy("Paid for"), Q(voided_at__isnull=True, void_requested=VoidRequest.none)),
    # By their keys: in the order of the ids, all labels of the job would be gone through to find the few.
    "ordered": (gettext_lazy("Void ordered"), Q(pk__in=Label.objects.void_owed().order_by().values("pk"))),
    "submitted": (gettext_lazy("Refund asked for"), Q(voided_at__isnull=False, refund_state=RefundState.submitted)),
    "refunded": (gettext_lazy("Refunded"), Q(voided_at__isnull=False, refund_state=RefundState.refunded)),
    "refused": (gettext_lazy("Refund refused"), Q(refund_state=RefundState.refused)),
}


@page()
def void_list(request: PageRequest, job_id: int) -> HttpResponseBase:
    """All labels that were bought for a job, replaced ones too, with their cost and how their refund stands."""
    job = job_or_404(job_id)
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    labels = Label.objects.filter(job=job).select_related("row")
    if state:
        labels = labels.filter(STATES[state][1])
    after, before = whole_number(request, "after"), whole_number(request, "before")
    shown = key_page(labels, "pk", size=LABELS_ON_A_PAGE, after=after, before=before)
    context = {
        "job": job,
        "labels": shown,
        "lines": [label_line(label, label.row) for label in shown.items],
        "is_first_page": not after and before is None,
        "state": state,
        "states": [(name, words) for name, (words, _condition) in STATES.items()],
    }
    return render(request, "shipping/voids.html", context)


@page("shipping.void_job")
def void_label(request: PageRequest, label_id: int) -> HttpResponseBase:
    """Void one label, after saying what that does."""
    label = label_or_404(label_id)
    return _void(request, label.job, Label.objects.filter(pk=label.pk))


@page("shipping.void_job")
def void_selection(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Void the labels that were ticked (`?label=…`) or the current labels of some rows (`?rows=1-50,77`, `?row=3`)."""
    job = job_or_404(job_id)
    if not {"rows", "row"} & set(request.GET):
        ticked = [key for text in request.GET.getlist("label") if (key := read_number(text)) is not None]
        return _void(request, job, Label.objects.filter(job=job, pk__in=ticked[:MOST_LABELS]))
    try:
        rows = RowRanges.parse(",".join(request.GET.getlist("rows") + request.GET.getlist("row")))
    except BadRange as error:
        messages.error(request, str(error))
        return redirect("shipping:voids", job_id)
    # By the rows, which an index finds by their numbers; the labels themselves know no numbers.
    own = Row.objects.filter(rows.within("number"), job=job, status=RowStatus.completed).values("label")
    return _void(request, job, Label.objects.current().filter(pk__in=own))


def _void(request: PageRequest, job: Job, chosen: LabelQuerySet) -> HttpResponseBase:
    """Ask, or order what was asked for. What is ordered is bound to the labels that were shown, not to the address."""
    form = VoidChosenForm(request.POST or None)
    if request.method != "POST":
        return _confirm(request, job, chosen, VoidChosenForm())
    if not form.is_valid():
        return _confirm(request, job, chosen, form, refusal=form.problem())
    try:
        keys = read_labels(form.cleaned_data["confirmation"], job)
        labels = void_chosen(job.pk, keys, actor=request.user, reason=form.cleaned_data["reason"])
    except Refused as refusal:
        return _confirm(request, job, chosen, form, refusal=f"{refusal} {_('Nothing has been changed.')}")
    said = ngettext(
        "The void of %(count)s label is ordered: a worker asks the carrier.",
        "The voids of %(count)s labels are ordered: a worker asks the carrier.",
        len(labels),
    ) % {"count": len(labels)}
    messages.success(request, said)
    return go_to(request, "shipping:voids", job.pk)


def _confirm(
    request: PageRequest, job: Job, chosen: LabelQuerySet, form: VoidChosenForm, refusal: str = ""
) -> HttpResponseBase:
    voidable = voidable_labels(job).filter(pk__in=chosen.values("pk")).select_related("row").order_by("row_id", "pk")
    labels = list(voidable[: MOST_LABELS + 1])
    if not labels or len(labels) > MOST_LABELS:
        too_many = _("More than %(count)s labels can't be voided at once: name fewer rows.") % {"count": MOST_LABELS}
        none = _("There is nothing to void: the labels are voided already, or their void is on its way.")
        messages.warning(request, refusal or (too_many if labels else none))
        return go_to(request, "shipping:voids", job.pk)
    lines = [label_line(label, label.row) for label in labels]
    context: dict[str, Any] = {
        "job": job,
        "form": form,
        "confirmation": sign_labels(job, [label.pk for label in labels]),
        "refusal": refusal,
        "lines": lines[:LABELS_NAMED],
        "unnamed": max(0, len(lines) - LABELS_NAMED),
        "count": len(labels),
        "cents": sum(label.cost_cents for label in labels),
        "late": sum(line.is_late for line in lines),
        "currency": labels[0].currency,
    }
    return render(request, "shipping/void_chosen.html", context, status=409 if refusal else 200)
