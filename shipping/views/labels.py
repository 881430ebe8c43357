"""A label's file, as the carrier gave it."""

import mimetypes

from django.contrib import messages
from django.http import FileResponse, Http404
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from shipping.labels import note_missing_file, open_label, store_outage
from shipping.models import Label
from shipping.outages import WORDS
from shipping.views.access import PageRequest, go_to, page


@page()
def label_file(request: PageRequest, label_id: int) -> HttpResponseBase:
    """Stream a label to print. Of one whose file is not here, the page says what becomes of it; nothing changes."""
    label = label_or_404(label_id)
    file = open_label(label)
    if file is None:
        outage = store_outage(label)
        context = {"label": label, "job": label.job, "outage": WORDS[outage] if outage else ""}
        return render(request, "shipping/label_missing.html", context, status=404)
    name = f"{label.job.reference(label.row.number, label.attempt)}{_suffix(label)}"
    return FileResponse(file, filename=name, content_type=mimetypes.guess_type(name)[0] or "application/octet-stream")


@page("shipping.change_job")
def fetch_label(request: PageRequest, label_id: int) -> HttpResponseBase:
    """Have a file that the storage has lost fetched from the carrier again, which costs nothing."""
    label = label_or_404(label_id)
    if request.method == "POST":
        if note_missing_file(label, actor=request.user):
            messages.success(request, _("A worker fetches the label's file from the carrier again."))
        else:
            messages.info(request, _("The label's file is here, or is being fetched already."))
    return go_to(request, "shipping:label", label_id)


def label_or_404(label_id: int) -> Label:
    """The label with its job and row. Raises Http404."""
    label = Label.objects.select_related("job", "row").filter(pk=label_id).first()
    if label is None:
        raise Http404(_("There is no label %(label_id)s.") % {"label_id": label_id})
    return label


def _suffix(label: Label) -> str:
    dot, suffix = str(label.file.name).rpartition(".")[1:]
    return f"{dot}{suffix}" if dot and suffix.isalnum() else ""
