"""What a label costs at the sandbox carrier: the same parcel between the same places always costs the same."""

import math
from dataclasses import dataclass

from shipping.sandbox.checks import NO_RATES, street_says
from shipping.sandbox.values import JsonObject

CARRIER = "USPS"
CURRENCY = "USD"
HEAVIEST_OUNCES = 1120  # 70 lb, the most that USPS takes (Domestic Mail Manual 601.3)


@dataclass(frozen=True)
class Service:
    """One service: its price is a base, plus so much for each zone, plus so much for each pound begun; in cents."""

    name: str
    base: int
    per_zone: int
    per_pound: int
    delivery_days: int


@dataclass(frozen=True)
class Quote:
    """A price in cents for one service."""

    service: str
    cents: int
    delivery_days: int


SERVICES = (
    Service("Priority", base=665, per_zone=40, per_pound=40, delivery_days=2),
    Service("GroundAdvantage", base=405, per_zone=25, per_pound=30, delivery_days=4),
    Service("Express", base=2610, per_zone=160, per_pound=120, delivery_days=1),
)


def zone(from_zip: str, to_zip: str) -> int:
    """The distance as a number from 1 to 8, made from the first digits of the two ZIP codes."""
    return min(8, 1 + abs(int(from_zip[0]) - int(to_zip[0])))


def quotes(shipment: JsonObject) -> list[Quote]:
    """The prices for a checked shipment; none when `why_no_rates` has a reason."""
    if why_no_rates(shipment) is not None:
        return []
    distance = zone(shipment["from_address"]["zip"], shipment["to_address"]["zip"])
    pounds = math.ceil(shipment["parcel"]["weight"] / 16)
    return [
        Quote(
            service.name,
            service.base + service.per_zone * distance + service.per_pound * pounds,
            service.delivery_days,
        )
        for service in SERVICES
    ]


def why_no_rates(shipment: JsonObject) -> str | None:
    """Why no service carries a checked shipment, in the carrier's words, or None when at least one does."""
    if street_says(shipment["to_address"], NO_RATES):
        return "No service is available to this address."
    if {shipment["to_address"]["country"], shipment["from_address"]["country"]} != {"US"}:
        return "The sandbox carrier ships within the United States only."
    if shipment["parcel"]["weight"] > HEAVIEST_OUNCES:
        return "The parcel is heavier than 70 pounds."
    return None
