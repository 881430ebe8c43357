"""The gate of a carrier in one process: every HTTP request to the carrier passes it, one at a time where there is a
limit, and none while the carrier has asked to be left alone (Retry-After).

The gate itself knows nothing of other processes. Whoever owns a connection to the database (`shipping.pace`) brings
permits and pauses that hold for all of them, and takes along what this process was told. With a limit and without
permits nothing passes. Times are in seconds since the machine booted, suspended time included.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from shipping.carriers.port import Unsent


def now() -> float:
    """The present moment on the gate's clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True, order=True)
class Permit:
    """One request may be sent, not before `opens` and not after `closes`. Unused, it just lapses."""

    opens: float
    closes: float


class Gate:
    """Safe to use from many threads at once."""

    def __init__(self, per_second: float | None = None) -> None:
        """`per_second`: how many requests all processes together may send over any second; None for no limit."""
        self.per_second = per_second
        self._permits: list[Permit] = []
        self._line: list[object] = []
        self._paused_until = 0.0
        self._told: float | None = None
        self._changed = threading.Condition()

    # --- For who sends ------------------------------------------------------------------------------------------

    def enter(self, at_most: float) -> float:
        """Wait until a request may be sent, for so many seconds at most; returns how many it took. Raises Unsent."""
        began = now()
        ends = began + at_most
        place = object()
        with self._changed:
            self._line.append(place)
            try:
                while (opens := self._opens(place, ends)) is not None:
                    self._changed.wait(opens - now())
            finally:
                self._line.remove(place)
                self._changed.notify_all()
        return now() - began

    def tell(self, seconds: float) -> None:
        """The carrier has asked to be left alone for so long: nothing more passes here, and the others have to hear."""
        until = now() + seconds
        with self._changed:
            self._paused_until = max(self._paused_until, until)
            self._told = max(self._told or 0.0, until)
            self._changed.notify_all()

    def _opens(self, place: object, ends: float) -> float | None:
        """When to look again, or None for a request that may be sent now. Raises Unsent. Under the lock."""
        moment = now()
        if self._paused_until > moment:
            if self._paused_until >= ends:
                raise Unsent(
                    "CARRIER_PAUSED",
                    f"The carrier has asked to be left alone for another {self._paused_until - moment:.0f} seconds.",
                    retry_after=self._paused_until - moment,
                )
            return self._paused_until
        if self.per_second is None:
            return None
        self._drop_lapsed(moment)
        first = self._line[0] is place
        if first and self._permits and self._permits[0].opens <= moment:
            self._permits.pop(0)
            return None
        if moment >= ends:
            raise Unsent("NO_PERMIT", "The limit of requests per second left no room for this one in time.")
        # Whoever passes, or gives up, has the others look again.
        return min(ends, self._permits[0].opens) if first and self._permits else ends

    # --- For who owns the database ------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many requests wait here."""
        return len(self._line)

    @property
    def free(self) -> int:
        """How many permits there are beyond those that requests wait for already; negative where too few are."""
        with self._changed:
            self._drop_lapsed(now())
            return len(self._permits) - len(self._line)

    @property
    def paused_for(self) -> float:
        """For how many seconds the carrier is still to be left alone; 0 when it is not."""
        return max(0.0, self._paused_until - now())

    @property
    def told(self) -> float | None:
        """Until when the carrier itself has asked this process to wait, where the others have not heard yet."""
        return self._told

    def passed_on(self, told: float) -> None:
        """The others can hear of it now."""
        with self._changed:
            if self._told == told:
                self._told = None

    def hear(self, paused_for: float) -> None:
        """For how long all are to leave the carrier alone, as the books say; 0 when they are not (any more)."""
        with self._changed:
            if self._told is None:
                self._paused_until = now() + paused_for if paused_for > 0 else 0.0
                self._changed.notify_all()

    def stock(self, permits: Iterable[Permit]) -> None:
        """Add permits."""
        with self._changed:
            self._permits = sorted([*self._permits, *permits])
            self._changed.notify_all()

    def _drop_lapsed(self, moment: float) -> None:
        while self._permits and self._permits[0].closes < moment:
            self._permits.pop(0)
