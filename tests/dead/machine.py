"""What befalls a machine: alterations for `tests.support.altered`, and the wall clock of a child process."""

import select
import time
from collections.abc import Mapping
from pathlib import Path
from typing import SupportsIndex

from shipping.models import clock

# Debian's package `libfaketime`: it stands between a process and the C library's clocks.
LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


class WallClock:
    """The wall clock of child processes, which jumps when it is told to; all other clocks go on."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "wall-clock"
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """Put it so many seconds off the true time, at once and for all processes that go by it."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that have a process go by it."""
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def sleep_by_select() -> None:
    """libfaketime 0.9.10 refuses the call that Python sleeps by when it is to leave the monotonic clock alone."""

    def sleep(seconds: SupportsIndex | float) -> None:
        select.select([], [], [], float(seconds))

    time.sleep = sleep


def reboot(*, boot_id_file: str, booted_at: float) -> None:
    """Have this process live after a reboot: another boot id, and a CLOCK_BOOTTIME that began at `booted_at` (seconds
    of the true one).
    """
    read = time.clock_gettime

    def since_boot(which: int) -> float:
        return read(which) - booted_at if which == time.CLOCK_BOOTTIME else read(which)

    time.clock_gettime = since_boot
    clock.BOOT_ID_FILE = Path(boot_id_file)
