"""Jobs that ship while somebody looks on, and workers that die under them."""

from typing import Any

from shipping.models import Job, Row
from shipping.states import EventKind, JobStatus, RowStatus
from tests.support.processes import CommandProcess, wait_until
from tests.support.sandbox import SandboxProcess

# A carrier takes its time, before the money moves and after, so that there is something to look at.
SLOW: list[dict[str, Any]] = [
    {"on": "buy", "action": "delay", "when": "before", "seconds": [0.1, 0.3]},
    {"on": "buy", "action": "delay", "when": "after", "seconds": [0.1, 0.3]},
]


def stalling(after: int) -> list[dict[str, Any]]:
    """Faults with which a carrier answers so many purchases and then none: two more are charged, the others are not.
    So a kill finds purchases of both kinds in the air, however fast or slow the machine is.
    """
    return [
        *SLOW,
        {"on": "buy", "action": "hang", "when": "after", "after": after, "count": 2},
        {"on": "buy", "action": "hang", "when": "before", "after": after},
    ]


def fresh(job: Job) -> Job:
    """The job as it is in the books now."""
    return Job.objects.get(pk=job.pk)


def in_the_air(job: Job) -> int:
    """Purchases that were sent and not answered yet."""
    return Row.objects.filter(job=job, status=RowStatus.in_flight).count()


def count_of(job: Job, kind: EventKind) -> int:
    """How often something was done to the job, by its trace."""
    return job.events.filter(kind=kind).count()


def kill_with_purchases_in_the_air(job: Job, worker: CommandProcess, *, bought: int = 6) -> None:
    """SIGKILL when at least so many labels are bought, and others on their way."""
    wait_until(
        lambda: fresh(job).successful_rows >= bought and in_the_air(job) >= 2,
        what=f"{bought} labels, and purchases in the air",
    )
    worker.kill()


def wait_until_completed(job: Job) -> None:
    """The last open row is settled."""
    wait_until(lambda: fresh(job).status == JobStatus.completed, 60, what="the job completed")


def hurry(sandbox: SandboxProcess) -> None:
    """The carrier answers at once from now on."""
    sandbox.faults([])
