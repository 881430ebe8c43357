"""Forms of the pages where orders come in: the upload and the sender's address."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.conf import settings
from django.forms.widgets import Input
from django.utils.translation import gettext_lazy as _

from shipping.carriers.registry import carrier_names
from shipping.models import Sender
from shipping.orders.addresses import ADDRESS_FIELDS, LONGEST
from shipping.orders.importer import LONGEST_NAME

STOP, GO_ON = "stop", "go_on"
PREVIEW, AT_ONCE = "preview", "at_once"


class UploadForm(forms.Form):
    """A file of orders and what is to become of it. What the file holds is judged where it is read."""

    file = forms.FileField(
        label=_("File of orders"),
        allow_empty_file=True,
        max_length=None,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
        error_messages={"required": _("Choose a file first."), "missing": _("Choose a file first.")},
    )
    name = forms.CharField(
        label=_("Name of the job (may be left out)"),
        required=False,
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Under this name you find it again. Left empty, it is the name of the file."),
    )
    carrier = forms.ChoiceField(label=_("Carrier"))
    at_rejected_row = forms.ChoiceField(
        label=_("When the carrier rejects a row"),
        choices=[
            (STOP, _("Stop there, so that somebody can look before more is bought")),
            (GO_ON, _("Set the row aside as failed and go on with the next")),
        ],
        initial=STOP,
        widget=forms.RadioSelect,
    )
    mode = forms.ChoiceField(
        label=_("When the file has no errors"),
        choices=[
            (PREVIEW, _("Show me a preview first; nothing is bought before I confirm it")),
            (AT_ONCE, _("Ship it at once, without asking me")),
        ],
        initial=PREVIEW,
        widget=forms.RadioSelect,
        help_text=_(
            "Remembered for your next file. Shipping at once spends money as soon as the file is checked; one that was"
            " imported before, or that shows signs of a costly mistake, is shown to you all the same."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = carrier_names()
        field = cast("forms.ChoiceField", self.fields["carrier"])
        field.choices = [(name, name) for name in names]
        field.initial = settings.DEFAULT_CARRIER if settings.DEFAULT_CARRIER in names else names[0]
        if len(names) == 1:
            field.widget = forms.HiddenInput()


def _input(field: str, *, required: bool = True, kind: type[Input] = forms.TextInput) -> Input:
    """The input of a part of an address. Every rule about its content is left to the address check, which has
    sentences of its own: so no form field is required, but its input says that it will be asked for.
    """
    return kind(
        attrs={"maxlength": str(LONGEST[field]), "autocomplete": "off"} | ({"required": True} if required else {})
    )


class SenderForm(forms.Form):
    """The address that parcels come from. `shown` is the sender that the page showed, empty for none."""

    shown = forms.CharField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(
        label=_("Name"),
        required=False,
        widget=_input("name"),
        help_text=_("A person or a department; it stands first on the label."),
    )
    company = forms.CharField(
        label=_("Company (may be left out)"), required=False, widget=_input("company", required=False)
    )
    street1 = forms.CharField(label=_("Street and number"), required=False, widget=_input("street1"))
    street2 = forms.CharField(
        label=_("Apartment, suite or floor (may be left out)"),
        required=False,
        widget=_input("street2", required=False),
    )
    city = forms.CharField(label=_("City"), required=False, widget=_input("city"))
    state = forms.CharField(
        label=_("State or province"),
        required=False,
        widget=_input("state", required=False),
        help_text=_("Needed in the United States and Canada: two letters, or the name."),
    )
    zip = forms.CharField(label=_("ZIP or postal code"), required=False, widget=_input("zip"))
    country = forms.CharField(
        label=_("Country"),
        required=False,
        widget=_input("country"),
        help_text=_("Two letters, such as US or CA, or the name."),
    )
    phone = forms.CharField(
        label=_("Phone"),
        required=False,
        widget=_input("phone", kind=forms.TelInput),
        help_text=_("Carriers call it when a parcel can't be delivered or picked up."),
    )
    email = forms.CharField(
        label=_("Email (may be left out)"),
        required=False,
        widget=_input("email", required=False, kind=forms.EmailInput),
    )

    @classmethod
    def shown_with(cls, sender: Sender | None) -> "SenderForm":
        """An unsent form that holds the current sender, so that one part of it can be changed."""
        if sender is None:
            return cls(initial={"country": "US"})
        return cls(initial={"shown": str(sender.pk), **{field: getattr(sender, field) for field in ADDRESS_FIELDS}})

    def address(self) -> dict[str, str]:
        """The address of a valid form by the names that `set_sender` takes."""
        return {field: self.cleaned_data[field] for field in ADDRESS_FIELDS}

    def seen_anew(self, sender: Sender | None) -> "SenderForm":
        """The same form as if it had been written beside this sender, so that it can be sent again."""
        return SenderForm({**self.address(), "shown": str(sender.pk) if sender else ""})

    def add_problems(self, problems: Mapping[str, str]) -> None:
        """Put sentences of the address check beside their fields."""
        for field, problem in problems.items():
            self.add_error(field, problem)
