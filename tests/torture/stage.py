"""The processes of a batch: workers, web server, carrier. They are killed here, and come back a little later."""

import http.client
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from tests.support.altered import program
from tests.support.by_reference import ADOPTING
from tests.support.processes import ChildProcess
from tests.support.sandbox import SandboxProcess
from tests.support.web import HOST, WebServer

SETTINGS = {**ADOPTING, "LOG_LEVEL": "WARNING"}
# On top of the short waits that all tests of processes use. "Not bought" is believed four seconds after a claim at the
# earliest: the carrier, on a machine with better things to do, must have answered by then.
WAITS: dict[str, float | int] = {
    "QUIET_SECONDS": 2.0,
    "HALT_AFTER_SECONDS": 3.0,
    "REVIEW_AFTER_QUESTIONS": 3,
    "SHIP_CONCURRENCY": 4,
    "ROWS_PER_RUN": 25,
}


class Web(WebServer):
    """waitress with the whole site; ready a while after it was started."""

    def start(self) -> None:
        """Start it and return at once; the static files stay where they are."""
        ChildProcess.start(self)

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            with closing(http.client.HTTPConnection(HOST, self.port, timeout=5)) as connection:
                connection.connect()
        except OSError:
            return False
        return True


class Stage:
    """A context manager; every process has ended when the block has."""

    def __init__(self, directory: Path, *, sabotage: str = "") -> None:
        """Logs and the carrier's file go to `directory`. `sabotage` names a broken build that the workers run."""
        self.directory = directory
        self.sabotage = sabotage
        self.carrier = SandboxProcess(directory / "sandbox.sqlite3")
        self.workers: list[ChildProcess] = []
        self.web: Web | None = None
        self._back_at: dict[str, float] = {}
        self.ended_by_themselves: list[str] = []

    def __enter__(self) -> Self:
        self.carrier.start()
        self.web = Web(self.directory / "web.log", **self._variables)
        self.web.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.dismiss_workers()
        for process in (self.web, *self.workers):
            if process is not None:
                process.__exit__(kind, error, traceback)
        if "carrier" not in self._back_at:
            self.carrier.stop()

    @property
    def _variables(self) -> Mapping[str, str]:
        # Without this, the environment would not be that of the site that is killed.
        waits = {name: str(value) for name, value in WAITS.items()}
        return {**SETTINGS, **waits, "SANDBOX_URL": self.carrier.url}

    def call_workers(self, count: int) -> None:
        """Start so many workers."""
        command = ["manage.py", "worker"]
        if self.sabotage:
            command = program([(f"tests.sabotage.builds:{self.sabotage}", {})], "worker")
        log = self.directory / "workers.log"
        self.workers = [ChildProcess(command, self._variables, log=log) for _each in range(count)]
        for worker in self.workers:
            worker.start()

    def dismiss_workers(self) -> None:
        """Kill those that live: the batch is over. These kills are not counted."""
        for worker in self.workers:
            if worker.process is not None and worker.process.poll() is None:
                worker.kill()
        self.workers = []
        self._back_at = {name: at for name, at in self._back_at.items() if not name.startswith("worker")}

    def living(self) -> list[str]:
        """The names of the processes that may be killed now."""
        names = [f"worker {number}" for number in range(len(self.workers))] + ["web", "carrier"]
        return [name for name in names if name not in self._back_at]

    def kill(self, name: str, random: Random) -> None:
        """SIGKILL; it comes back within two seconds, at a random instant."""
        if name == "carrier":
            self.carrier.kill()
        else:
            self._child(name).kill()
        self._back_at[name] = time.monotonic() + random.uniform(0.0, 2.0 if name.startswith("worker") else 1.0)

    def revive(self, *, at_once: bool = False) -> None:
        """Start what was killed and whose time has come, or all of it."""
        self._note_who_ended()
        for name, at in list(self._back_at.items()):
            if at_once or at <= time.monotonic():
                del self._back_at[name]
                if name == "carrier":
                    self.carrier.start()
                else:
                    self._child(name).start()

    def web_is_ready(self) -> bool:
        """Whether the web server takes connections."""
        return "web" not in self._back_at and self.web is not None and self.web.is_ready()

    def carrier_is_up(self) -> bool:
        """Whether the carrier runs."""
        return "carrier" not in self._back_at

    def _child(self, name: str) -> ChildProcess:
        if name == "web":
            assert self.web is not None
            return self.web
        return self.workers[int(name.rpartition(" ")[2])]

    def _note_who_ended(self) -> None:
        """A process that ended without being killed is a finding; it is started again."""
        for name in self.living():
            if name == "carrier":
                continue
            process = self._child(name).process
            if process is not None and process.poll() is not None:
                self.ended_by_themselves.append(f"{name} ended by itself with {process.returncode}")
                self._back_at[name] = 0.0
