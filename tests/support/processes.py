"""Real processes of the product, on the test's database: workers and other commands. Each is ended by its id."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]

# Short waits, so that tests of crashes take seconds; they keep the rules of the system checks.
SHORT_WAITS = {
    "REQUEST_TIMEOUT_SECONDS": "2",
    "HEARTBEAT_SECONDS": "0.5",
    "DATABASE_BUSY_SECONDS": "5",
    "LEASE_SECONDS": "9",
    "QUIET_SECONDS": "1",
}


def database_url() -> str:
    """The URL of the database that the running test uses."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    user, password = database["USER"], database["PASSWORD"]
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return f"postgres://{login}{database['HOST']}:{database['PORT']}/{database['NAME']}"


def environment(**extra: str) -> dict[str, str]:
    """The environment of a child process on the test's database."""
    return {**os.environ, **SHORT_WAITS, "DATABASE_URL": database_url(), "DEBUG": "false", "HTTPS": "false", **extra}


class ChildProcess:
    """A Python program in a process of its own; it has ended when the `with` block has."""

    def __init__(self, arguments: Sequence[str], extra: Mapping[str, str], *, log: Path | None = None) -> None:
        """`arguments` follow `python`; `extra` are environment variables. What it writes goes to the file `log`, or
        else to where this process writes.
        """
        self._command = [sys.executable, *arguments]
        self._environment = environment(**extra)
        self._log = log
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        if self.process is not None:
            self.process.wait(10)

    def start(self) -> None:
        """Start it, once more if it had ended."""
        with self._log.open("a") if self._log else nullcontext() as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                text=True,
                stdout=log,
                stderr=log and subprocess.STDOUT,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the running process."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def wait(self, seconds: float = 60.0) -> int:
        """Wait until it has ended by itself; returns its exit code. Raises subprocess.TimeoutExpired."""
        assert self.process is not None
        return self.process.wait(seconds)


class CommandProcess(ChildProcess):
    """`manage.py` in a process of its own."""

    def __init__(self, *arguments: str, **extra: str) -> None:
        """`extra` are environment variables, SANDBOX_URL above all."""
        super().__init__(["manage.py", *arguments], extra)


def worker(sandbox_url: str, *arguments: str, **extra: str) -> CommandProcess:
    """A worker process whose carrier is the given sandbox."""
    return CommandProcess("worker", *arguments, SANDBOX_URL=sandbox_url, **extra)


def wait_until(condition: Callable[[], Any], seconds: float = 30.0, *, what: str = "the condition") -> Any:
    """Wait until the condition is true and return its value; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds:g} s")
