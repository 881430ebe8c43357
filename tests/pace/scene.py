"""Three workers, and the carrier's own account of when it was asked."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from shipping.models import Job
from shipping.services import JobService
from shipping.states import JobStatus
from tests.support.altered import Alteration, program
from tests.support.processes import ChildProcess
from tests.support.sandbox import SandboxProcess

WORKERS = 3
PATIENCE_SECONDS = 180.0
# What arrives was sent a little earlier, and on a busy machine more than a little: over some seconds that evens out.
WINDOW_SECONDS = 5.0


@contextmanager
def workers(sandbox: SandboxProcess, *alterations: Alteration, **extra: str) -> Iterator[None]:
    """Three workers, altered; `extra` are environment variables."""
    with ExitStack() as stack:
        for _each in range(WORKERS):
            its = {"DJANGO_SETTINGS_MODULE": "tests.settings", "SANDBOX_URL": sandbox.url, **extra}
            stack.enter_context(ChildProcess(program(alterations, "worker"), its))
        yield


def completed(*jobs: Job) -> bool:
    """Whether all these jobs are."""
    return all(Job.objects.get(pk=job.pk).status == JobStatus.completed for job in jobs)


def start(*jobs: Job) -> None:
    """A person starts all these jobs."""
    for job in jobs:
        JobService().start(job.pk)


def most_within(times: list[float], seconds: float) -> int:
    """The most that fall into any stretch of so many seconds."""
    most = first = 0
    for last, moment in enumerate(times):
        while times[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
