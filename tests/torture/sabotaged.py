"""A worker with a known fault built in: `python -m tests.torture.sabotaged NAME`. The product knows nothing of it.

A comparison with the ledger that finds nothing proves something only when it finds these.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import django
from django.core.management import call_command


def drop_when_fenced() -> None:
    """A run that a choice has fenced throws its answers away and lets go of the rows."""
    books: Any = import_module("shipping.engine.books")
    from shipping.engine.settle import owes, settle_not_bought
    from shipping.models import Run
    from shipping.states import JobStatus

    settle = books.settle_purchase

    def dropping(job: Any, row: Any, attempt: int, claim: int, outcome: Any) -> None:
        is_current = Run.objects.filter(pk=row.run_id, epoch=job.epoch).exists()
        if job.status == JobStatus.running and is_current:
            settle(job, row, attempt, claim, outcome)
        elif owes(row, claim):
            settle_not_bought(job, row, "The run was fenced.")

    books.settle_purchase = dropping


def doubt_means_no() -> None:
    """A carrier that could not be asked is read as "not bought"."""
    from shipping.carriers.port import CarrierError

    books: Any = import_module("shipping.engine.books")

    settle = books.settle_finding

    def guessing(job: Any, row: Any, question: Any, outcome: Any, now: float) -> None:
        if isinstance(outcome, CarrierError):
            question, outcome = replace(question, asked=float("inf")), None
        settle(job, row, question, outcome, now)

    books.settle_finding = guessing


def retry_blindly() -> None:
    """The client sends a request again when its answer was lost, as HTTP libraries do when they are let."""
    from shipping.carriers.easypost_wire import CallFailed, Wire

    call = Wire.call

    def trying_twice(self: Any, request: Callable[[Any], object], *, timeout: float) -> Any:
        try:
            return call(self, request, timeout=timeout)
        except CallFailed as failure:
            if not failure.sent or (failure.status or 500) < 500:
                raise
            return call(self, request, timeout=timeout)

    Wire.call = trying_twice  # type: ignore[method-assign]


def believe_at_once() -> None:
    """ "Not bought" is believed while the purchase may still be on its way."""
    books: Any = import_module("shipping.engine.books")

    settle = books.settle_finding

    def hasty(job: Any, row: Any, question: Any, outcome: Any, now: float) -> None:
        settle(job, row, replace(question, asked=float("inf")), outcome, now)

    books.settle_finding = hasty


def forget_counters() -> None:
    """The counters are kept elsewhere than in the transaction that changes the rows: one in five changes is lost."""
    rows: Any = import_module("shipping.rows")

    count = rows.count_move
    changes = iter(range(10**9))

    def forgetting(job: Any, before: Any, after: Any, moved: int = 1) -> None:
        if next(changes) % 5:
            count(job, before, after, moved)

    rows.count_move = forgetting


SABOTAGES: dict[str, Callable[[], None]] = {
    each.__name__: each for each in (drop_when_fenced, doubt_means_no, retry_blindly, believe_at_once, forget_counters)
}

if __name__ == "__main__":
    django.setup()
    SABOTAGES[sys.argv[1]]()
    call_command("worker")
