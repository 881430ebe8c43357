"""A batch, a worker, and a person who does what the pages offer, until the job is over."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from recovery import RecoveryChoice, handle_recovery_choice
from recovery.review import NotBought, TooEarly, record_bought, send_again
from shipping.carriers.port import CarrierError
from shipping.liveness import Condition, condition
from shipping.models import Job, Row
from shipping.services import FactsMoved, JobService, NotInterrupted
from shipping.states import JobStatus, RowStatus
from tests.factories import make_job
from tests.support.by_reference import ADOPTING, ASKS_A_PERSON, SENDS_AGAIN
from tests.support.processes import CommandProcess, wait_until, worker
from tests.support.sandbox import SandboxProcess

# The most that a scene may take on a machine with better things to do.
SECONDS = 150.0
# "Not bought" is believed four seconds after a claim: a carrier on a busy machine must have answered by then. Three
# questions that fail bring a row to a person.
WAITS: Mapping[str, float] = {"QUIET_SECONDS": 2, "REVIEW_AFTER_QUESTIONS": 3}

Fault = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Guaranteed:
    """What a carrier promises. `forgets`: it says that a handle is charged at most once, and forgets it."""

    name: str
    carrier: str
    forgets: bool = False

    def __str__(self) -> str:
        return self.name


ONCE = Guaranteed("exactly once", "sandbox")
FORGETFUL = Guaranteed("exactly once, forgotten", "sandbox", forgets=True)
ASKS = Guaranteed("adopt or ask a person", ASKS_A_PERSON)
SENDS = Guaranteed("adopt or send again", SENDS_AGAIN)
GUARANTEES = (ONCE, FORGETFUL, ASKS, SENDS)


def begin(
    guaranteed: Guaranteed,
    sandbox: SandboxProcess,
    told: Sequence[Sequence[Fault]],
    *,
    before_start: Callable[[Job], None] | None = None,
) -> Job:
    """A started job with a carrier of this guarantee that lies about every second row: `told[0]` about row 2, `told[1]`
    about row 4, and so on. Between them it is honest, so that no lie is taken for a carrier in lasting trouble.
    `before_start` is called while the carrier still behaves.
    """
    job = make_job(2 * len(told) + 1, carrier=guaranteed.carrier)
    if before_start is not None:
        before_start(job)
    faults = [
        {**fault, "match": job.reference(row_of_lie(place), 1)} for place, lie in enumerate(told) for fault in lie
    ]
    forgetting = [{"on": "buy", "action": "charge_again"}] if guaranteed.forgets else []
    sandbox.faults([*faults, *forgetting])
    JobService().start(job.pk)
    return job


def row_of_lie(place: int) -> int:
    """The number of the row about which the lie at this place of the list is told."""
    return 2 * place + 2


@contextmanager
def at_work(sandbox: SandboxProcess, **extra: str) -> Iterator[CommandProcess]:
    """A worker that knows all these carriers, with short waits."""
    waits = {name: f"{value:g}" for name, value in WAITS.items()}
    with worker(sandbox.url, **ADOPTING, **{**waits, **extra}) as process:
        yield process


def play(job: Job, clerk: User, *, seconds: float = SECONDS) -> None:
    """Wait until the job is completed and nothing is owed; meanwhile the person resumes and decides."""
    wait_until(lambda: _is_over_or_acted_on(job, clerk), seconds, what="the job's end")


def _is_over_or_acted_on(job: Job, clerk: User) -> bool:
    time.sleep(0.1)  # the machine is the worker's meanwhile
    fresh = Job.objects.get(pk=job.pk)
    if condition(fresh) is Condition.interrupted:
        _resume(fresh, clerk)
    for row in Row.objects.filter(job=job).in_review():
        decide(row, clerk)
    return fresh.status == JobStatus.completed and not Row.objects.filter(job=job).owed().exists()


def _resume(job: Job, clerk: User) -> None:
    try:
        handle_recovery_choice(RecoveryChoice.resume, job.pk, JobService(), actor=clerk)
    except (NotInterrupted, FactsMoved):
        return  # it moved on by itself meanwhile


def decide(row: Row, clerk: User) -> None:
    """What a person does about a row in review: ask the carrier, record what it sold, and send again only what it
    plainly denies, as soon as that may be done. When it can't be asked, the row is looked at again later.
    """
    assert row.status == RowStatus.needs_review
    try:
        record_bought(row, actor=clerk)
    except NotBought as answer:
        if isinstance(answer.__cause__, CarrierError):
            return
        _send_again(row, clerk)
    except FactsMoved:
        return


def _send_again(row: Row, clerk: User) -> None:
    try:
        send_again(row, actor=clerk)
    except (TooEarly, FactsMoved):
        return
