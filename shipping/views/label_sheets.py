"""The labels of a job to print, in parts, and what was printed of them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shipping.export_forms import LabelsForm, SheetForm
from shipping.exports.label_pdf import make_label_pdf
from shipping.exports.label_sheets import (
    SHEET_LABELS,
    Choice,
    Sheet,
    newest_label,
    sheet_rows,
    sheets,
    unprintable_rows,
)
from shipping.exports.printing import Marked, mark_printed, mark_unprinted
from shipping.exports.row_ranges import BadRange, RowRanges
from shipping.models import Job
from shipping.views.access import PageRequest, job_or_404, page, whole_number
from shipping.views.results import file_name


@dataclass(frozen=True, slots=True)
class SheetLine:
    """A part as the page shows it: what its forms send, and the address of its PDF."""

    sheet: Sheet
    fields: dict[str, str]
    pdf: str


@page()
def label_sheets(request: PageRequest, job_id: int) -> HttpResponseBase:
    """The parts of all labels bought so far, of those not printed, of some rows or of ticked ones (`?row=3&row=4`)."""
    job = job_or_404(job_id)
    if "row" in request.GET:
        return _of_ticked_rows(request, job)
    form = LabelsForm(request.GET)
    if not form.is_valid():
        return render(request, "shipping/label_sheets.html", {"job": job, "form": form, "sent": {}})
    choice = form.choice(newest_label(job))
    sent = {name: request.GET[name] for name in ("only", "rows") if request.GET.get(name)}
    after = whole_number(request, "after") or 0
    found, more = sheets(job, choice, after)
    context = {
        "job": job,
        "form": form,
        "sent": sent,
        "only": request.GET.get("only", ""),
        "after": after,
        "lines": [_line(job, choice, sheet, sent) for sheet in found],
        "first_page": _address(job, sent),
        "next_page": _address(job, {**sent, "after": str(found[-1].last)}) if more else "",
        "all_fields": _fields(choice, sent, found[0].first, found[-1].last) if found else {},
        "unprinted": sum(sheet.unprinted for sheet in found),
        "unprintable": _unprintable(job, choice, found),
        "sheet_labels": SHEET_LABELS,
    }
    return render(request, "shipping/label_sheets.html", context)


def _of_ticked_rows(request: PageRequest, job: Job) -> HttpResponseBase:
    try:
        rows = str(RowRanges.parse(",".join(request.GET.getlist("row"))))
    except BadRange as error:
        messages.error(request, str(error))
        return redirect("shipping:label_sheets", job.pk)
    return redirect(_address(job, {"rows": rows}))


def _line(job: Job, choice: Choice, sheet: Sheet, sent: dict[str, str]) -> SheetLine:
    fields = _fields(choice, sent, sheet.first, sheet.last)
    return SheetLine(
        sheet=sheet, fields=fields, pdf=f"{reverse('shipping:label_sheet', args=[job.pk])}?{urlencode(fields)}"
    )


def _fields(choice: Choice, sent: dict[str, str], first: int, last: int) -> dict[str, str]:
    return {**sent, "first": str(first), "last": str(last), "up_to": str(choice.up_to)}


def _address(job: Job, sent: dict[str, str]) -> str:
    query = f"?{urlencode(sent)}" if sent else ""
    return f"{reverse('shipping:label_sheets', args=[job.pk])}{query}"


def _unprintable(job: Job, choice: Choice, found: list[Sheet]) -> list[Any]:
    """The first rows on this page whose label no PDF can hold, or not yet."""
    if not any(sheet.printable < sheet.labels for sheet in found):
        return []
    return unprintable_rows(job, choice, first=found[0].first, last=found[-1].last)


@page()
def label_sheet(request: PageRequest, job_id: int) -> HttpResponseBase:
    """One part as a PDF. The same address gives the same labels again, and changes nothing."""
    job = job_or_404(job_id)
    form = SheetForm(request.GET)
    if not form.is_valid():
        return redirect("shipping:label_sheets", job_id)
    first, last = form.cleaned_data["first"], form.cleaned_data["last"]
    rows = sheet_rows(job, form.shown_choice(), first=first, last=last)
    if not rows:
        messages.warning(request, _("No label of these rows is left to print in this choice."))
        return redirect("shipping:label_sheets", job_id)
    pdf = make_label_pdf(job, rows)
    name = file_name(
        f"{job.name} labels {rows[0].number}-{rows[:SHEET_LABELS][-1].number}", ".pdf", as_attachment=False
    )
    return FileResponse(pdf.file, content_type="application/pdf", headers={"Content-Disposition": name})


@page("shipping.change_job")
def mark(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Mark the labels of the parts that were shown as printed, or (`undo`) as not printed after all."""
    job = job_or_404(job_id)
    if request.method != "POST":
        return redirect("shipping:label_sheets", job_id)
    form = SheetForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("The form came without the labels that it was shown with. Please look again."))
        return redirect("shipping:label_sheets", job_id)
    choice = form.shown_choice()
    first, last = form.cleaned_data["first"], form.cleaned_data["last"]
    # At most a page of parts, each in a transaction of its own.
    parts = [(part.first, min(part.last, last)) for part in sheets(job, choice, first - 1)[0] if part.first <= last]
    who = request.user
    if "undo" in request.POST:
        _tell_unmarked(request, sum(mark_unprinted(job, choice, first=a, last=b, actor=who) for a, b in parts))
    else:
        _tell_marked(request, [mark_printed(job, choice, first=a, last=b, actor=who) for a, b in parts])
    sent = {name: request.POST[name] for name in ("only", "rows", "after") if request.POST.get(name)}
    return redirect(_address(job, sent))


def _tell_marked(request: PageRequest, marked: list[Marked]) -> None:
    labels, left_out = sum(each.labels for each in marked), sum(each.left_out for each in marked)
    if labels:
        said = ngettext("%(count)s label is marked as printed.", "%(count)s labels are marked as printed.", labels) % {
            "count": labels
        }
        messages.success(request, said)
    else:
        messages.info(request, _("No label was marked: they were marked already, or there is no file to print yet."))
    if left_out:
        said = ngettext(
            "%(count)s label is not marked, because its file can't be put into a PDF or is not here.",
            "%(count)s labels are not marked, because their files can't be put into a PDF or are not here.",
            left_out,
        ) % {"count": left_out}
        messages.warning(request, said)


def _tell_unmarked(request: PageRequest, labels: int) -> None:
    said = ngettext(
        "%(count)s label is marked as not printed.", "%(count)s labels are marked as not printed.", labels
    ) % {"count": labels}
    messages.success(request, said)
