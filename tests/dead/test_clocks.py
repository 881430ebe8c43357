"""Clocks that jump, and a reboot: nothing is decided by a client's wall clock, and no time is lost or won by a boot.

The carrier is one that charges whatever it is sent, and carries a purchase out late: whoever believes its "not bought"
too early buys a second time.
"""

import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from recovery import RecoveryChoice, handle_recovery_choice
from shipping.liveness import Condition, condition
from shipping.models import Job, Row, Run
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus, RunEnd
from tests.dead.machine import LIBRARY, WallClock
from tests.dead.waits import ROOMY, variables
from tests.factories import make_job
from tests.lies.scene import SENDS
from tests.support.altered import Alteration, program
from tests.support.by_reference import ADOPTING
from tests.support.ledger import assert_books_equal_ledger, compare_when_over
from tests.support.processes import ChildProcess, wait_until
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 75
HOUR = 3600
NOTHING: Alteration = ("builtins:dict", {})
# Every purchase is a moment on its way, so that there always are some in flight.
SLOW = {"on": "buy", "action": "delay", "seconds": 1.0}
WAITS = {**ROOMY, "SHIP_CONCURRENCY": 3}


def altered(sandbox: SandboxProcess, alteration: Alteration, *command: str, **extra: str) -> ChildProcess:
    """A command of the product in an altered process."""
    environment = {**ADOPTING, **variables(WAITS), "SANDBOX_URL": sandbox.url, **extra}
    return ChildProcess(program([alteration], *command), environment)


@pytest.fixture(autouse=True)
def waits(adopting: SandboxProcess, settings: Any) -> None:
    """The waits of the processes, also for what this process says about them."""
    for name, value in WAITS.items():
        setattr(settings, name, value)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def in_flight(job: Job) -> int:
    return Row.objects.filter(job=job, status=RowStatus.in_flight).count()


def over(job: Job) -> bool:
    return fresh(job).status == JobStatus.completed and not Row.objects.filter(job=job).owed().exists()


def assert_each_row_is_bought_once(job: Job, sandbox: SandboxProcess) -> None:
    assert (sandbox.stats()["charges"], sandbox.stats()["duplicates"]) == (ROWS, 0)
    assert compare_when_over(job, sandbox.ledger()).breaches == {}
    assert_books_equal_ledger(job, sandbox)
    assert fresh(job).successful_rows == ROWS


def send_late_purchases(job: Job, sandbox: SandboxProcess, *, late: float) -> set[int]:
    """Have a worker send purchases that the carrier carries out so many seconds later; returns the ids of the rows in
    flight.
    """
    sandbox.faults([{**SLOW, "seconds": late}])
    # One is enough: a worker whose purchases were not answered in time sends but one at a time for a while.
    wait_until(lambda: sandbox.faults()[0]["hits"] and in_flight(job), 60, what="a late purchase at the carrier")
    sandbox.faults([SLOW])
    return set(Row.objects.filter(job=job, status=RowStatus.in_flight).values_list("pk", flat=True))


def kill(job: Job, worker: ChildProcess) -> int:
    """Kill a worker in the middle of its job; returns how often rows had been claimed."""
    worker.kill()
    assert Row.objects.filter(job=job, claims=0).exists(), "nothing is left to be decided"
    return claims(job)


def claims(job: Job) -> int:
    return sum(Row.objects.filter(job=job).values_list("claims", flat=True))


@pytest.mark.skipif(LIBRARY is None, reason="no libfaketime (on Debian: apt-get install libfaketime)")
@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["an hour forward", "an hour back"])
def test_a_wall_clock_that_jumps_decides_nothing(
    jump: int, adopting: SandboxProcess, clerk: User, tmp_path: Path
) -> None:
    clock = WallClock(tmp_path)
    faked = {"QUIET_SECONDS": "6", **clock.environment}
    alteration: Alteration = ("tests.dead.machine:sleep_by_select", {})
    adopting.faults([SLOW])
    job = make_job(ROWS, carrier=SENDS.carrier)
    JobService().start(job.pk)
    with altered(adopting, alteration, "worker", **faked) as worker:
        wait_until(lambda: fresh(job).successful_rows >= 2, 60, what="rows bought")
        # They are answered too late (4 s) and carried out before "not bought" may be believed (6 s after that), so that
        # whoever takes the jump for time gone by buys them again.
        rows = send_late_purchases(job, adopting, late=7.0)
        clock.jump(jump)
        wait_until(lambda: not Row.objects.filter(pk__in=rows).owed().exists(), 60, what="the doubts settled")
        send_late_purchases(job, adopting, late=7.0)
        kill(job, worker)
    assert_it_has_jumped(job, jump)
    assert condition(fresh(job)) is Condition.interrupted
    clock.jump(2 * jump)
    with altered(adopting, alteration, "worker", **faked):
        handle_recovery_choice(RecoveryChoice.resume, job.pk, JobService(), actor=clerk)
        wait_until(lambda: over(job), 90, what="the job completed")
    assert Run.objects.filter(job=job).exclude(started_at=None).count() == 2, "a run was taken for dead"
    assert_each_row_is_bought_once(job, adopting)


def assert_it_has_jumped(job: Job, jump: int) -> None:
    """The worker really lived at another time: what only people read says so."""
    run = Run.objects.get(job=job)
    assert run.beat_at is not None
    assert (run.beat_at.timestamp() - time.time()) == pytest.approx(jump, abs=120)


def test_a_reboot_ends_a_run_and_neither_shortens_nor_forgets_a_quiet_period(
    adopting: SandboxProcess, tmp_path: Path
) -> None:
    # Longer than the lease that has to pass first: the first questions come in the middle of the quiet period.
    quiet = {"QUIET_SECONDS": "16"}
    adopting.faults([SLOW])
    job = make_job(ROWS, carrier=SENDS.carrier)
    JobService().start(job.pk)
    with altered(adopting, NOTHING, "worker", **quiet) as worker:
        wait_until(lambda: fresh(job).successful_rows >= 2 and in_flight(job), 60, what="claims in flight")
        send_late_purchases(job, adopting, late=16.0)
        claimed = kill(job, worker)
    rebooted = reboot_now(tmp_path)
    with altered(adopting, rebooted, "worker", **quiet):
        wait_until(lambda: not Row.objects.filter(job=job).owed().exists(), 90, what="all doubts settled")
        # The worker of the new boot asked, and bought nothing: nobody had chosen yet.
        assert claims(job) == claimed
        assert adopting.stats()["charges"] == fresh(job).successful_rows
        with altered(adopting, rebooted, "recover", str(job.pk), "resume", **quiet) as recover:
            assert recover.wait(60) == 0
        wait_until(lambda: over(job), 90, what="the job completed")
    first, second = Run.objects.filter(job=job).exclude(started_at=None).order_by("pk")
    assert first.end_reason == RunEnd.died
    assert first.host != second.host
    assert_each_row_is_bought_once(job, adopting)


def reboot_now(directory: Path) -> Alteration:
    """What has a process live in a boot of this machine that began just now."""
    boot = directory / "boot_id"
    boot.write_text("00000000-0000-4000-8000-000000000001\n")
    booted_at = time.clock_gettime(time.CLOCK_BOOTTIME) - 2
    return "tests.dead.machine:reboot", {"boot_id_file": str(boot), "booted_at": booted_at}
