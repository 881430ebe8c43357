"""Forms of the pages about jobs. Each carries the facts that it was shown with."""

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

REASON_HELP = _("Kept in the job's history, with your name and the time.")


class ReasonForm(forms.Form):
    """A choice with its confirmation token and a reason that may be left out."""

    def problem(self) -> str:
        """What is wrong with the form as it was sent, in words for the person."""
        shown = [str(error) for name, errors in self.errors.items() if name != "confirmation" for error in errors]
        return " ".join(shown) or gettext(
            "The form came without the facts that it was shown with. Please look at the job again."
        )

    confirmation = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label=_("Reason (may be left out)"),
        required=False,
        max_length=500,
        strip=True,
        help_text=REASON_HELP,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class VoidForm(ReasonForm):
    """Voiding asks for one deliberate tick more."""

    agreed = forms.BooleanField(
        label=_("Yes, ask the carrier to void these labels"),
        error_messages={"required": _("Tick the box to have the labels voided. Nothing has been changed.")},
    )
