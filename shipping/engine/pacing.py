"""How much of what could be sent now may be sent: the carrier's pace, as the engine keeps it."""

from dataclasses import replace
from functools import cache

from shipping.carriers.gate import Gate
from shipping.carriers.port import Unavailable
from shipping.engine.books import Wishes
from shipping.models.clock import local_seconds
from shipping.pace import attend, gate_or_open

# The books are asked no more often than this, for permits and for what others were told.
LOOK_EVERY_SECONDS = 0.1


class Pacer:
    """One carrier's pace in this process. For the thread that owns the database."""

    def __init__(self, carrier: str) -> None:
        self.carrier = carrier
        # Nothing more may be sent before (`local_seconds()`).
        self.again_at = 0.0
        # Whether the time for which the carrier asked to be left alone has just ended, or was lifted by a person.
        self.resumes = False
        self._paused = False
        self._drawn_at = 0.0
        self._favours_errands = False

    def keep(self) -> None:
        """Pass on what the carrier has said, and get permits for what waits at the gate."""
        gate = gate_or_open(self.carrier)
        if gate.told is not None or (gate.waiting and self._may_draw()):
            self._attend(0)

    def allow(self, wishes: Wishes) -> Wishes:
        """As much of the wishes as the carrier may be asked now. Raises what the database raises; then nothing."""
        asks = len(wishes.ready) + wishes.preparations + wishes.errands
        gate = gate_or_open(self.carrier)
        if not asks:
            self.keep()
            self._note_pause(gate)
            return wishes
        if gate.told is not None or self._may_draw():
            gate = self._attend(asks)
        self.again_at = 0.0
        self._note_pause(gate)
        if gate.paused_for:
            self.again_at = local_seconds() + gate.paused_for
            return Wishes(turn_over=wishes.turn_over)
        if gate.per_second is None:
            return wishes
        if gate.free < asks:
            self.again_at = self._drawn_at + LOOK_EVERY_SECONDS
        return self._share(max(0, gate.free), wishes)

    def pause_of(self, seconds: float) -> Unavailable | None:
        """The error that the carrier is to be left alone for so many seconds or longer; None when it is not."""
        left = gate_or_open(self.carrier).paused_for
        if left < seconds:
            return None
        return Unavailable(
            "CARRIER_PAUSED",
            f"The carrier has asked to be left alone for another {max(1, round(left / 60))} minutes.",
            retry_after=left,
        )

    def _note_pause(self, gate: Gate) -> None:
        paused = gate.paused_for > 0
        self.resumes = self._paused and not paused
        self._paused = paused

    def _may_draw(self) -> bool:
        return local_seconds() >= self._drawn_at + LOOK_EVERY_SECONDS

    def _attend(self, asks: int) -> Gate:
        self._drawn_at = local_seconds()
        return attend(self.carrier, asks)

    def _share(self, permits: int, wishes: Wishes) -> Wishes:
        """Purchases first, what is prepared being good for a while only; then errands and preparations, half each."""
        ready = wishes.ready[:permits]
        left = permits - len(ready)
        self._favours_errands = not self._favours_errands
        half = (left + self._favours_errands) // 2
        errands = min(wishes.errands, max(half, left - wishes.preparations))
        return replace(wishes, ready=ready, errands=errands, preparations=min(wishes.preparations, left - errands))


@cache
def pacer_of(carrier: str) -> Pacer:
    """The process's pacer of a carrier."""
    return Pacer(carrier)
