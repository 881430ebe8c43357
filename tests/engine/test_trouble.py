"""A carrier, a database or a storage that fails: the job goes on, or halts with the reason, and the books stay true."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from shipping.liveness import is_interrupted
from shipping.models import Job, Label, Row
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus, RunEnd
from tests.factories import make_job
from tests.support.databases import sqlite_only
from tests.support.ledger import assert_books_equal_ledger, assert_one_charge_per_completed_row
from tests.support.processes import wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def ship(sandbox: SandboxProcess, job: Job, *, until: Any, seconds: float = 60, **extra: str) -> Job:
    """Start a job and let a worker work until the condition is true of it; returns the job."""
    JobService().start(job.pk)
    with worker(sandbox.url, **extra):
        wait_until(lambda: until(Job.objects.get(pk=job.pk)), seconds, what="the job's condition")
    return Job.objects.get(pk=job.pk)


def completed(job: Job) -> bool:
    return job.status == JobStatus.completed


LIES = {
    "the reply is dropped after charging": {"on": "buy", "action": "drop", "when": "after", "count": 3},
    "the reply is dropped before charging": {"on": "buy", "action": "drop", "when": "before", "count": 3},
    "500 after charging": {"on": "buy", "action": "error", "when": "after", "count": 3},
    "500 before charging": {"on": "buy", "action": "error", "when": "before", "count": 3},
    "it never answers": {"on": "buy", "action": "hang", "when": "after", "count": 2},
    "the reply comes in drips": {"on": "buy", "action": "drip", "bytes_per_second": 40, "count": 2},
    "the reply is cut off": {"on": "buy", "action": "malformed", "count": 3},
    "429 with Retry-After": {"on": ["create", "buy"], "action": "error", "status": 429, "retry_after": 1, "count": 3},
    "the reply is for another reference": {"on": "buy", "action": "other_reference", "reference": "X", "count": 2},
}


@pytest.mark.parametrize("fault", LIES.values(), ids=LIES.keys())
def test_whatever_the_carrier_says_each_row_is_bought_once(sandbox: SandboxProcess, fault: dict[str, Any]) -> None:
    sandbox.faults([fault])
    job = ship(sandbox, make_job(rows=12), until=completed)
    assert job.successful_rows == 12
    assert sandbox.stats()["charges"] == 12
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)


def test_a_carrier_that_stays_down_halts_the_job_with_the_reason(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "error", "status": 429}])
    job = ship(sandbox, make_job(rows=12), until=is_interrupted, HALT_AFTER_SECONDS="1")
    assert job.status == JobStatus.running
    assert job.error_row_number in range(1, 13)
    assert job.error_code
    assert job.runs.get().end_reason == RunEnd.halted
    assert sandbox.stats()["charges"] == 0
    sandbox.faults([])
    JobService().resume(job.pk)
    with worker(sandbox.url):
        wait_until(lambda: completed(Job.objects.get(pk=job.pk)), what="completed")
    assert sandbox.stats()["charges"] == 12


def test_a_carrier_that_is_killed_and_comes_back_charges_each_row_once(sandbox_file: Path, sandbox: Any) -> None:
    with SandboxProcess(sandbox_file) as carrier:
        carrier.faults([{"on": "buy", "action": "delay", "seconds": 0.2, "when": "after"}])
        job = make_job(rows=40)
        JobService().start(job.pk)
        with worker(carrier.url):
            wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows >= 10, what="10 bought")
            carrier.kill()
            time.sleep(1)
            carrier.restart()
            wait_until(lambda: completed(Job.objects.get(pk=job.pk)), 60, what="completed")
        assert carrier.stats()["charges"] == 40
        assert_books_equal_ledger(job, carrier)


def test_the_first_rejected_row_halts_the_job_and_resume_may_skip_it(sandbox: SandboxProcess) -> None:
    job = make_job(rows=12)
    row = Row.objects.get(job=job, number=5)
    row.order["to_street1"] = "1 REFUSE AT BUY Street"
    row.save()
    job = ship(sandbox, job, until=is_interrupted)
    assert (job.error_row_number, job.failed_rows) == (5, 1)
    assert_books_equal_ledger(job, sandbox)
    JobService().resume(job.pk, skip_failed_row=True)
    with worker(sandbox.url):
        wait_until(lambda: completed(Job.objects.get(pk=job.pk)), what="completed")
    job.refresh_from_db()
    assert (job.successful_rows, job.skipped_rows, job.failed_rows) == (11, 1, 0)


@sqlite_only
def test_a_worker_outlives_a_database_that_is_locked_past_the_timeout(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 0.2}])
    job = make_job(rows=30)
    JobService().start(job.pk)
    with worker(sandbox.url, DATABASE_BUSY_SECONDS="0.3") as process:
        wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows >= 5, what="5 bought")
        other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(2)
        other.execute("ROLLBACK")
        other.close()
        wait_until(lambda: completed(Job.objects.get(pk=job.pk)), what="completed")
        assert process.process is not None
        assert process.process.poll() is None
    assert sandbox.stats()["charges"] == 30
    assert_books_equal_ledger(job, sandbox)


def test_label_files_that_cannot_be_stored_hold_up_no_purchase(sandbox: SandboxProcess, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("in the way")
    job = ship(sandbox, make_job(rows=6), until=completed, MEDIA_ROOT=str(nowhere / "media"))
    assert job.successful_rows == 6
    assert Label.objects.filter(job=job, file="").count() == 6
    with worker(sandbox.url):
        wait_until(lambda: not Label.objects.filter(job=job, file="").exists(), what="the files")
    assert sandbox.stats()["charges"] == 6


def test_a_preparation_that_fails_is_free_and_tried_again(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "create", "action": "error", "status": 500, "count": 2}])
    job = ship(sandbox, make_job(rows=6), until=completed)
    assert not Row.objects.filter(job=job).exclude(status=RowStatus.completed).exists()
    assert sandbox.stats()["charges"] == 6
