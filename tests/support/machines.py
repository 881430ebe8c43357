"""Machines of their own, as far as a process can tell: namespaces of processes on this one. Inside, a process number
means another process than outside, so whether one of another machine lives is told by its beats alone.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.support.processes import ChildProcess

# Nobody but root may make them everywhere; where others may, they are root inside.
_AS_ROOT = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
_AS_OTHERS = [*_AS_ROOT, "--user", "--map-root-user"]
_NO_MACHINES = "no namespaces of processes (on Debian: util-linux, and the right to use unshare)"


@cache
def _command() -> list[str] | None:
    """What makes a machine here, if anything does."""
    for command in (_AS_ROOT, _AS_OTHERS):
        try:
            subprocess.run([*command, "true"], check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            continue
        return command
    return None


def need_machines() -> None:
    """Skip the test where there are no machines to be had, also in CI: the right to make them can't be installed."""
    if _command() is None:
        pytest.skip(_NO_MACHINES)


class ProcessElsewhere(ChildProcess):
    """A Python program on a machine of its own, which is switched off when the program is killed."""

    def __init__(self, arguments: Sequence[str], extra: Mapping[str, str], *, log: Path | None = None) -> None:
        """As with any child process."""
        super().__init__(arguments, extra, log=log)
        command = _command()
        assert command is not None, _NO_MACHINES
        self._command = [*command, *self._command]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself. What made its machine does not hand it on."""
        assert self.process is not None
        os.kill(_only_child(self.process.pid), number)


def _only_child(pid: int) -> int:
    """The process that another one has started, which takes a moment."""
    ends_at = time.monotonic() + 10
    while True:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        assert time.monotonic() < ends_at, "the machine did not start"
        time.sleep(0.02)
