"""Measure the window that no software closes: from a worker's last look at the deadline to its purchase on the wire.

    python -m tests.dead.window [--purchases 300]

A process that is frozen inside it, for longer than due and quiet period, sends a purchase that others have given up and
sent again. It begins where `engine.wire.deliver` has decided that there is time enough, and ends when the operating
system has taken the bytes of the request that costs money. Prints median, 99th percentile and longest, in microseconds:
for a handle that is charged at most once, where the window does no harm, and for a purchase by reference, which makes
its shipment within it.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

SECONDS = 20.0


class Stopwatch:
    """Times from a worker's last look at the clock to the purchase on the wire, in microseconds, one for each."""

    def __init__(self) -> None:
        self.microseconds: list[float] = []
        self._began = threading.local()

    def begin(self) -> None:
        """The last look at the clock."""
        self._began.at = time.perf_counter()
        self._began.is_purchase = False

    def sent(self, piece: bytes) -> None:
        """What the operating system has taken from this thread: a request's head, then its body. Counted when the body
        of a purchase is gone, since before that nothing can be bought.
        """
        if getattr(self._began, "at", None) is None:
            return
        if self._began.is_purchase:
            self.microseconds.append((time.perf_counter() - self._began.at) * 1e6)
            self._began.at = None
        else:
            self._began.is_purchase = piece.startswith(b"POST ") and b"/buy HTTP/1.1" in piece[:200]


def attach(stopwatch: Stopwatch) -> None:
    """Have the product's wire and its HTTP library tell the stopwatch, in this process alone."""
    from shipping.engine import wire

    deliver: Callable[..., Any] = wire._deliver
    send = HTTPConnection.send

    def delivering(*arguments: Any) -> Any:
        stopwatch.begin()
        return deliver(*arguments)

    def sending(self: HTTPConnection, data: Any) -> None:
        send(self, data)
        if isinstance(data, bytes):
            stopwatch.sent(data)

    wire._deliver, HTTPConnection.send = delivering, sending  # type: ignore[method-assign, assignment]


def measure(carrier: str, purchases: int) -> list[float]:
    """Buy so many labels, one after the other, as a worker's thread does; the times in microseconds."""
    from dataclasses import replace

    from shipping.engine.letters import Claim
    from shipping.engine.wire import Sent, deliver
    from shipping.models.clock import local_seconds
    from tests.carriers.shipments import order

    stopwatch = Stopwatch()
    attach(stopwatch)
    for number in range(1, purchases + 1):
        wanted = replace(order(), reference=f"WINDOW-{carrier[-5:]}-{number:06d}")
        prepared = _prepared(carrier, wanted)
        claim = Claim(
            job_id=0,
            carrier=carrier,
            row_id=number,
            number=number,
            attempt=1,
            claim=1,
            handle=prepared.handle,
            order=wanted,
            details=prepared.details,
            deadline=local_seconds() + SECONDS,
        )
        answer = deliver(Sent(claim, claim.deadline))
        if isinstance(answer, Exception):
            raise answer
    return stopwatch.microseconds


def _prepared(carrier: str, wanted: Any) -> Any:
    from shipping.carriers.registry import get_carrier

    return get_carrier(carrier).prepare(wanted, timeout=SECONDS)


def told(times: list[float]) -> str:
    """Median, 99th percentile and longest of some times in microseconds."""
    percentile = statistics.quantiles(times, n=100, method="inclusive")[98]
    return (
        f"{len(times)} purchases: median {statistics.median(times):,.0f} µs, 99th percentile {percentile:,.0f} µs,"
        f" longest {max(times):,.0f} µs"
    )


def main() -> None:
    """Measure against a sandbox of its own and print; each carrier in turn, the first ten purchases not counted."""
    parser = argparse.ArgumentParser(prog="python -m tests.dead.window")
    parser.add_argument("--purchases", type=int, default=300, help="how many for each carrier (300)")
    purchases = parser.parse_args().purchases
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.support.adopting_settings"
    from tests.support.sandbox import SandboxProcess

    with tempfile.TemporaryDirectory() as directory, SandboxProcess(Path(directory) / "sandbox.sqlite3") as sandbox:
        os.environ["SANDBOX_URL"] = sandbox.url
        import django

        django.setup()
        from tests.support.by_reference import SENDS_AGAIN

        for name, carrier in (("exactly once", "sandbox"), ("adopt or ask", SENDS_AGAIN)):
            sys.stdout.write(f"{name}: {told(measure(carrier, purchases + 10)[10:])}\n")


if __name__ == "__main__":
    main()
