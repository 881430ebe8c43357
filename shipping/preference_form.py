"""The form of what a person chooses for themselves."""

from collections import defaultdict

from django import forms
from django.utils.translation import gettext_lazy as _

from shipping.preferences import TIME_ZONES

# Names that a region begins; the others are old names of the same zones, or fixed offsets.
REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")

AT_ONCE = "at_once"


def _zones_by_region() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every zone under its region, as groups of a selection."""
    regions: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name in sorted(TIME_ZONES):
        region, _slash, place = name.partition("/")
        if region in REGIONS and place:
            regions[region].append((name, place.replace("_", " ").replace("/", ", ")))
    return list(regions.items())


class PreferenceForm(forms.Form):
    """The time zone of a person's pages, and what happens with a file that has no errors."""

    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        choices=[("", _("As my browser says")), ("UTC", "UTC"), *_zones_by_region()],
        help_text=_("Every date and time on your pages is shown in this zone."),
    )
    ships_at_once = forms.ChoiceField(
        label=_("When a file that I uploaded has no errors"),
        choices=[
            ("", _("Show me the preview; nothing is bought before I confirm it")),
            (AT_ONCE, _("Ship it at once, without asking me")),
        ],
        required=False,
        widget=forms.RadioSelect,
        help_text=_("Shipping at once spends money as soon as the file is checked."),
    )

    def clean_ships_at_once(self) -> bool:
        return bool(self.cleaned_data["ships_at_once"] == AT_ONCE)
