"""System checks for settings that can't work together."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from shipping.carriers.registry import carrier_names, get_carrier


@register()
def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """A lease must outlast two requests and a wait for the database, else a healthy run would count as dead."""
    least = 2 * settings.REQUEST_TIMEOUT_SECONDS + settings.DATABASE_BUSY_SECONDS
    errors: list[CheckMessage] = []
    if settings.LEASE_SECONDS < least:
        errors.append(
            Error(
                f"LEASE_SECONDS is {settings.LEASE_SECONDS:g}, but must be at least {least:g}"
                " (2 × REQUEST_TIMEOUT_SECONDS + DATABASE_BUSY_SECONDS).",
                id="onceship.E001",
            )
        )
    if settings.HEARTBEAT_SECONDS * 2 > settings.LEASE_SECONDS:
        errors.append(
            Error(
                f"HEARTBEAT_SECONDS is {settings.HEARTBEAT_SECONDS:g}, but must be at most half of LEASE_SECONDS.",
                id="onceship.E002",
            )
        )
    if settings.DEFAULT_CARRIER not in settings.CARRIERS:
        errors.append(
            Error(
                f"DEFAULT_CARRIER is {settings.DEFAULT_CARRIER!r}, which is not configured; there is"
                f" {', '.join(settings.CARRIERS)}. (easypost needs EASYPOST_API_KEY.)",
                id="onceship.E003",
            )
        )
    return errors


@register()
def check_carriers(**_kwargs: Any) -> list[CheckMessage]:
    """Every configured carrier's adapter can be made: found out now, not when the first label is to be bought."""
    errors: list[CheckMessage] = []
    for name in carrier_names():
        try:
            get_carrier(name)
        except (ImportError, TypeError, ValueError) as error:
            errors.append(Error(f"The carrier {name!r} in CARRIERS can't be used: {error}", id="onceship.E005"))
    return errors
