"""The forms of the choices. Each carries the confirmation of the facts it was shown with."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recovery.plans import RestartPlan, ResumePlan
from shipping.forms import ReasonForm

RETRY, SKIP = "retry", "skip"

# People may write 1,234 or 1 234 for 1234.
THOUSANDS_SEPARATORS = ",.'’ \u00a0\u202f"


class ResumeForm(ReasonForm):
    """Carrying on: what becomes of the row that stopped the job, and of other failed rows."""

    halting_row = forms.ChoiceField(
        label=gettext_lazy("The row at which it stopped"),
        choices=[(RETRY, gettext_lazy("Try it again")), (SKIP, gettext_lazy("Skip the failed row"))],
        widget=forms.RadioSelect,
        required=False,
    )
    retry_failed = forms.BooleanField(label=gettext_lazy("Also try all failed rows again"), required=False)

    @classmethod
    def shown_with(cls, plan: ResumePlan) -> "ResumeForm":
        """An unsent form for what the plan shows; it asks only what there is to ask."""
        form = cls(initial={"confirmation": plan.confirmation, "halting_row": RETRY}, auto_id="resume_%s")
        if plan.halted_row_number is None:
            del form.fields["halting_row"]
        if plan.failed_rows <= plan.retried_rows:
            del form.fields["retry_failed"]
        return form

    def options(self) -> dict[str, bool]:
        """What a valid form asks a resume for, beside carrying on."""
        return {
            "skip_failed_row": self.cleaned_data["halting_row"] == SKIP,
            "retry_failed": self.cleaned_data["retry_failed"],
        }


class RestartForm(ReasonForm):
    """Beginning again: the number of rows that will be bought again has to be typed."""

    void_first = forms.BooleanField(
        label=gettext_lazy("Void the old labels first"),
        required=False,
        help_text=gettext_lazy(
            "Each old label is given back before its row is bought again. Where the carrier refuses, the row keeps its"
            " old label and is not bought again."
        ),
    )
    typed_rows = forms.CharField(
        label=gettext_lazy("Type the number of rows that will be bought again"),
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={
            "required": gettext_lazy("Type the number of rows that will be bought again. Nothing has been changed."),
        },
    )

    field_order = ["confirmation", "void_first", "typed_rows", "reason"]

    def __init__(self, *args: Any, labelled_rows: int, **kwargs: Any) -> None:
        """`labelled_rows`: how many rows the person was shown as being bought again."""
        super().__init__(*args, **kwargs)
        self.labelled_rows = labelled_rows
        if not labelled_rows:
            del self.fields["typed_rows"]
            del self.fields["void_first"]

    @classmethod
    def shown_with(cls, plan: RestartPlan, sent: Mapping[str, str] | None = None) -> "RestartForm":
        """An unsent form for what the plan shows; it keeps how to restart and why from one that was `sent` before."""
        sent = sent or {}
        kept = {"void_first": "void_first" in sent, "reason": sent.get("reason", "")}
        return cls(initial={"confirmation": plan.confirmation, **kept}, labelled_rows=plan.labelled_rows)

    def clean_typed_rows(self) -> str:
        typed: str = self.cleaned_data["typed_rows"]
        digits = "".join(character for character in typed if character not in THOUSANDS_SEPARATORS)
        if digits != str(self.labelled_rows):
            self.fields["typed_rows"].widget.attrs["autofocus"] = True
            raise forms.ValidationError(
                _("You typed “%(typed)s”, but it is %(rows)s. Nothing has been changed.")
                % {"typed": typed, "rows": self.labelled_rows}
            )
        return typed
