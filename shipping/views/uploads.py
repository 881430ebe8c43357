"""From a file of orders to a job, by one address: columns, errors, preview, and the button that spends the money.

Who may view jobs sees every upload, and who may change jobs can take over anybody's. A POST that comes too late
changes nothing, and the page comes back as it is now: with status 200 to htmx, and 409 to a plain form.
"""

import csv
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shipping.models import Sender, Upload
from shipping.orders import uploads
from shipping.orders.errors import OrderFileError
from shipping.orders.estimate import estimate
from shipping.services import JobService, Refused
from shipping.states import CHECKED_UPLOAD_STATUSES, MAPPABLE_UPLOAD_STATUSES, JobStatus, UploadStatus
from shipping.views.access import (
    CHANGE,
    PageRequest,
    go_to,
    page,
    read_number,
    require_right,
    rights,
    wants_fragment,
)
from shipping.views.live import nothing_new, version_of
from shipping.views.upload_parts import (
    WARNINGS_IN_FULL,
    chosen_columns,
    columns_of,
    corrected_cells,
    error_page,
    estimate_headline,
    estimate_of,
    estimated_total,
    how_it_stands,
)


@page()
def upload(request: PageRequest, upload_id: int) -> HttpResponseBase:
    """An upload as it stands. While work goes on its page looks again by itself, and is then led to the job."""
    found = upload_or_404(upload_id)
    if wants_fragment(request):
        if found.status == UploadStatus.imported and not found.ships_at_once:
            return go_to(request, "shipping:job", found.job_id)
        quiet = nothing_new(request, _version(found, _worker_alive(found)))
        if quiet is not None:
            return quiet
    return _show(request, found)


@page()
def columns(request: PageRequest, upload_id: int) -> HttpResponseBase:
    """Say what the columns of a file mean; on a file that was checked already, say it anew."""
    if request.method == "POST":
        require_right(request.user, CHANGE)
        return _set_columns(request, upload_or_404(upload_id))
    found = upload_or_404(upload_id)
    if found.status not in MAPPABLE_UPLOAD_STATUSES:
        return redirect("shipping:upload", upload_id)
    return _show_columns(request, found)


def _set_columns(request: PageRequest, found: Upload) -> HttpResponse:
    chosen = chosen_columns(found, request.POST)
    try:
        checked = uploads.set_mapping(found.pk, chosen, actor=request.user, revision=_sent_number(request, "revision"))
    except OrderFileError as refused:
        return _show_columns(request, found, chosen=chosen, refusal=str(refused), status=422)
    except Refused as refused:
        return _too_late(request, upload_or_404(found.pk), refusal=str(refused))
    messages.info(request, how_it_stands(checked))
    return redirect("shipping:upload", found.pk)


def _show_columns(
    request: PageRequest, found: Upload, *, chosen: dict[str, str] | None = None, refusal: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "upload": found,
        "columns": columns_of(found, chosen=chosen, show_all="all" in request.GET),
        "refusal": refusal,
        **rights(request),
    }
    return render(request, "uploads/columns.html", context, status=status)


@page()
def errors(_request: PageRequest, upload_id: int) -> HttpResponseBase:
    """The errors as a file, to be worked through beside the orders."""
    found = upload_or_404(upload_id)
    if found.status not in CHECKED_UPLOAD_STATUSES:
        return redirect("shipping:upload", upload_id)
    response = HttpResponse(
        # Excel takes a CSV for UTF-8 only by its mark.
        "\ufeff",
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="errors-of-upload-{found.pk}.csv"'},
    )
    csv.writer(response).writerows(uploads.error_lines(found))
    return response


@page(CHANGE)
def correct(request: PageRequest, upload_id: int) -> HttpResponseBase:
    """Take the corrected cells and have the file checked again."""

    def command(found: Upload) -> Upload:
        corrections = corrected_cells(found, request.POST)
        if not corrections:
            raise Refused(_("No value was changed. Correct at least one and check again."))
        return uploads.correct(found.pk, corrections, revision=_sent_number(request, "revision"))

    return _act(request, upload_id, command, how_it_stands)


@page(CHANGE)
def prices(request: PageRequest, upload_id: int) -> HttpResponseBase:
    """Ask the carrier for the prices of a sample. It buys nothing."""
    return _act(request, upload_id, lambda found: estimate(found.pk, actor=request.user), estimate_headline)


@page(CHANGE)
def confirm(request: PageRequest, upload_id: int) -> HttpResponseBase:
    """Make the job of what was shown, and start it when that was the button."""

    def command(found: Upload) -> Upload:
        shown = {name: _sent_number(request, name) for name in ("revision", "sender", "duplicate_of")}
        if shown["revision"] is None or (shown["sender"] is None and Sender.objects.exists()):
            raise Refused(_("The form came without what it was shown with. Please look at the file again."))
        return uploads.confirm(
            found.pk,
            actor=request.user,
            start=request.POST.get("start") == "1",
            revision=shown["revision"],
            skip_bad="skip_bad" in request.POST,
            duplicate_of=shown["duplicate_of"],
            sender_id=shown["sender"],
        )

    return _act(request, upload_id, command, how_it_stands)


@page(CHANGE)
def discard(request: PageRequest, upload_id: int) -> HttpResponseBase:
    """Throw an upload away with its file."""
    if request.method != "POST":
        return redirect("shipping:upload", upload_or_404(upload_id).pk)
    try:
        gone = uploads.discard(upload_or_404(upload_id).pk)
    except Refused as refused:
        return _too_late(request, upload_or_404(upload_id), refusal=str(refused))
    messages.success(request, _("“%(name)s” is discarded. Nothing was bought.") % {"name": gone.file_name})
    return go_to(request, "shipping:upload_new")


# --- Parts -----------------------------------------------------------------------------------------------


def upload_or_404(upload_id: int) -> Upload:
    """The upload with who uploaded it and its job. Raises Http404."""
    found = Upload.objects.select_related("person", "job", "confirmed_by").filter(pk=upload_id).first()
    if found is None:
        raise Http404(_("There is no upload %(upload_id)s.") % {"upload_id": upload_id})
    return found


def _act(
    request: PageRequest,
    upload_id: int,
    command: Callable[[Upload], Upload],
    said: Callable[[Upload], str],
) -> HttpResponseBase:
    """Carry a command out; on to the job once there is one, else back to the upload as it stands now, with what is
    to be `said` of it.
    """
    found = upload_or_404(upload_id)
    if request.method != "POST":
        return redirect("shipping:upload", upload_id)
    try:
        after = command(found)
    except Refused as refused:
        return _too_late(request, upload_or_404(upload_id), refusal=str(refused))
    if after.status == UploadStatus.imported:
        messages.success(request, _what_was_made(after))
        return go_to(request, "shipping:job", after.job_id)
    messages.info(request, said(after))
    return _show(request, upload_or_404(upload_id)) if request.htmx else redirect("shipping:upload", upload_id)


def _too_late(request: PageRequest, found: Upload, *, refusal: str) -> HttpResponse:
    """A refused click: on to the job where one has been made of the file meanwhile, else what is true now."""
    if found.status not in (UploadStatus.importing, UploadStatus.imported):
        return _show(request, found, refusal=refusal)
    messages.warning(request, _("A job is made of this file already. Your click changed nothing."))
    if found.status == UploadStatus.imported:
        return go_to(request, "shipping:job", found.job_id)
    return go_to(request, "shipping:upload", found.pk)


def _what_was_made(done: Upload) -> str:
    job = JobService().get_job(done.job_id) if done.job_id else None
    if job is None:
        return ""
    made = ngettext(
        "“%(name)s” is made of %(rows)s row of the file.",
        "“%(name)s” is made of %(rows)s rows of the file.",
        job.total_rows,
    ) % {"name": job.name, "rows": intcomma(job.total_rows)}
    if job.status != JobStatus.pending:
        return f"{made} {_('It was started: its labels are being bought.')}"
    return f"{made} {_('It is not started: nothing is bought until somebody presses Start.')}"


def _sent_number(request: PageRequest, name: str) -> int | None:
    return read_number(request.POST.get(name, ""))


def _worker_alive(found: Upload) -> bool:
    return not found.is_working or JobService().worker_alive()


def _version(found: Upload, worker_alive: bool) -> str:
    return version_of(found.version, found.waits_for_worker, worker_alive)


def _show(request: PageRequest, found: Upload, *, refusal: str = "") -> HttpResponse:
    worker_alive = _worker_alive(found)
    context: dict[str, Any] = {
        "upload": found,
        "here": reverse("shipping:upload", args=[found.pk]),
        "version": _version(found, worker_alive),
        "worker_alive": worker_alive,
        "state": f"uploads/states/{found.status}.html",
        **rights(request),
        "refusal": refusal,
        "what_was_made": _what_was_made(found) if found.status == UploadStatus.imported else "",
    }
    if found.status == UploadStatus.needs_mapping:
        context["columns"] = columns_of(found, show_all="all" in request.GET)
    if found.status in CHECKED_UPLOAD_STATUSES:
        context |= _checked(request, found)
    if wants_fragment(request):
        return render(request, "uploads/upload_fragment.html", {**context, "with_messages": True})
    return render(request, "uploads/upload.html", context, status=409 if refusal else 200)


def _checked(request: PageRequest, found: Upload) -> dict[str, Any]:
    """What is known of a file that was checked, and what shipping it would mean."""
    report = found.report
    return {
        "errors": error_page(found, request.GET.get("errors")),
        "error_count": report["error_count"],
        "warning_kinds": report["warning_kinds"],
        "warnings": report["warnings"][:WARNINGS_IN_FULL],
        "warning_count": report["warning_count"],
        "notices": report["notices"],
        "preview": uploads.preview(found),
        "duplicate": uploads.duplicate_now(found),
        "estimate": estimate_of(found),
        "estimated_total": estimated_total(found),
        "sender": Sender.objects.current(),
    }
