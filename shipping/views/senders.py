"""The sender's page: where parcels come from, now and before."""

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from shipping.models import Sender
from shipping.order_forms import SenderForm
from shipping.orders.senders import SenderRefused, set_sender
from shipping.views.access import CHANGE, PageRequest, page, require_right, rights, whole_number

EARLIER_SENDERS = 20


@page()
def sender(request: PageRequest) -> HttpResponseBase:
    """Who may view jobs sees the sender; who may change them sets a new one."""
    if request.method != "POST":
        return _show(request)
    require_right(request.user, CHANGE)
    return _set(request)


def _set(request: PageRequest) -> HttpResponse:
    form = SenderForm(request.POST)
    if not form.is_valid():
        return _show(request, form=form, status=422)
    current = Sender.objects.current()
    if form.cleaned_data["shown"] != (str(current.pk) if current else ""):
        moved = _("The sender was changed while this page was open. It is shown below; what you wrote is still here.")
        return _show(request, form=form.seen_anew(current), refusal=moved, status=409)
    try:
        outcome = set_sender(**form.address())
    except SenderRefused as refused:
        form.add_problems(refused.problems)
        return _show(request, form=form, status=422)
    said = (
        _("The sender of all jobs to come is now %(sender)s. Jobs that are there keep theirs.")
        if outcome.changed
        else _("This is the sender already: %(sender)s. Nothing has been changed.")
    )
    messages.success(request, said % {"sender": outcome.sender})
    upload_id = whole_number(request, "upload")
    return redirect("shipping:sender") if upload_id is None else redirect("shipping:upload", upload_id)


def _show(
    request: PageRequest, *, form: SenderForm | None = None, refusal: str = "", status: int = 200
) -> HttpResponse:
    senders = list(Sender.objects.order_by("-pk")[: EARLIER_SENDERS + 2])
    current = senders[0] if senders else None
    context = {
        "current": current,
        "earlier": senders[1 : EARLIER_SENDERS + 1],
        "has_older": len(senders) > EARLIER_SENDERS + 1,
        "form": form or SenderForm.shown_with(current),
        "refusal": refusal,
        **rights(request),
        "upload_id": whole_number(request, "upload"),
    }
    return render(request, "shipping/sender.html", context, status=status)
