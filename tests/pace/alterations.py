"""Broken builds for `tests.support.altered`, so that the tests of the pace are seen to fail."""

import os
from typing import Any


def limit_counted_per_process() -> None:
    """Each process has the whole limit for itself."""
    from shipping import pace

    of_all = pace._lock

    def of_its_own(carrier: str) -> Any:
        return of_all(f"{carrier} {os.getpid()}")

    pace._lock = of_its_own


def retry_after_kept_to_oneself() -> None:
    """A Retry-After holds for the process alone that has heard it."""
    from shipping.carriers.gate import Gate

    hear = Gate.hear

    def hear_nothing(gate: Gate, paused_for: float) -> None:
        del paused_for
        hear(gate, gate.paused_for)

    setattr(Gate, "hear", hear_nothing)  # noqa: B010 (mypy knows no assignment to a method)
