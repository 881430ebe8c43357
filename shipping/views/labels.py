"""A label's file, as the carrier gave it."""

import mimetypes

from django.http import FileResponse, Http404
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from shipping.labels import open_label
from shipping.models import Label
from shipping.views.access import PageRequest, page


@page()
def label_file(request: PageRequest, label_id: int) -> HttpResponseBase:
    """Stream a label to print; one whose file is not here is fetched again by a worker, and the page says so."""
    label = Label.objects.select_related("job", "row").filter(pk=label_id).first()
    if label is None:
        raise Http404(_("There is no label %(label_id)s.") % {"label_id": label_id})
    file = open_label(label)
    if file is None:
        return render(request, "shipping/label_missing.html", {"label": label, "job": label.job}, status=404)
    name = f"{label.job.reference(label.row.number, label.attempt)}{_suffix(label)}"
    return FileResponse(file, filename=name, content_type=mimetypes.guess_type(name)[0] or "application/octet-stream")


def _suffix(label: Label) -> str:
    dot, suffix = str(label.file.name).rpartition(".")[1:]
    return f"{dot}{suffix}" if dot and suffix.isalnum() else ""
