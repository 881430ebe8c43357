"""Three workers and the carrier's own account of when it was asked."""

import threading
from typing import Any

import pytest

from shipping.carriers.registry import get_carrier
from shipping.models import Job, Pace, Row, Run
from shipping.models.clock import local_seconds
from shipping.services import JobService
from shipping.states import JobStatus
from tests.factories import carrier_order, make_job
from tests.pace.scene import PATIENCE_SECONDS, WINDOW_SECONDS, WORKERS, completed, most_within, start, workers
from tests.support.ledger import assert_books_equal_ledger, assert_one_charge_per_completed_row
from tests.support.processes import CommandProcess, wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 20


@pytest.mark.parametrize("sizes", [[100], [50, 50]], ids=["one job", "two jobs"])
def test_all_workers_together_keep_the_limit(sandbox: SandboxProcess, settings: Any, sizes: list[int]) -> None:
    settings.ROWS_PER_RUN = 20
    jobs = [make_job(rows) for rows in sizes]
    patient = {"REQUEST_TIMEOUT_SECONDS": "15", "LEASE_SECONDS": "40"}
    with workers(sandbox, MAX_REQUESTS_PER_SECOND=str(LIMIT), RUN_TURN_SECONDS="1", **patient):
        start(*jobs)
        wait_until(lambda: completed(*jobs), PATIENCE_SECONDS, what="all completed")
    arrivals = sandbox.arrivals()
    assert len(arrivals) >= 200
    assert most_within(arrivals, WINDOW_SECONDS) <= LIMIT * WINDOW_SECONDS
    assert Run.objects.exclude(started_at=None).values("pid").distinct().count() == WORKERS
    for job in jobs:
        assert_books_equal_ledger(job, sandbox)
        assert_one_charge_per_completed_row(job, sandbox)
    # Nothing was claimed for which there was no permit: no row went back and forth.
    assert not Row.objects.filter(claims__gt=1).exists()


def test_commands_share_the_limit_with_the_workers(sandbox: SandboxProcess, settings: Any) -> None:
    limit = {"MAX_REQUESTS_PER_SECOND": "10"}
    shipped, job = make_job(15), make_job(40)
    with workers(sandbox):
        start(shipped)
        wait_until(lambda: completed(shipped), PATIENCE_SECONDS, what="completed")
    asked = len(sandbox.arrivals())
    with workers(sandbox, **limit):
        start(job)
        with CommandProcess("audit_books", SANDBOX_URL=sandbox.url, **limit) as command:
            command.wait(PATIENCE_SECONDS)
        wait_until(lambda: completed(job), PATIENCE_SECONDS, what="completed")
    assert most_within(sandbox.arrivals()[asked:], WINDOW_SECONDS) <= 10 * WINDOW_SECONDS


def test_a_worker_that_is_killed_with_permits_in_hand_only_wastes_them(sandbox: SandboxProcess) -> None:
    job = make_job(40)
    limit = {"MAX_REQUESTS_PER_SECOND": "10"}
    with worker(sandbox.url, **limit) as first:
        start(job)
        wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows >= 3, PATIENCE_SECONDS, what="3 bought")
        first.kill()
    JobService().resume(job.pk)
    with worker(sandbox.url, **limit):
        wait_until(lambda: completed(job), PATIENCE_SECONDS, what="completed")
    assert most_within(sandbox.arrivals(), WINDOW_SECONDS) <= 10 * WINDOW_SECONDS
    assert_books_equal_ledger(job, sandbox)


def test_a_retry_after_that_one_worker_hears_is_obeyed_by_all(sandbox: SandboxProcess, settings: Any) -> None:
    settings.ROWS_PER_RUN = 50
    wait = 20
    sandbox.faults(
        [
            {"on": "buy", "action": "delay", "when": "after", "seconds": 0.1},
            {"on": "buy", "action": "error", "status": 429, "retry_after": wait, "after": 40, "count": 1},
        ]
    )
    jobs = [make_job(150), make_job(60)]
    with workers(sandbox, HALT_AFTER_SECONDS="100", RUN_TURN_SECONDS="600"):
        start(*jobs)
        wait_until(lambda: Pace.objects.filter(wait_until__gt=0).exists(), PATIENCE_SECONDS, what="the wait")
        known = local_seconds()
        wait_until(lambda: completed(*jobs), PATIENCE_SECONDS, what="all completed")
    assert sandbox.faults()[1]["hits"] == 1
    arrivals = sandbox.arrivals()
    # What was in the air when it became known still arrives; after half of the time nothing is.
    during = [each for each in arrivals if known + wait / 2 < each < known + wait - 2.0]
    assert during == []
    in_the_air = [each for each in arrivals if known < each < known + wait - 2.0]
    assert len(in_the_air) <= WORKERS * 16
    assert len(arrivals) > 400
    for job in jobs:
        assert_books_equal_ledger(job, sandbox)


def test_another_carrier_is_not_hindered(sandbox: SandboxProcess, adopting: SandboxProcess) -> None:
    from tests.support.by_reference import ADOPTING, SENDS_AGAIN

    sandbox.faults([{"on": "buy", "action": "error", "status": 429, "retry_after": 60, "count": 1}])
    stopped = make_job(5)
    with worker(sandbox.url, **ADOPTING, HALT_AFTER_SECONDS="300", RUN_TURN_SECONDS="1"):
        start(stopped)
        wait_until(lambda: Pace.objects.filter(wait_until__gt=0).exists(), PATIENCE_SECONDS, what="the wait")
        other = make_job(10, carrier=SENDS_AGAIN)
        begun = local_seconds()
        start(other)
        wait_until(lambda: completed(other), PATIENCE_SECONDS, what="completed")
        assert local_seconds() - begun < 60 or completed(stopped)
        assert Job.objects.get(pk=stopped.pk).status == JobStatus.running


def test_a_wait_that_is_too_long_halts_every_job_and_says_so(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "error", "status": 429, "retry_after": 3600, "count": 1}])
    jobs = [make_job(20), make_job(20)]
    with workers(sandbox, HALT_AFTER_SECONDS="30"):
        start(*jobs)
        wait_until(
            lambda: not Job.objects.filter(status=JobStatus.running, error_code="").exists(),
            PATIENCE_SECONDS,
            what="a reason for each job",
        )
        # A person who resumes wants the carrier to be asked now.
        wait_until(lambda: not Run.objects.started().exists(), PATIENCE_SECONDS, what="no run at work")
        for job in Job.objects.filter(status=JobStatus.running):
            JobService().resume(job.pk)
        wait_until(lambda: completed(*jobs), PATIENCE_SECONDS, what="all completed")
    for job in jobs:
        assert_books_equal_ledger(job, sandbox)


def test_without_the_database_nothing_is_sent(settings: Any, sandbox: SandboxProcess) -> None:
    from shipping.carriers.port import Unsent

    settings.CARRIERS = {"sandbox": {**settings.CARRIERS["sandbox"], "MAX_REQUESTS_PER_SECOND": 5.0}}
    get_carrier.cache_clear()
    row = Row.objects.get(job=make_job(1))
    order = carrier_order(row, row.job)
    errors: list[Exception] = []

    def ask() -> None:
        try:
            get_carrier("sandbox").prepare(order, timeout=1.0)
        except Unsent as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(60)
    assert len(errors) == 1
    assert sandbox.arrivals() == []
