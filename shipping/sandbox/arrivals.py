"""When requests arrived: the last ones of this process, in memory alone."""

import time
from collections import deque

_KEPT = 100_000


class Arrivals:
    """Safe to use from many threads at once. Times are in seconds since the machine booted."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_KEPT)

    def note(self) -> None:
        """A request has arrived."""
        self._times.append(time.clock_gettime(time.CLOCK_BOOTTIME))

    def all(self) -> dict[str, list[float]]:
        """When each of the last 100,000 requests arrived, the earliest first, under the name `arrivals`."""
        return {"arrivals": sorted(self._times.copy())}

    def forget(self) -> None:
        """Begin anew."""
        self._times.clear()
