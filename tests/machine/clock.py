"""A clock that only moves advance, in the place of the machine's and the database's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

from shipping.models import clock as real_clock


class Clock:
    """Seconds since a boot that never was; `CLOCK_BOOTTIME` stands for the one of the `time` module."""

    CLOCK_BOOTTIME = 7

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def clock_gettime(self, _which: int) -> float:
        """What `time.clock_gettime` would tell."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0, "time never goes back"
        self.seconds += seconds


@contextmanager
def stopped_clock() -> Iterator[Clock]:
    """Every reading of `local_seconds` and `book_now` is this clock's while the block lasts."""
    clock = Clock()
    # The books' line is counted from the boot, as on SQLite, whatever the database: a server's clock can't be stopped.
    anywhere = SimpleNamespace(vendor="a clock that is stopped")
    with (
        patch.object(real_clock, "time", clock),
        patch.object(real_clock, "connection", anywhere),
        patch.object(real_clock, "_boot_offset", lambda: 0.0),
    ):
        yield clock
