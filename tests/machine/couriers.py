"""What the threads of a wire's lanes do, one step at a time.

A letter is handed to its lane; a move lets a courier take it, who makes the wire's own last check of its deadline and
goes to the carrier (`engine.wire.deliver`); another move lets the carrier decide. Only one of all the threads ever goes
on at a time, so a play is the same each time.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shipping.engine.letters import FileOrder, Letter, RefundQuestion, Reply
from shipping.engine.wire import ERRAND_THREADS, Lane, Sent, Wire, deliver

PATIENCE_SECONDS = 30.0


class Killed(BaseException):
    """The process of this thread is gone. No `except Exception` of the product may catch it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has left its process: what for, under which handle (or purchase) and reference."""

    kind: str
    handle: str
    reference: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the carrier does with a request (a `carrier.Verdict`), and whether a frozen process had kept it back."""

    verdict: Any
    late: bool = False


class Courier(threading.Thread):
    """Carries one letter. `call` is set while its request waits at the carrier, `reply` once it is back."""

    def __init__(self, lane: "StepLane", sent: Sent) -> None:
        super().__init__(daemon=True)
        self.lane = lane
        self.sent = sent
        self.call: Call | None = None
        self.calls = 0
        self.reply: Reply | None = None
        self._ruling: Ruling | None = None
        self._stands_still = threading.Event()
        self._may_go_on = threading.Event()

    @property
    def letter(self) -> Letter:
        return self.sent.letter

    def run(self) -> None:
        try:
            self.reply = Reply(self.sent.letter, deliver(self.sent))
        except Killed:
            pass
        finally:
            self._stands_still.set()

    def set_out(self) -> None:
        """Check the deadline and go to the carrier, or come back at once."""
        self.start()
        self._wait()

    def go_on(self, ruling: Ruling) -> None:
        """The carrier has decided: come back with the answer (or, in a broken build, go there again)."""
        self._stands_still.clear()
        self._ruling, self.call = ruling, None
        self._may_go_on.set()
        self._wait()

    def kill(self) -> None:
        """End the thread wherever it stands."""
        if self.is_alive():
            self._ruling = None
            self._may_go_on.set()
            self.join(PATIENCE_SECONDS)

    def arrive(self, call: Call) -> Ruling:
        """Stand at the carrier until a move says what it does. Called in the thread."""
        self.call = call
        self.calls += 1
        self._stands_still.set()
        self._may_go_on.wait()
        self._may_go_on.clear()
        if self._ruling is None:
            raise Killed
        return self._ruling

    def _wait(self) -> None:
        if not self._stands_still.wait(PATIENCE_SECONDS):
            raise AssertionError(f"A courier with {self.sent.letter} did not stand still.")
        if self.reply is not None:
            self.lane.take_back(self)


# What the carrier answers to a person who asks in a page's own process, where nobody waits for a move.
_at_the_desk: list[Ruling] = []


def answer_at_the_desk(ruling: Ruling) -> None:
    """What the carrier says to those who ask it themselves from now on."""
    _at_the_desk[:] = [ruling]


def hand_over(kind: str, handle: str, reference: str) -> Ruling:
    """A request reaches the carrier; returns what it does with it, once a move has said so."""
    courier = threading.current_thread()
    if isinstance(courier, Courier):
        return courier.arrive(Call(kind, handle, reference))
    return _at_the_desk[0]


class StepLane(Lane):
    """A lane that keeps its letters until a move lets a courier take them. It counts like the real one."""

    def __init__(self, name: str, width: int, wire: "StepWire") -> None:
        super().__init__(name, width, wire._replies)
        self.wire = wire

    def send(self, letter: Letter, deadline: float) -> None:
        sent = Sent(letter, deadline)
        self._out[id(sent)] = sent
        self.wire.waiting.append((self, sent))

    def take_back(self, courier: Courier) -> None:
        """What a lane's thread does when the answer is there."""
        del self._out[id(courier.sent)]
        self._overdue.discard(id(courier.sent))
        self.wire.couriers.remove(courier)
        assert courier.reply is not None
        self.wire.note_answer(courier)
        self._replies.put(courier.reply)


class StepWire(Wire):
    """A process's wire: letters that `waiting` holds are committed and not checked yet; each of the `couriers` is at
    the carrier. `on_answer` hears of every answer that has come back to this process.
    """

    def __init__(self, purchases: int, on_answer: Callable[[Courier], None]) -> None:
        super().__init__(purchases)
        self.purchases = StepLane("purchase", purchases, self)
        self.errands = StepLane("errand", ERRAND_THREADS, self)
        self.waiting: list[tuple[StepLane, Sent]] = []
        self.couriers: list[Courier] = []
        self.note_answer = on_answer

    def send(self, letter: Letter) -> None:
        super().send(letter)
        if isinstance(letter, FileOrder | RefundQuestion):
            # Nothing hangs on when these are answered.
            self.let_go(len(self.waiting) - 1)

    def let_go(self, place: int) -> Courier:
        """A courier takes the letter at this place, checks its deadline, and goes to the carrier."""
        lane, sent = self.waiting.pop(place)
        courier = Courier(lane, sent)
        self.couriers.append(courier)
        courier.set_out()
        return courier

    def collect(self, timeout: float) -> list[Reply]:  # noqa: ARG002 (here nothing comes while one waits)
        return super().collect(0.0)

    @property
    def expects_answers(self) -> bool:
        # Housekeeping asks whether to wait; here, waiting brings nothing.
        return not self._replies.empty()

    def kill(self) -> None:
        """The process is gone: its threads end where they stand."""
        for courier in self.couriers:
            courier.kill()

    def letters_waiting(self) -> list[Letter]:
        """What is committed and not on its way yet, in the order in which it was sent."""
        return [sent.letter for _lane, sent in self.waiting]

    def replies_waiting(self) -> list[Reply]:
        """What came back and was not collected yet."""
        found = []
        while not self._replies.empty():
            found.append(self._replies.get())
        self.put_back(found)
        return found
