"""The page where the order of a row is corrected, with the carrier's own words beside the fields."""

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from recovery.carrier_words import words_by_column
from recovery.corrections import BadOrder, correct, require_correctable
from recovery.row_forms import OrderForm
from recovery.shown import put_as_shown
from shipping.models import Row
from shipping.services import FactsMoved, Refused
from shipping.views.access import PageRequest, page
from shipping.views.rows import row_or_404


@page("shipping.resolve_job")
def correct_order(request: PageRequest, job_id: int, number: int) -> HttpResponseBase:
    """Change the order of a row that failed or waits, with the carrier's own words beside the fields."""
    row = row_or_404(job_id, number)
    if request.method != "POST":
        return _ask_for_order(request, row, OrderForm.shown_with(row), refusal=_why_not(row))
    form = OrderForm(request.POST)
    if not form.is_valid() or not put_as_shown(row, form.cleaned_data["shown"]):
        return _ask_for_order(request, row, form, refusal=_("Please look at the row again."), refused=True)
    try:
        done = correct(row, form.order(), actor=request.user, reason=form.cleaned_data["reason"])
    except BadOrder as error:
        form.add_problems(error.problems)
        return _ask_for_order(request, row, form, refused=True)
    except FactsMoved as refusal:
        fresh = row_or_404(job_id, number)
        return _ask_for_order(
            request, fresh, OrderForm.shown_with(fresh), refusal=str(refusal), refused=True, status=409
        )
    except Refused as refusal:
        return _ask_for_order(request, row, form, refusal=str(refusal), refused=True)
    if done.found is not None:
        said = _("Row %(number)s was bought already, with its order as it was. The label %(tracking)s is recorded now.")
        messages.warning(request, said % {"number": number, "tracking": done.found.tracking_number})
    else:
        messages.success(request, _("Row %(number)s has its new order and will be bought.") % {"number": number})
    return redirect("shipping:row", job_id, number)


def _why_not(row: Row) -> str:
    try:
        require_correctable(row.job, row)
    except Refused as refusal:
        return str(refusal)
    return ""


def _ask_for_order(
    request: PageRequest, row: Row, form: OrderForm, *, refusal: str = "", refused: bool = False, status: int = 200
) -> HttpResponse:
    """The form, with why it was `refused` when it was sent; or why the order can't be changed, without a form."""
    words = words_by_column(row.error_code, row.error_message)
    for column in words.keys() & form.fields.keys():
        described = [f"{form[column].id_for_label}_error"] if column in form.errors else []
        described.append(f"{form[column].id_for_label}_carrier")
        form.fields[column].widget.attrs["aria-describedby"] = " ".join(described)
    fields = [(form[column], words.get(column, "")) for column in form.fields if column not in ("shown", "reason")]
    context = {
        "job": row.job,
        "row": row,
        "form": form,
        "address_fields": [each for each in fields if each[0].name.startswith("to_")],
        "parcel_fields": [each for each in fields if not each[0].name.startswith("to_")],
        "carrier_words": words.get("", ""),
        "refusal": refusal,
        "may_correct": not refusal or refused,
    }
    return render(request, "recovery/correct.html", context, status=status)
