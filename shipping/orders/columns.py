"""Which column of a file means what: canonical columns, the names that people use for them, and units."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from shipping.orders.errors import OrderFileError, shown
from shipping.orders.places import squash

ADDRESS_COLUMNS = (
    "to_name", "to_company", "to_street1", "to_street2", "to_city", "to_state", "to_zip", "to_country", "to_phone",
    "to_email",
)  # fmt: skip
SIZE_COLUMNS = ("length", "width", "height")
COLUMNS = ("reference", *ADDRESS_COLUMNS, *SIZE_COLUMNS, "weight", "service")

# Ounces in one of each unit. The avoirdupois ounce is 28.349523125 grams exactly (international yard and pound
# agreement of 1959).
_GRAMS_PER_OUNCE = Decimal("28.349523125")
WEIGHT_UNITS: Mapping[str, Decimal] = {
    **dict.fromkeys(("oz", "ozs", "ounce", "ounces"), Decimal(1)),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds"), Decimal(16)),
    **dict.fromkeys(("g", "gr", "gram", "grams", "gramme", "grammes"), 1 / _GRAMS_PER_OUNCE),
    **dict.fromkeys(("kg", "kgs", "kilo", "kilos", "kilogram", "kilograms", "kilogrammes"), 1000 / _GRAMS_PER_OUNCE),
}
# Inches in one of each unit: the inch is 2.54 centimetres exactly.
LENGTH_UNITS: Mapping[str, Decimal] = {
    **dict.fromkeys(("in", "inch", "inches"), Decimal(1)),
    **dict.fromkeys(("cm", "cms", "centimeter", "centimeters", "centimetre", "centimetres"), 1 / Decimal("2.54")),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1 / Decimal("25.4")),
}
_UNITS = {"weight": WEIGHT_UNITS, **dict.fromkeys(SIZE_COLUMNS, LENGTH_UNITS)}
# The units that a person may choose for a column, by the name that is kept.
OFFERED_UNITS = {"weight": ("oz", "lb", "g", "kg"), **dict.fromkeys(SIZE_COLUMNS, ("in", "cm", "mm"))}
# The headers of a file with what a person says they mean: a column, for weight and sizes with its unit (“weight:lb”),
# or "" for a column that is kept and not sent.
HeaderMapping = Mapping[str, str]
_NATIVE_UNITS = {"weight": gettext_lazy("ounces"), **dict.fromkeys(SIZE_COLUMNS, gettext_lazy("inches"))}
_INCH_MARKS = frozenset({'"', "″", "”", "''"})

# Every name below is compared squashed: letters and digits only, no case.
_RECIPIENT_PREFIXES = ("", "to", "shipto", "shipping", "recipient", "recipients", "delivery", "destination", "receiver")
_RECIPIENT_NAMES = {
    "to_name": "name fullname contact contactname attention attn person",
    "to_company": "company companyname organization organisation organizationname business businessname",
    "to_street1": "street street1 streetaddress streetaddress1 streetline1 address address1 addressline"
    " addressline1 addr addr1 line1",
    "to_street2": "street2 streetaddress2 streetline2 address2 addressline2 addr2 line2 apt apartment suite aptsuite",
    "to_city": "city cityname town citytown towncity locality",
    "to_state": "state statecode statename province provincecode region stateprovince provincestate stateorprovince"
    " stateregion stateprovinceregion stateprovincecode",
    "to_zip": "zip zipcode zip5 postal postalcode postcode zippostal zippostalcode postalzip postalzipcode zippostcode",
    "to_country": "country countrycode countryname countryregion",
    "to_phone": "phone phonenumber phoneno telephone telephonenumber tel mobile mobilephone mobilenumber cell"
    " cellphone contactphone contactnumber",
    "to_email": "email emailaddress mail contactemail",
}
_OTHER_NAMES = {
    "reference": "reference referencenumber referenceno ref refno order orderreference orderref ordernumber orderno"
    " ordernum orderid yourreference customerreference externalid",
    "to_name": "recipient shipto deliverto customer customername buyer buyername",
    "to_phone": "customerphone buyerphone",
    "to_email": "customeremail buyeremail",
    "service": "service servicename servicelevel servicetype shippingservice carrierservice mailclass",
}
_MEASURE_PREFIXES = ("", "parcel", "package", "pkg", "box", "total", "shipping", "shipment", "order", "gross")
_REMARKS = frozenset({"", "required", "optional", "mandatory"})
_UNIT_COLUMNS = frozenset(
    f"{what}{unit}"
    for what in ("weight", "mass", "size", "dimension", "dimensions", "dim", "dims", "length")
    for unit in ("unit", "units", "uom", "unitofmeasure")
) | {"unitofweight", "unitoflength", "measurementunit"}
_BRACKETED = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")


def _names() -> dict[str, str]:
    names = {squash(column): column for column in COLUMNS}
    for column, words in _RECIPIENT_NAMES.items():
        names |= {prefix + word: column for prefix in _RECIPIENT_PREFIXES for word in words.split()}
    for column, words in _OTHER_NAMES.items():
        names |= dict.fromkeys(words.split(), column)
    for column in ("weight", *SIZE_COLUMNS):
        names |= {prefix + column: column for prefix in _MEASURE_PREFIXES}
    return names


_COLUMN_BY_NAME = _names()


@dataclass(frozen=True, slots=True)
class Recognised:
    """A header's column, and by what its numbers are multiplied to be ounces or inches (1 for text columns)."""

    column: str
    factor: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one file. `places` tells for each canonical column where it stands, from 0; `extra` where
    the columns stand that fit nothing.
    """

    headers: tuple[str, ...]
    places: Mapping[str, int]
    factors: Mapping[str, Decimal]
    extra: tuple[int, ...]

    def header(self, column: str) -> str:
        """The file's own header of a canonical column; the column's name where the file has none."""
        place = self.places.get(column)
        return column if place is None else self.headers[place]


def holds_units(header: str) -> bool:
    """Whether a column gives the units of others, row by row."""
    return squash(header) in _UNIT_COLUMNS


def unit_factor(column: str, unit: str) -> Decimal | None:
    """By what a weight or size in this unit is multiplied to be ounces or inches; None for a unit that is not known."""
    return _UNITS[column].get(squash(unit))


def names_no_unit(header: str) -> bool:
    """Whether a header is the bare name of a column, so that a weight or size in it has a unit by custom only."""
    return squash(header) in _COLUMN_BY_NAME


def recognise(header: str) -> Recognised | None:
    """What a header means, or None for a column that fits nothing.

    Raises OrderFileError for a weight or size in a unit that is not known, and for a column that holds units:
    guessing would buy labels for the wrong weight.
    """
    brackets = [remark.strip() for remark in _BRACKETED.findall(header)]
    whole = squash(header)
    if holds_units(header):
        raise OrderFileError(
            _(
                "Column “%(header)s” gives units row by row, which is not read. Write all weights in one unit and"
                " all sizes in one unit, and name the units in the headers: “Weight (oz)”, “Length (in)”."
            )
            % {"header": shown(header)}
        )
    name = squash(_BRACKETED.sub(" ", header))
    column = _COLUMN_BY_NAME.get(name)
    if column in _UNITS:
        return Recognised(column, _bracketed_factor(header, column, brackets))
    if column and all(squash(remark) in _REMARKS for remark in brackets):
        return Recognised(column)
    if whole in _COLUMN_BY_NAME and _COLUMN_BY_NAME[whole] not in _UNITS:
        return Recognised(_COLUMN_BY_NAME[whole])
    return _with_unit_behind(whole)


def _bracketed_factor(header: str, column: str, brackets: Iterable[str]) -> Decimal:
    factor = Decimal(1)
    for remark in brackets:
        word = squash(remark)
        if remark in _INCH_MARKS and column in SIZE_COLUMNS:
            continue
        if word in _UNITS[column]:
            factor = _UNITS[column][word]
        elif remark and (word not in _REMARKS or not word):
            known = ", ".join(unit for unit in ("oz", "lb", "g", "kg", "in", "cm", "mm") if unit in _UNITS[column])
            raise OrderFileError(
                _(
                    "Column “%(header)s”: the unit “%(remark)s” is not known for it; there is %(known)s, and"
                    " without a unit %(native_unit)s."
                )
                % {
                    "header": shown(header),
                    "remark": shown(remark),
                    "known": known,
                    "native_unit": _NATIVE_UNITS[column],
                }
            )
    return factor


def _with_unit_behind(name: str) -> Recognised | None:
    """A weight or size whose unit follows without brackets: “Weight oz”, “length_in_cm”."""
    for column, units in _UNITS.items():
        before, found, unit = name.partition(column)
        if found and before in _MEASURE_PREFIXES:
            factor = units.get(unit) or units.get(unit.removeprefix("in"))
            if factor is not None:
                return Recognised(column, factor)
    return None


def target_of(recognised: Recognised) -> str:
    """What a header means, as it is kept in a mapping."""
    for unit in OFFERED_UNITS.get(recognised.column, ()):
        if _UNITS[recognised.column][unit] == recognised.factor:
            return f"{recognised.column}:{unit}"
    return recognised.column


def meaning_of(target: str) -> Recognised | None:
    """What a mapping says of a header; None for a column that is kept and not sent. Raises OrderFileError."""
    column, _colon, unit = target.partition(":")
    if not target:
        return None
    if column in COLUMNS and not unit:
        return Recognised(column)
    if unit in OFFERED_UNITS.get(column, ()):
        return Recognised(column, _UNITS[column][unit])
    raise OrderFileError(_("There is no column “%(target)s” to choose.") % {"target": shown(target)})


def told_apart(headers: Sequence[str]) -> list[str]:
    """The headers with a number behind each that was there before, so that each is a name of its own."""
    names: dict[str, int] = {}
    for header in headers:
        name, number = header, 1
        while name in names:
            number += 1
            name = f"{header} ({number})"
        names[name] = number
    return list(names)


def lay_out(headers: Sequence[str], mapping: HeaderMapping | None = None, called: Callable[[str], str] = str) -> Layout:
    """The layout of a file with these headers (trimmed, in order), by their names or by what a person says. `called`
    tells what the sentences of an error call a column.

    Raises OrderFileError naming everything that is wrong with them: two that mean the same, an unknown unit,
    missing columns.
    """
    problems: list[str] = []
    places: dict[str, int] = {}
    factors: dict[str, Decimal] = {}
    extra: dict[str, int] = {}
    for place, header in enumerate(headers):
        try:
            recognised = recognise(header) if mapping is None else meaning_of(mapping.get(header, ""))
        except OrderFileError as error:
            problems.append(str(error))
            continue
        if recognised is None:
            if header in extra:
                problems.append(
                    _("Two columns are called “%(header)s”; rename or remove one of them.") % {"header": shown(header)}
                )
            extra[header] = place
        elif recognised.column in places:
            other = headers[places[recognised.column]]
            both = {"other": shown(other), "header": shown(header), "column": called(recognised.column)}
            if mapping is None:
                rule = _("Columns “%(other)s” and “%(header)s” both mean %(column)s; rename or remove one of them.")
            else:
                rule = _("Columns “%(other)s” and “%(header)s” both mean %(column)s; choose it for one of them only.")
            problems.append(rule % both)
        else:
            places[recognised.column] = place
            factors[recognised.column] = recognised.factor
    problems += _missing(places, headers if mapping is None else (), called, quiet=bool(problems))
    if problems:
        raise OrderFileError(" ".join(problems))
    return Layout(tuple(headers), places, factors, tuple(extra.values()))


def _missing(
    places: Mapping[str, int], headers: Sequence[str], called: Callable[[str], str], *, quiet: bool
) -> list[str]:
    if not places and headers:
        if quiet:
            return []
        first = ", ".join(f"“{shown(header)}”" for header in headers[:5])
        unknown = _(
            "None of the columns in the first line is known (%(first)s). The first line must hold the column names,"
            " such as: to_name, to_street1, to_city, to_state, to_zip, weight."
        ) % {"first": first}
        return [unknown]
    wanted = ["to_street1", "to_city", "weight"]
    if "to_country" not in places:
        # Without a country every order goes to the United States, which can't do without these.
        wanted[2:2] = ["to_state", "to_zip"]
    missing = [called(column) for column in wanted if column not in places]
    if "to_name" not in places and "to_company" not in places:
        either = {"name": called("to_name"), "company": called("to_company")}
        missing.insert(0, _("%(name)s (or %(company)s)") % either)
    if not missing:
        return []
    named = {"columns": ", ".join(missing)}
    return [ngettext("Missing column: %(columns)s.", "Missing columns: %(columns)s.", len(missing)) % named]
