"""The programs of `tests.support.altered`, started in a fraction of the time: a server that has imported what takes
long, and nothing of ours, forks a process for each. For tests that start hundreds of them.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import altered
from tests.support.processes import ROOT, environment

# Modules that settings have no influence on.
_PRELOADED = [
    "django.core.management",
    "django.db.models",
    "django.forms",
    "django.http",
    "django.template.loader",
    "django.urls",
    "easypost.easypost_client",
    "environs",
    "openpyxl",
    "pytest",
    "requests",
]


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


class ForkedProgram:
    """A real process of its own, ended by its id; it has ended when the `with` block has."""

    def __init__(self, arguments: Sequence[str], extra: Mapping[str, str], *, log: Path) -> None:
        """`arguments` are those of `tests.support.altered.main`; `extra` are environment variables. What it writes
        goes to the file `log`.
        """
        self._process = _context().Process(target=_run, args=(list(arguments), environment(**extra), str(log)))

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.poll() is None:
            self.signal(signal.SIGCONT)
            self._process.kill()
        self._process.join(10)
        self._process.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None, "it was not started"
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code, or minus the number of the signal that ended it; None while it lives."""
        return self._process.exitcode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the running process."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        """Wait until it has ended by itself; returns its exit code. Raises subprocess.TimeoutExpired."""
        self._process.join(seconds)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, seconds)
        return code


def _run(arguments: Sequence[str], variables: Mapping[str, str], log: str) -> None:
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(variables)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
    altered.main(arguments)
    sys.stdout.flush()
