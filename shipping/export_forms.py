"""Forms of the pages about labels and voids: which rows and labels are meant."""

from typing import Any

from django import forms
from django.core import signing
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipping.exports.label_sheets import Choice
from shipping.exports.row_ranges import BadRange, RowRanges
from shipping.forms import VoidForm
from shipping.models import Job
from shipping.refusals import FactsMoved

UNPRINTED = "unprinted"
VOID_SALT = "shipping.void_chosen"

_LARGEST_ROW = 2_147_483_647
_LARGEST_ID = 2**63 - 1


class LabelsForm(forms.Form):
    """Which labels of a job: all bought so far, those not printed, those of some rows."""

    only = forms.ChoiceField(
        label=gettext_lazy("Labels"),
        choices=[("", gettext_lazy("All that are bought")), (UNPRINTED, gettext_lazy("Those not yet printed"))],
        required=False,
        help_text=gettext_lazy("Voided and replaced labels are never among them."),
    )
    rows = forms.CharField(
        label=gettext_lazy("Only of these rows (may be left out)"),
        help_text=gettext_lazy("Row numbers and ranges, such as 1-50, 77."),
        required=False,
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "text"}),
    )

    def clean_rows(self) -> RowRanges | None:
        text: str = self.cleaned_data["rows"]
        if not text:
            return None
        try:
            return RowRanges.parse(text)
        except BadRange as error:
            raise forms.ValidationError(str(error)) from error

    def choice(self, up_to: int) -> Choice:
        """What a valid form chooses, of the labels up to that id."""
        chosen = self.cleaned_data
        return Choice(up_to=up_to, rows=chosen["rows"], unprinted=chosen["only"] == UNPRINTED)


class SheetForm(LabelsForm):
    """One part of a choice: from its first to its last row, with no label newer than what was shown."""

    up_to = forms.IntegerField(min_value=0, max_value=_LARGEST_ID, widget=forms.HiddenInput)
    first = forms.IntegerField(min_value=1, max_value=_LARGEST_ROW, widget=forms.HiddenInput)
    last = forms.IntegerField(min_value=1, max_value=_LARGEST_ROW, widget=forms.HiddenInput)

    def shown_choice(self) -> Choice:
        """The choice of a valid form, as it was shown."""
        return self.choice(self.cleaned_data["up_to"])


class VoidChosenForm(VoidForm):
    """Voiding exactly the labels that were shown; the reason has to be given."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=VoidForm.base_fields["reason"].help_text,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Write why the labels are voided. Nothing has been changed.")},
    )


def sign_labels(job: Job, keys: list[int]) -> str:
    """A token for the labels that were shown to be voided."""
    return signing.dumps({"job": job.pk, "labels": keys}, salt=VOID_SALT, compress=True)


def read_labels(token: str, job: Job) -> list[int]:
    """The labels of a token that was made for this job. Raises FactsMoved for any other."""
    try:
        shown: Any = signing.loads(token, salt=VOID_SALT)
    except signing.BadSignature:
        shown = {}
    if not isinstance(shown, dict) or shown.get("job") != job.pk:
        raise FactsMoved(_("The confirmation does not belong to what is shown. Please look at it again."))
    keys: list[int] = shown["labels"]
    return keys
