"""What is odd about an order without being wrong: told to a person before the money is spent, and no obstacle."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipping.orders.checks import CheckedRow, Seen
from shipping.orders.columns import SIZE_COLUMNS, Layout
from shipping.orders.errors import shown
from shipping.orders.places import squash
from shipping.orders.tables import Record
from shipping.orders.zip_prefixes import states_of

# UPS and FedEx take parcels of up to 150 lb; the Postal Service up to 70 (Domestic Mail Manual 601.3).
HEAVY_OUNCES = 150 * 16

_PO_BOX = re.compile(r"\b(?:p\.?\s*o\.?\s*box|post\s+office\s+box|postfach)\b", re.IGNORECASE)
# Carriers whose drivers can't deliver to a box inside a post office.
_NO_PO_BOXES = ("ups", "fedex", "dhl", "ontrac")
# Names of services as EasyPost's guides for these carriers write them; compared squashed, with or without carrier.
_SERVICES = {
    "usps": "First Priority Express GroundAdvantage ParcelSelect LibraryMail MediaMail FirstClassMailInternational"
    " FirstClassPackageInternationalService PriorityMailInternational ExpressMailInternational",
    "ups": "Ground UPSStandard UPSSaver Express ExpressPlus Expedited NextDayAir NextDayAirSaver NextDayAirEarlyAM"
    " 2ndDayAir 2ndDayAirAM 3DaySelect GroundSaver",
    "fedex": "FEDEX_GROUND GROUND_HOME_DELIVERY FEDEX_2_DAY FEDEX_2_DAY_AM FEDEX_EXPRESS_SAVER STANDARD_OVERNIGHT"
    " FIRST_OVERNIGHT PRIORITY_OVERNIGHT SMART_POST FEDEX_INTERNATIONAL_CONNECT_PLUS INTERNATIONAL_ECONOMY"
    " INTERNATIONAL_FIRST INTERNATIONAL_PRIORITY",
}
_KNOWN_SERVICES = frozenset(
    prefix + squash(name) for carrier, names in _SERVICES.items() for name in names.split() for prefix in ("", carrier)
)


class WarningKind(Enum):
    zip_restored = "zip_restored"
    zip_state = "zip_state"
    double_order = "double_order"
    heavy = "heavy"
    no_sizes = "no_sizes"
    po_box = "po_box"
    service = "service"


# What all warnings of a kind are called; kept with an upload, as its errors are.
WARNING_LABELS: dict[WarningKind, str | Promise] = {
    WarningKind.zip_restored: gettext_lazy("ZIP code restored from a number"),
    WarningKind.zip_state: gettext_lazy("State and ZIP code don’t match"),
    WarningKind.double_order: gettext_lazy("Same recipient and address as another row"),
    WarningKind.heavy: gettext_lazy("Unusually heavy"),
    WarningKind.no_sizes: gettext_lazy("No sizes"),
    WarningKind.po_box: gettext_lazy("Post office box"),
    WarningKind.service: gettext_lazy("Service name not known"),
}


@dataclass(frozen=True, slots=True)
class RowWarning:
    """One thing that is odd. `row` counts orders from 1, `line` lines of the file; `column` is the file's header."""

    row: int
    line: int
    column: str
    kind: WarningKind
    message: str


class RowWarner:
    """Looks at the orders of one file, in their order. Close it when done."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._recipients = Seen()
        self._has_sizes = any(column in layout.places for column in SIZE_COLUMNS)

    def close(self) -> None:
        self._recipients.close()

    def look(self, record: Record, row: CheckedRow) -> list[RowWarning]:
        """What is odd about an order that was checked."""
        found = [(place, WarningKind.zip_restored, remark) for place, remark in record.remarks.items()]
        warnings = [
            RowWarning(row.number, record.line, self._layout.headers[place], kind, message)
            for place, kind, message in found
        ]
        # What is wrong is said already; that it is odd, too, would say nothing more.
        wrong = {error.column for error in row.errors}
        if row.order:
            order = {column: value for column, value in row.order.items() if self._layout.header(column) not in wrong}
            warnings += [
                RowWarning(row.number, record.line, self._layout.header(column), kind, message)
                for column, kind, message in self._oddities(order, row.number)
            ]
        return warnings

    def _oddities(self, order: Mapping[str, str], number: int) -> Iterator[tuple[str, WarningKind, str]]:
        state, zip_code = order.get("to_state", ""), order.get("to_zip", "")
        states = states_of(zip_code) if order.get("to_country") == "US" else frozenset()
        if states and state and state not in states:
            there = _(" or ").join(sorted(states))
            yield (
                "to_zip",
                WarningKind.zip_state,
                _("ZIP code %(zip_code)s is in %(there)s, not in %(state)s.")
                % {"zip_code": shown(zip_code), "there": there, "state": shown(state)},
            )
        first = self._first_with_same_address(order, number)
        if first is not None and (order.get("to_name") or order.get("to_company")):
            message = _(
                "Row %(first)s goes to the same recipient at the same address. Is this order in the file twice?"
            ) % {"first": first}
            yield "to_name" if order.get("to_name") else "to_company", WarningKind.double_order, message
        ounces = float(order.get("weight", "0"))
        if ounces > HEAVY_OUNCES:
            message = _("This is %(pounds)s lb; no parcel carrier takes more than 150. Is the unit right?") % {
                "pounds": f"{ounces / 16:,.0f}"
            }
            yield "weight", WarningKind.heavy, message
        if self._has_sizes and not any(order.get(column) for column in SIZE_COLUMNS):
            yield "length", WarningKind.no_sizes, _("There are no sizes, so the carrier goes by the weight alone.")
        yield from self._about_the_service(order)

    def _about_the_service(self, order: Mapping[str, str]) -> Iterator[tuple[str, WarningKind, str]]:
        name = order.get("service", "")
        wanted = squash(name)
        street = f"{order.get('to_street1', '')} {order.get('to_street2', '')}"
        if wanted.startswith(_NO_PO_BOXES) and _PO_BOX.search(street):
            message = _("“%(name)s” may not deliver to a post office box.") % {"name": shown(name)}
            yield "to_street1", WarningKind.po_box, message
        if wanted and wanted not in _KNOWN_SERVICES:
            message = _(
                "This service name is not known here. Rows whose service the carrier does not offer are rejected."
            )
            yield "service", WarningKind.service, message

    def _first_with_same_address(self, order: Mapping[str, str], number: int) -> int | None:
        columns = ("to_name", "to_company", "to_street1", "to_street2", "to_city", "to_zip", "to_country")
        key = "|".join(" ".join(order.get(column, "").casefold().split()) for column in columns)
        return self._recipients.first_row(hashlib.sha256(key.encode()).hexdigest()[:32], number)
