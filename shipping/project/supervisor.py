"""Starts the processes of a site on one's own machine, and ends every one of them, whatever happens. No Django."""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STEP_SECONDS = 0.1
STANDARD_INPUT = 0
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2), Linux only
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class StopRequested(Exception):
    """Somebody pressed Ctrl-C, closed the terminal or asked us to end."""


class SiteError(Exception):
    """The site can't be started or carried on; the message is one line for the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process that the supervisor started; what it writes goes to `log`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def how_it_ended(self) -> str:
        """One line about a child that is no more: its name, how it ended and the last line it wrote."""
        code = self.process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        lines = self._last_words().strip().splitlines()
        return f"The {self.name} (pid {self.pid}) {how}; see {self.log}" + (f" ({lines[-1]})" if lines else "")

    def _last_words(self) -> str:
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            return file.read().decode(errors="replace")


class Supervisor:
    """A context in which children run. Leaving it ends them all: the one started last first, each by its own id.

    SIGINT, SIGTERM, SIGHUP and a closed terminal don't interrupt anything at once: they raise StopRequested from the
    next `pause` or `wait`, so that no child gets lost between its start and being written down. A second signal while
    the children are being ended cuts their grace short. Should the supervisor itself be killed, the kernel tells the
    children; under `make`, it tells the supervisor when make is killed (Linux).
    """

    def __init__(self, *, working_directory: Path, logs: Path, grace_seconds: float) -> None:
        """`grace_seconds`: how long a child may take to end after SIGTERM before it gets SIGKILL."""
        self._working_directory = working_directory
        self._logs = logs
        self._grace_seconds = grace_seconds
        self._children: list[Child] = []
        self._signals = 0
        self._terminal = select.poll()

    def __enter__(self) -> Self:
        survives_the_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup
        for number in STOP_SIGNALS:
            if number != signal.SIGHUP or not survives_the_terminal:
                signal.signal(number, self._note_signal)
        if os.isatty(STANDARD_INPUT) and not survives_the_terminal:
            # A terminal that is closed sends SIGHUP to its first process only, and that may be a make that waits
            # for us without a word: so we look ourselves.
            self._terminal.register(STANDARD_INPUT, 0)
        if "MAKELEVEL" in os.environ:
            _end_with_parent(os.getppid())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signals_before = self._signals
        for child in reversed(self._children):
            self._end(child, signals_before)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start a child in a session of its own, so that the terminal's Ctrl-C reaches the supervisor alone."""
        self._logs.mkdir(parents=True, exist_ok=True)
        path = self._logs / f"{name}.log"
        with path.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self._working_directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(_end_with_parent, os.getpid()),  # noqa: PLW1509  (it makes a system call and takes no lock)
            )
        child = Child(name=name, process=process, log=path)
        self._children.append(child)
        return child

    def kill(self, child: Child) -> None:
        """SIGKILL (kill -9), and wait until the process is gone."""
        child.process.kill()
        child.process.wait(timeout=10)
        self._children.remove(child)

    def take_ended(self) -> list[Child]:
        """The children that ended by themselves since this was asked last."""
        ended = [child for child in self._children if child.process.poll() is not None]
        for child in ended:
            self._children.remove(child)
        return ended

    def pause(self, seconds: float) -> None:
        """Sleep for so long. Raises StopRequested."""
        until = time.monotonic() + seconds
        while True:
            if self._signals or self._terminal.poll(0):
                raise StopRequested
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, STEP_SECONDS))

    def wait(self, condition: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait until the condition holds.

        Raises StopRequested, or SiteError when a child ends meanwhile or the condition does not hold in time
        (`what` names it in the message).
        """
        until = time.monotonic() + seconds
        while not condition():
            for child in self.take_ended():
                raise SiteError(child.how_it_ended())
            if time.monotonic() > until:
                raise SiteError(f"Waited {seconds:g} seconds for {what}, in vain; see {self._logs}")
            self.pause(STEP_SECONDS)

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _end(self, child: Child, signals_before: int) -> None:
        process = child.process
        process.terminate()  # does nothing when it is gone already
        until = time.monotonic() + self._grace_seconds
        while process.poll() is None:
            if time.monotonic() > until or self._signals > signals_before:
                process.kill()
                process.wait(timeout=10)
                return
            time.sleep(STEP_SECONDS / 4)


def _end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when our parent dies; end at once when it has died already."""
    if _libc is None:
        return
    _libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
