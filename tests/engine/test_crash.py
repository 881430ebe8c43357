"""Real workers, really killed: the books against the carrier's ledger, row by row."""

import signal

import pytest
from django.test import override_settings

from recovery import RecoveryChoice, handle_recovery_choice
from shipping.liveness import is_interrupted
from shipping.models import Job, Label, Row, Run, Worker
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus, RunEnd
from tests.factories import make_job
from tests.support.ledger import assert_books_equal_ledger, assert_one_charge_per_completed_row
from tests.support.processes import wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def bought(job: Job) -> int:
    return fresh(job).successful_rows


def in_the_air(job: Job) -> int:
    return Row.objects.filter(job=job, status=RowStatus.in_flight).count()


def is_over(job: Job) -> bool:
    return fresh(job).status == JobStatus.completed


def test_it_ships_a_job_from_start_to_end(sandbox: SandboxProcess) -> None:
    job = make_job(rows=30)
    JobService().start(job.pk)
    with worker(sandbox.url, "--until-idle") as process:
        assert process.wait(60) == 0
    assert fresh(job).status == JobStatus.completed
    assert fresh(job).successful_rows == 30
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)
    assert not Label.objects.filter(job=job, file="").exists()
    assert [run.end_reason for run in Run.objects.filter(job=job)] == [RunEnd.no_work]
    run = Run.objects.get(job=job)
    assert (run.bought_rows, run.lowest_row, run.highest_row) == (30, 1, 30)


def test_a_killed_worker_leaves_an_interrupted_job_that_a_person_resumes(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": [0.5, 1.0]}])
    job = make_job(rows=60)
    JobService().start(job.pk)
    with worker(sandbox.url) as process:
        wait_until(lambda: bought(job) >= 15 and in_the_air(job) >= 3, what="15 rows bought, others in the air")
        process.kill()
    sandbox.faults([])
    assert is_interrupted(fresh(job))
    assert JobService().rows_in_doubt(job.pk).count() > 0
    assert_books_equal_ledger(job, sandbox)

    handle_recovery_choice(RecoveryChoice.resume, job.pk, JobService())
    with worker(sandbox.url) as process:
        wait_until(lambda: is_over(job), 60, what="the job completed")
        process.signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert bought(job) == 60
    assert not Row.objects.filter(job=job).owed().exists()
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)
    assert sandbox.stats()["charges"] == 60


def test_a_new_worker_asks_about_doubts_and_claims_nothing(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 0.3}])
    job = make_job(rows=40)
    JobService().start(job.pk)
    with worker(sandbox.url) as process:
        wait_until(lambda: bought(job) >= 8, what="8 rows bought")
        process.kill()
    claims = sum(Row.objects.filter(job=job).values_list("claims", flat=True))
    with worker(sandbox.url):
        wait_until(lambda: not Row.objects.filter(job=job).owed().exists(), 20, what="all doubts settled")
    assert is_interrupted(fresh(job))
    assert sum(Row.objects.filter(job=job).values_list("claims", flat=True)) == claims
    assert fresh(job).successful_rows == sandbox.stats()["charges"]
    assert_books_equal_ledger(job, sandbox)


def test_two_workers_on_one_job_buy_each_row_once(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 0.1}])
    job = make_job(rows=120)
    with worker(sandbox.url) as first, worker(sandbox.url) as second:
        wait_until(lambda: Worker.objects.count() == 2, what="two workers ready")
        with override_settings(ROWS_PER_RUN=60):
            JobService().start(job.pk)
        wait_until(lambda: is_over(job), 60, what="the job completed")
        for process in (first, second):
            process.signal(signal.SIGTERM)
            assert process.wait(20) == 0
    assert bought(job) == 120
    started = Run.objects.filter(job=job, started_at__isnull=False)
    assert started.values("pid").distinct().count() == 2
    assert sandbox.stats()["charges"] == 120
    assert_books_equal_ledger(job, sandbox)


def test_when_one_of_two_workers_dies_the_other_goes_on_and_reconciles_its_rows(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 0.1}])
    job = make_job(rows=120)
    with override_settings(ROWS_PER_RUN=60):
        JobService().start(job.pk)
    with worker(sandbox.url) as first, worker(sandbox.url):
        wait_until(lambda: Run.objects.filter(job=job, started_at__isnull=False).count() == 2, what="two runs")
        wait_until(lambda: bought(job) >= 20, what="20 rows bought")
        first.kill()
        wait_until(lambda: is_over(job), 60, what="the job completed")
    assert sandbox.stats()["charges"] == 120
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)


def test_a_worker_that_is_told_to_end_hands_over_and_nothing_is_interrupted(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 0.2}])
    job = make_job(rows=40)
    JobService().start(job.pk)
    with worker(sandbox.url) as process:
        wait_until(lambda: bought(job) >= 8, what="8 rows bought")
        process.signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not is_interrupted(fresh(job))
    assert not Row.objects.filter(job=job).owed().exists()
    assert_books_equal_ledger(job, sandbox)
    with worker(sandbox.url):
        wait_until(lambda: is_over(job), 60, what="the job completed")
    reasons = list(Run.objects.filter(job=job).values_list("end_reason", flat=True))
    assert reasons == [RunEnd.handed_over, RunEnd.no_work]
    assert sandbox.stats()["charges"] == 40


def test_a_restart_killed_half_way_goes_on_after_resume_and_buys_only_what_was_named(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 0.1}])
    job = make_job(rows=40)
    JobService().start(job.pk)
    with worker(sandbox.url) as process:
        wait_until(lambda: bought(job) >= 20, what="20 rows bought")
        process.kill()
    with worker(sandbox.url):
        wait_until(lambda: not Row.objects.filter(job=job).owed().exists(), 20, what="all doubts settled")
    named = bought(job)
    shown = handle_recovery_choice("restart", job.pk, JobService())
    assert shown["completed_rows_with_tracking"] == named
    handle_recovery_choice("restart", job.pk, JobService(), confirmation=shown["confirmation"])
    with worker(sandbox.url) as process:
        wait_until(lambda: bought(job) >= 10 and not fresh(job).sweep, 30, what="the restart under way")
        process.kill()
    assert is_interrupted(fresh(job))
    handle_recovery_choice("resume", job.pk, JobService())
    with worker(sandbox.url):
        wait_until(lambda: is_over(job), 60, what="the job completed")
    assert sandbox.stats()["charges"] == 40 + named
    assert Row.objects.filter(job=job, attempt=2).count() == named
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)


def test_cancel_with_purchases_in_the_air_records_them(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 0.8}])
    job = make_job(rows=60)
    JobService().start(job.pk)
    with worker(sandbox.url):
        wait_until(lambda: Row.objects.filter(job=job, status=RowStatus.in_flight).count() >= 4, what="4 in the air")
        outcome = JobService().cancel(job.pk, reason="wrong file")
        claims = sum(Row.objects.filter(job=job).values_list("claims", flat=True))
        assert outcome.in_flight_rows > 0
        wait_until(lambda: not Row.objects.filter(job=job).owed().exists(), 20, what="nothing owed")
    assert fresh(job).status == JobStatus.cancelled
    assert sum(Row.objects.filter(job=job).values_list("claims", flat=True)) == claims
    assert fresh(job).successful_rows == sandbox.stats()["charges"]
    assert_books_equal_ledger(job, sandbox)
    assert fresh(job).events.filter(kind=EventKind.cancelled).exists()
