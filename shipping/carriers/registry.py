"""From a carrier's name in `settings.CARRIERS` to its adapter, made once per process."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from shipping.carriers.gate import Gate
from shipping.carriers.port import Carrier


class UnknownCarrier(ValueError):
    """No carrier of that name is configured."""


def carrier_names() -> list[str]:
    """The names of all configured carriers, in the order of the settings."""
    return list(settings.CARRIERS)


@cache
def get_carrier(name: str) -> Carrier:
    """The adapter of that name. Raises UnknownCarrier, and whatever an adapter raises that can't be made."""
    try:
        entry = settings.CARRIERS[name]
    except KeyError:
        known = ", ".join(carrier_names())
        raise UnknownCarrier(f"No carrier named {name!r} is configured; there is {known}.") from None
    limit = entry.get("MAX_REQUESTS_PER_SECOND", 0)
    if limit < 0:
        raise ValueError("MAX_REQUESTS_PER_SECOND must not be less than 0.")
    gate = Gate(limit or None)
    adapter: Carrier = import_string(entry["ADAPTER"])(**entry.get("OPTIONS", {}), gate=gate)
    return adapter


def gate_of(name: str) -> Gate:
    """The gate of the carrier of that name. Raises UnknownCarrier."""
    return get_carrier(name).gate
