"""A job, a carrier and a stopped clock for one play, and nothing left of them afterwards."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.db import transaction
from django.test import override_settings

from shipping import liveness
from shipping.carriers.registry import get_carrier
from shipping.engine import filing, housekeeping, sweep
from tests.factories import make_job
from tests.machine.carrier import MemoryCarrier
from tests.machine.clock import stopped_clock
from tests.machine.people import Play

# The product's defaults, but for limits that are small enough to be met: two runs for two rows, one purchase at a time
# in each, and the second question in vain is the last.
SETTINGS: dict[str, Any] = {
    "REQUEST_TIMEOUT_SECONDS": 20.0,
    "HEARTBEAT_SECONDS": 5.0,
    "LEASE_SECONDS": 45.0,
    "QUIET_SECONDS": 90.0,
    "SHIP_CONCURRENCY": 2,
    "RUNS_PER_JOB": 2,
    "ROWS_PER_RUN": 1,
    "RUN_SECONDS": 600.0,
    "HALT_AFTER_SECONDS": 300.0,
    "REVIEW_AFTER_QUESTIONS": 2,
}


@contextmanager
def stage(
    *, exactly_once: bool = True, send_again: bool = False, rows: int = 2, stop_on_error: bool = True
) -> Iterator[Play]:
    """A play with a job of so many rows that nobody has started, in a transaction that is rolled back at the end."""
    carriers = {
        "memory": {
            "ADAPTER": "tests.machine.carrier.MemoryCarrier",
            "OPTIONS": {"exactly_once": exactly_once, "send_again": send_again},
        }
    }
    gone: set[int] = set()
    with ExitStack() as stack:
        stack.enter_context(override_settings(CARRIERS=carriers, **SETTINGS))
        get_carrier.cache_clear()
        stack.callback(get_carrier.cache_clear)
        clock = stack.enter_context(stopped_clock())
        stack.enter_context(patch.object(liveness, "is_gone", lambda identity: identity.pid in gone))
        # One row at a time, so that anything may come between two.
        stack.enter_context(patch.object(sweep, "CHUNK_ROWS", 1))
        # Nobody has to be waited for here.
        stack.enter_context(patch.object(filing, "RETRY_SECONDS", 0.0))
        stack.enter_context(patch.object(housekeeping, "BREATH_SECONDS", 0.0))
        # What goes wrong on purpose need not be told.
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging.NOTSET)
        stack.enter_context(_undone())
        job = make_job(rows, carrier="memory", stop_on_error=stop_on_error)
        people = User.objects.create(username="clerk"), User.objects.create(username="colleague")
        carrier = get_carrier("memory")
        assert isinstance(carrier, MemoryCarrier)
        play = Play(job, people, carrier, clock, gone)
        stack.callback(play.close)
        yield play


@contextmanager
def _undone() -> Iterator[None]:
    """Everything inside is rolled back, so the database need not be made anew."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)
