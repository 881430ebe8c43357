"""A worker process as what it remembers: its wire, the loop of its run, its wish to stop."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.db import OperationalError, transaction

from shipping.carriers.port import Purchase
from shipping.engine import books
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.letters import Claim
from shipping.engine.loop import RunLoop
from shipping.liveness import ProcessIdentity
from shipping.states import RunEnd
from tests.machine.couriers import Courier, StepWire

HOST = "the machine's"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A purchase that has left a process which then died: it is executed or lost before `until`, and answered to
    nobody. `until` is when its due and the quiet period are over.
    """

    claim: Claim
    until: float


class Worker:
    """One of the two. After a kill a new process takes its place under the same number."""

    def __init__(self, number: int, on_answer: Callable[[Courier], None]) -> None:
        self.number = number
        self.pid = 1000 * number
        self._on_answer = on_answer
        self._begin()

    def _begin(self) -> None:
        self.pid += 1
        self.frozen = False
        self.loop: RunLoop | None = None
        self.stopping = threading.Event()
        self.wire = StepWire(settings.SHIP_CONCURRENCY, self._on_answer)
        self.house = Housekeeper(self.wire)

    def __str__(self) -> str:
        return f"worker {self.number}"

    @property
    def run_id(self) -> int | None:
        return self.loop.run_id if self.loop else None

    def start(self, run_id: int) -> bool:
        """A ticket is brought (`engine.process.work`); true when its run has started."""
        run = books.start_run(run_id, ProcessIdentity(host=HOST, pid=self.pid, start_ticks=1))
        if run is not None:
            self.loop = RunLoop(run, self.wire, self.stopping)
        return run is not None

    def work(self) -> RunEnd | None:
        """One pass of `RunLoop.work`: a tick, its letters handed to the wire, and the run's end where it has come."""
        assert self.loop is not None
        self.loop._tick()
        reason = self.loop._reason_to_end()
        if reason is not None:
            self.loop._end(reason)
            self.loop = None
            self.stopping.clear()
        return reason

    def hear(self) -> None:
        """Collect what came back: into the run's inbox, or as an idle worker does, into the books."""
        if self.loop is None:
            self.house.file_answers()
        else:
            self.loop._collect()

    def purchases_in_memory(self) -> set[str]:
        """The ids of purchases that this process was told of and whose answers it holds."""
        replies = [*self.wire.replies_waiting(), *(self.loop.inbox if self.loop else ())]
        return {reply.outcome.purchase_id for reply in replies if isinstance(reply.outcome, Purchase)}

    def claims_under_way(self) -> Iterator[tuple[Claim, Courier | None]]:
        """Purchases that this process has still to send, and those that are at the carrier, with who brought them."""
        for letter in self.wire.letters_waiting():
            if isinstance(letter, Claim):
                yield letter, None
        for courier in self.wire.couriers:
            if isinstance(courier.letter, Claim):
                yield courier.letter, courier

    def kill(self, now: float) -> list[Orphan]:
        """SIGKILL; returns the purchases that are on their way all the same. One that hung in a frozen process past its
        quiet period had not left it.
        """
        ends = settings.QUIET_SECONDS
        orphans = [
            Orphan(claim, claim.deadline + ends)
            for claim, courier in self.claims_under_way()
            if courier is not None and now < claim.deadline + ends
        ]
        self.wire.kill()
        self._begin()
        return orphans


@contextmanager
def losing_the_commit(*, took_place: bool) -> Iterator[None]:
    """The database is lost during the COMMIT of the tick made inside: it took place, or it did not."""

    @contextmanager
    def lost() -> Iterator[None]:
        if not took_place:
            with transaction.atomic():
                yield
                raise OperationalError("The connection was lost.")
        with transaction.atomic():
            yield
        raise OperationalError("The connection was lost.")

    # Its decorators have long been made; only `tick` looks it up when it is called.
    stand_in: Any = SimpleNamespace(atomic=lost)
    with patch.object(books, "transaction", stand_in):
        yield
