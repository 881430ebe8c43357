"""System checks for settings that can't work together."""

import sqlite3
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db import connection

from shipping.carriers.registry import carrier_names, get_carrier

LEAST_SQLITE = (3, 35, 0)


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
def check_broker(**_kwargs: Any) -> list[CheckMessage]:
    """RabbitMQ takes a ticket back from a worker that has it for too long; a run has to hand over well before."""
    if settings.TASK_ENGINE != "celery":
        return []
    errors: list[CheckMessage] = []
    # Well before: the broker looks only once a minute.
    most = settings.BROKER_CONSUMER_TIMEOUT_SECONDS / 2
    longest = settings.RUN_SECONDS + settings.LEASE_SECONDS
    if longest > most:
        errors.append(
            Error(
                f"RUN_SECONDS + LEASE_SECONDS is {longest:g}, but must be at most {most:g} (half of"
                " BROKER_CONSUMER_TIMEOUT_SECONDS): a run has to hand over well before RabbitMQ takes its ticket back.",
                id="onceship.E006",
            )
        )
    if find_spec("celery") is None:
        errors.append(
            Error("TASK_ENGINE is celery, but Celery is not installed (requirements/celery.txt).", id="onceship.E007")
        )
    return errors


@register()
def check_sqlite(**_kwargs: Any) -> list[CheckMessage]:
    """The engine claims many rows in one UPDATE that returns them."""
    if connection.vendor != "sqlite" or sqlite3.sqlite_version_info >= LEAST_SQLITE:
        return []
    least = ".".join(map(str, LEAST_SQLITE))
    words = f"Python has SQLite {sqlite3.sqlite_version}, but must have {least} or newer; or use PostgreSQL."
    return [Error(words, id="onceship.E004")]


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
