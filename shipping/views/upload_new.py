"""The way in for a file of orders: choosing it, and the files that were begun and wait for somebody."""

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render

from shipping.models import Sender, Upload
from shipping.order_forms import AT_ONCE, PREVIEW, STOP, UploadForm
from shipping.orders import uploads
from shipping.orders.errors import OrderFileError
from shipping.orders.workbooks import MOST_ORDERS
from shipping.preferences import preference_of, save_preference
from shipping.refusals import Refused
from shipping.views.access import CHANGE, PageRequest, page, require_right, rights

UNFINISHED_SHOWN = 10


@page()
def upload_new(request: PageRequest) -> HttpResponseBase:
    """Choose a file; below, the files that were begun and wait for somebody."""
    if request.method == "POST":
        require_right(request.user, CHANGE)
        return _receive(request)
    preference = preference_of(request.user)
    at_once = preference is not None and preference.ships_at_once
    return _choose_file(request, UploadForm(initial={"mode": AT_ONCE if at_once else PREVIEW}))


def _receive(request: PageRequest) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _choose_file(request, form, status=422)
    chosen = form.cleaned_data
    ships_at_once = chosen["mode"] == AT_ONCE
    try:
        upload = uploads.receive(
            chosen["file"],
            file_name=chosen["file"].name,
            actor=request.user,
            name=chosen["name"],
            carrier=chosen["carrier"],
            stop_on_error=chosen["at_rejected_row"] == STOP,
            ships_at_once=ships_at_once,
        )
    except (OrderFileError, Refused) as refused:
        form.add_error("file" if isinstance(refused, OrderFileError) else None, str(refused))
        return _choose_file(request, form, status=422)
    preference = preference_of(request.user)
    if ships_at_once != (preference is not None and preference.ships_at_once):
        zone = preference.time_zone if preference else ""
        save_preference(request.user, time_zone=zone, ships_at_once=ships_at_once)
    return redirect("shipping:upload", upload.pk)


def _choose_file(request: PageRequest, form: UploadForm, *, status: int = 200) -> HttpResponse:
    waiting = Upload.objects.unfinished().select_related("person").defer("report", "sample", "corrections", "mapping")
    context = {
        "form": form,
        "mine": waiting.filter(person=request.user)[:UNFINISHED_SHOWN],
        "others": waiting.exclude(person=request.user)[:UNFINISHED_SHOWN],
        "limit_bytes": settings.IMPORT_MAX_BYTES,
        "xlsx_rows": MOST_ORDERS,
        **rights(request),
        "has_sender": Sender.objects.exists(),
    }
    return render(request, "uploads/new.html", context, status=status)
