"""The form of a decision about one row."""

from django import forms
from django.utils.translation import gettext_lazy

from recovery.shown import sign_row
from shipping.forms import REASON_HELP
from shipping.models import Row


class RowForm(forms.Form):
    """A decision about one row, bound to how the row was shown."""

    shown = forms.CharField(widget=forms.HiddenInput)
    decision = forms.ChoiceField(
        choices=[
            ("record_bought", gettext_lazy("It was bought: ask the carrier and record it")),
            ("send_again", gettext_lazy("It was not bought: buy it")),
            ("skip", gettext_lazy("Leave it out")),
        ],
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason (may be left out)"),
        required=False,
        max_length=500,
        help_text=REASON_HELP,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    @classmethod
    def shown_with(cls, row: Row) -> "RowForm":
        """An unsent form for a row as it is now."""
        return cls(initial={"shown": sign_row(row)}, auto_id=f"row_{row.number}_%s")
