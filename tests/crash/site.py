"""The processes and the books of one test: workers with short waits, the carrier, and the job that they ship."""

import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.contrib.auth.models import User

from shipping.models import Job, Upload, Worker
from tests.crash.arming import SAYING
from tests.support.altered import Alteration, told
from tests.support.forked import ForkedProgram
from tests.support.processes import wait_until
from tests.support.sandbox import SandboxProcess

Fault = dict[str, Any]

# The shortest that the system checks allow and a busy machine keeps: "not bought" is believed 3 s after a claim at
# the earliest, and no fault of these tests has the carrier take longer than a second before it charges.
WAITS: Mapping[str, float | int] = {
    "REQUEST_TIMEOUT_SECONDS": 2.0,
    "HEARTBEAT_SECONDS": 0.5,
    "DATABASE_BUSY_SECONDS": 3.0,
    "LEASE_SECONDS": 7.0,
    "QUIET_SECONDS": 1.0,
    "SHIP_CONCURRENCY": 3,
}

# A bought shipment that is bought again is charged again: nothing but our own books keeps rows from being bought twice.
FORGETFUL: Fault = {"on": "buy", "action": "charge_again"}


class Site:
    """A context manager; every process has ended when the block has. `upload` is there until a job is made of it."""

    def __init__(self, sandbox: SandboxProcess, clerk: User, directory: Path) -> None:
        """What the workers write goes to files in `directory`."""
        self.sandbox = sandbox
        self.clerk = clerk
        self.directory = directory
        self.upload: Upload | None = None
        self._job_id: int | None = None
        self._workers: list[ForkedProgram] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()
        if error is not None:
            for number, _worker in enumerate(self._workers):
                print(f"--- worker {number}\n{self._log(number).read_text()}")  # noqa: T201 (pytest shows it)

    @property
    def has_job(self) -> bool:
        """Whether there is a job yet."""
        return self._job_id is not None

    @property
    def job(self) -> Job:
        """The job, fresh from the books."""
        assert self._job_id is not None, "no job has been made yet"
        return Job.objects.get(pk=self._job_id)

    @job.setter
    def job(self, job: Job) -> None:
        self._job_id = job.pk

    def enter(self, context: AbstractContextManager[object]) -> None:
        """Have something hold until the end of the block."""
        self._stack.enter_context(context)

    def faults(self, faults: Sequence[Fault]) -> None:
        """What goes wrong at the carrier from now on; forgetful it always is."""
        self.sandbox.faults([*faults, FORGETFUL])

    def start_worker(
        self, alterations: Sequence[Alteration] = (), arguments: Sequence[str] = (), **settings: str
    ) -> ForkedProgram:
        """Start a worker that is altered like this first."""
        # The checks look at every page of the site; the settings are checked once, by a test of their own.
        command = told(alterations, "worker", "--skip-checks", *arguments)
        waits = {name: str(value) for name, value in WAITS.items()}
        environment = {**waits, "SANDBOX_URL": self.sandbox.url, **settings}
        process = ForkedProgram(command, environment, log=self._log(len(self._workers)))
        self._workers.append(process)
        self._stack.enter_context(process)
        return process

    def said(self, process: ForkedProgram) -> str:
        """What a worker has written so far."""
        return self._log(self._workers.index(process)).read_text()

    def died_in(self, process: ForkedProgram) -> list[str]:
        """The product's functions, innermost first, in which an armed worker came by its boundary."""
        lines = [line for line in self.said(process).splitlines() if line.startswith(SAYING)]
        return lines[-1].removeprefix(SAYING).split(" < ") if lines else []

    def _log(self, number: int) -> Path:
        return self.directory / f"worker-{number}.log"


def let_a_lease_pass() -> None:
    """Whoever worked on a file was heard of long ago, and so was its ticket."""
    Upload.objects.filter(beat__isnull=False).update(beat=0.0)
    Upload.objects.update(queued=0.0)


def end_orderly(process: ForkedProgram) -> None:
    """Tell a worker to end, once it is there at all, and wait until it has."""
    wait_until(lambda: Worker.objects.filter(pid=process.pid).exists(), 60, what="the worker registered")
    process.signal(signal.SIGTERM)
    code = process.wait(30)
    assert code == 0, f"the worker that was told to end did so with {code}"


def wait_for_death(process: ForkedProgram, seconds: float, *, where: str) -> None:
    """Wait until a process was killed by SIGKILL; fails when it lives on, or ends in another way."""
    deadline = time.monotonic() + seconds
    while (code := process.poll()) is None:
        assert time.monotonic() < deadline, f"never came by “{where}” within {seconds:g} s"
        time.sleep(0.02)
    assert code == -signal.SIGKILL, f"was to die at “{where}”, and ended by itself with {code}"
