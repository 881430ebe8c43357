"""The forms of decisions about rows, each bound to how the rows were shown."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recovery.corrections import CORRECTABLE
from recovery.review_many import ManyDecision
from recovery.shown import ShownList, ShownRow, read_list, read_row, sign_row
from shipping.forms import REASON_HELP
from shipping.models import Row
from shipping.orders.column_names import COLUMN_NAMES
from shipping.states import RowStatus

# Decisions about a row in review that may cost money when they are wrong.
COSTLY = frozenset({"send_again", "void_bought"})


def _reason(label: Any, *, required: bool) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        max_length=500,
        help_text=REASON_HELP,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Please say why: it is kept with the decision.")},
    )


class RowForm(forms.Form):
    """A decision about one row."""

    shown = forms.CharField(widget=forms.HiddenInput)
    decision = forms.ChoiceField(
        choices=[
            ("record_bought", gettext_lazy("It was bought: ask the carrier and record it")),
            ("void_bought", gettext_lazy("It was bought, but is not wanted: record it and void it")),
            ("send_again", gettext_lazy("It was not bought: buy it")),
            ("skip", gettext_lazy("Leave it out")),
        ],
    )
    tracking_number = forms.CharField(
        label=gettext_lazy("Tracking number (may be left out)"),
        required=False,
        max_length=100,
        help_text=gettext_lazy("The carrier is asked, and has to name the same one."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    reason = _reason(gettext_lazy("Reason"), required=False)

    @classmethod
    def shown_with(cls, row: Row) -> "RowForm":
        """An unsent form for a row as it is now."""
        form = cls(initial={"shown": sign_row(row)}, auto_id=f"row_{row.number}_%s")
        if row.status == RowStatus.needs_review:
            form.fields["reason"].help_text = _("Needed to buy it or to void it; kept in the job's history.")
        else:
            form.fields["reason"].label = _("Reason (may be left out)")
            form.fields["reason"].help_text = ""
        return form

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        shown = read_row(cleaned.get("shown", ""))
        in_review = shown is not None and shown.status == RowStatus.needs_review
        if in_review and cleaned.get("decision") in COSTLY and not cleaned.get("reason"):
            self.add_error("reason", _("Please say why: this may cost money, and the reason is kept with it."))
        return cleaned


class ManyForm(forms.Form):
    """One decision about rows that were ticked, or about all of a list."""

    TICKED, ALL = "ticked", "all"

    list = forms.CharField(widget=forms.HiddenInput)
    scope = forms.ChoiceField(choices=[(TICKED, ""), (ALL, "")])
    decision = forms.ChoiceField(choices=ManyDecision.choices)
    reason = _reason(gettext_lazy("Reason"), required=True)
    so_far = forms.CharField(widget=forms.HiddenInput, required=False)

    def shown_list(self) -> ShownList | None:
        """The list of a valid form; None for a forged note."""
        return read_list(self.cleaned_data["list"])

    def problem(self) -> str:
        """What is wrong with the form as it was sent, in words for the person."""
        return (
            " ".join(map(str, self.errors["reason"]))
            if "reason" in self.errors
            else _("Please look at the rows again.")
        )


def ticked_rows(notes: list[str]) -> list[ShownRow] | None:
    """The rows whose boxes were ticked; None when a note is forged."""
    rows = [read_row(note) for note in notes]
    return [row for row in rows if row is not None] if None not in rows else None


class OrderForm(forms.Form):
    """The order of one row, to be corrected. What is wrong with it, the checks of every order say."""

    shown = forms.CharField(widget=forms.HiddenInput)
    reason = _reason(gettext_lazy("Reason (may be left out)"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reason = self.fields.pop("reason")
        for column in CORRECTABLE:
            self.fields[column] = forms.CharField(
                label=str(COLUMN_NAMES[column]),
                required=False,
                max_length=1_000,
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )
        self.fields["reason"] = reason

    @classmethod
    def shown_with(cls, row: Row) -> "OrderForm":
        """An unsent form with the order as it is."""
        return cls(initial={"shown": sign_row(row), **{column: row.order.get(column, "") for column in CORRECTABLE}})

    def order(self) -> dict[str, str]:
        """The columns of a valid form."""
        return {column: self.cleaned_data[column] for column in CORRECTABLE}

    def add_problems(self, problems: Mapping[str, str]) -> None:
        """Put what the checks say beside the columns."""
        for column, sentence in problems.items():
            self.add_error(column if column in self.fields else None, sentence)
