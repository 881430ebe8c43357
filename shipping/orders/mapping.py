"""What a file's columns mean where their names don't tell: what people may choose, and what they chose before."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipping.models import RememberedMapping, Upload
from shipping.orders.columns import (
    COLUMNS,
    OFFERED_UNITS,
    HeaderMapping,
    Recognised,
    holds_units,
    lay_out,
    names_no_unit,
    recognise,
    target_of,
)
from shipping.orders.errors import OrderFileError
from shipping.orders.places import squash

_COLUMN_LABELS = {
    "reference": gettext_lazy("Order reference"),
    "to_name": gettext_lazy("Recipient’s name"),
    "to_company": gettext_lazy("Recipient’s company"),
    "to_street1": gettext_lazy("Street"),
    "to_street2": gettext_lazy("Street, second line"),
    "to_city": gettext_lazy("City"),
    "to_state": gettext_lazy("State or province"),
    "to_zip": gettext_lazy("ZIP or postal code"),
    "to_country": gettext_lazy("Country"),
    "to_phone": gettext_lazy("Phone"),
    "to_email": gettext_lazy("Email"),
    "length": gettext_lazy("Length"),
    "width": gettext_lazy("Width"),
    "height": gettext_lazy("Height"),
    "weight": gettext_lazy("Weight"),
    "service": gettext_lazy("Service"),
}
_UNIT_LABELS = {
    "oz": gettext_lazy("ounces"),
    "lb": gettext_lazy("pounds"),
    "g": gettext_lazy("grams"),
    "kg": gettext_lazy("kilograms"),
    "in": gettext_lazy("inches"),
    "cm": gettext_lazy("centimeters"),
    "mm": gettext_lazy("millimeters"),
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One header, what it is taken for (a target, or "" for “keep it, don't send it”), and the first orders' values.

    `recognised` says whether its name alone tells that; `note` is a sentence about what a person has to look at.
    """

    header: str
    target: str
    recognised: bool
    note: str = ""
    samples: tuple[str, ...] = ()


def choices() -> list[tuple[str, str]]:
    """Every target with its label, for a form."""
    found = [("", _("Keep it, don’t send it"))]
    for column in COLUMNS:
        label = str(_COLUMN_LABELS[column])
        units = OFFERED_UNITS.get(column, ())
        found += [
            (f"{column}:{unit}", _("%(column)s in %(unit)s") % {"column": label, "unit": _UNIT_LABELS[unit]})
            for unit in units
        ]
        if not units:
            found.append((column, label))
    return found


def problems(headers: Sequence[str], mapping: HeaderMapping) -> str:
    """What is missing or said twice in a mapping; empty when it can be used."""
    try:
        lay_out(headers, mapping, called=lambda column: f"“{_COLUMN_LABELS[column]}”")
    except OrderFileError as error:
        return str(error)
    return ""


def suggestions(upload: Upload) -> list[Suggestion]:
    """Each header of an upload with what it is taken for: by what was chosen, by what was chosen for a file that
    looks alike or begins like it, by its name.
    """
    by_name = presets(upload.headers)
    chosen = upload.mapping or remembered(upload.headers) or _remembered_beginning(upload.headers)
    taken = {_column_of(target) for target in chosen.values()}
    return [
        Suggestion(
            header=preset.header,
            target=chosen.get(preset.header, "" if _column_of(preset.target) in taken else preset.target),
            recognised=preset.recognised,
            note="" if upload.mapping else preset.note,
            samples=tuple(cells[place] if place < len(cells) else "" for cells in upload.sample),
        )
        for place, preset in enumerate(by_name)
    ]


def _column_of(target: str) -> str:
    """Our column, without the unit that the numbers in it are in."""
    return target.partition(":")[0]


def presets(headers: Sequence[str]) -> list[Suggestion]:
    """What the names of headers tell. Where another column gives units, a weight or size without a unit in its name
    is left to a person.
    """
    units_apart = any(map(holds_units, headers))
    taken: dict[str, str] = {}
    found = []
    for header in headers:
        recognised, note = _recognised(header)
        if recognised and recognised.column in taken:
            note = _("“%(header)s” is taken for this already.") % {"header": taken[recognised.column]}
            recognised = None
        elif recognised and units_apart and recognised.column in OFFERED_UNITS and names_no_unit(header):
            note = _("Another column gives units. Choose the unit that all of these numbers are in.")
            recognised = None
        if recognised:
            taken[recognised.column] = header
        target = target_of(recognised) if recognised else ""
        found.append(Suggestion(header=header, target=target, recognised=recognised is not None, note=note))
    return found


def _recognised(header: str) -> tuple[Recognised | None, str]:
    try:
        return recognise(header), ""
    except OrderFileError as error:
        return None, str(error)


def settled(headers: Sequence[str]) -> dict[str, str] | None:
    """The mapping that needs no person: all names tell, or the same was asked before. None when somebody has to say:
    always where a column gives units, since the next file with these headers may be in others.
    """
    units_apart = any(map(holds_units, headers))
    if not units_apart and (found := remembered(headers)) is not None:
        return found
    by_name = presets(headers)
    mapping = {preset.header: preset.target for preset in by_name}
    told = all(preset.recognised and not preset.note for preset in by_name)
    return mapping if told and not problems(headers, mapping) else None


def remembered(headers: Sequence[str]) -> dict[str, str] | None:
    """What was chosen the last time for a file with these headers, if that can still be used."""
    kept = RememberedMapping.objects.filter(signature=_signature(headers)).first()
    if kept is None or len(kept.targets) != len(headers):
        return None
    mapping = dict(zip(headers, kept.targets, strict=True))
    return None if problems(headers, mapping) else mapping


def _remembered_beginning(headers: Sequence[str]) -> dict[str, str]:
    """What was chosen for a file that had the first of these headers and no others: our results are such a file with
    more columns behind. Only a suggestion, since nobody said yet what the others mean.
    """
    beginnings = {_signature(headers[:length]): length for length in range(1, len(headers))}
    kept = RememberedMapping.objects.filter(signature__in=beginnings)
    longest = max(kept, key=lambda each: beginnings[each.signature], default=None)
    return {} if longest is None else dict(zip(headers, longest.targets, strict=False))


def remember(headers: Sequence[str], mapping: HeaderMapping, *, actor: User | None) -> None:
    """Keep what was chosen for the next file with these headers; the last choice wins."""
    RememberedMapping.objects.update_or_create(
        signature=_signature(headers),
        defaults={"targets": [mapping.get(header, "") for header in headers], "chosen_by": actor},
    )


def _signature(headers: Sequence[str]) -> str:
    """The same for files that look alike: the letters and digits of their headers, in order."""
    names = "\n".join(squash(header) or header.strip() for header in headers)
    return hashlib.sha256(names.encode()).hexdigest()
