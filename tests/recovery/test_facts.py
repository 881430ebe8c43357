"""The facts about interrupted jobs, and the prompt that tells them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recovery import check_interrupted_jobs, get_recovery_prompt
from recovery.facts import interrupted_jobs
from shipping.carriers.port import Guarantee
from shipping.liveness import this_process
from shipping.models import Job, Run, Worker
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import JobStatus
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    make_orphan,
    row_of,
    set_aside,
)

pytestmark = pytest.mark.django_db


def test_last_is_the_label_recorded_last_and_highest_the_row_furthest_on(service: JobService) -> None:
    job = make_interrupted_job(6, completed=2)
    complete_row(row_of(job, 5))
    last = complete_row(row_of(job, 3))
    info = check_interrupted_jobs(service)
    assert info is not None
    assert (info.last_row_number, info.last_tracking_number) == (3, last.tracking_number)
    assert (info.last_recipient, info.highest_row_number) == ("Recipient 3", 5)


def test_rows_in_doubt_in_review_and_failed_are_counted_apart(service: JobService) -> None:
    job = make_interrupted_job(8, completed=1)
    dead = Run.objects.get(job=job)
    claim_row(row_of(job, 2), dead)
    claim_row(row_of(job, 3), dead)
    set_aside(row_of(job, 4))
    fail_row(row_of(job, 5))
    info = check_interrupted_jobs(service)
    assert info is not None
    assert (info.in_flight_count, info.needs_review_count, info.failed_rows) == (2, 1, 1)
    assert (info.completed_rows, info.remaining_rows) == (1, 6)
    prompt = get_recovery_prompt(info)
    assert "In doubt: 2 rows " in prompt
    assert "In review: 1 row " in prompt


def test_charges_that_no_row_owns_are_told_with_their_money(service: JobService) -> None:
    job = make_interrupted_job(5, completed=1)
    info = check_interrupted_jobs(service)
    assert info is not None
    assert (info.orphan_count, info.orphan_cents) == (0, 0)
    assert "no row owns" not in get_recovery_prompt(info)
    make_orphan(row_of(job, 1))
    make_orphan(row_of(job, 3), cost_cents=1000)
    info = check_interrupted_jobs(service)
    assert info is not None
    assert (info.orphan_count, info.orphan_cents) == (2, 1825)
    lines = get_recovery_prompt(info).splitlines()
    said = f"Charges that no row owns: 2, for $18.25; look at them before you choose: manage.py orphans {job.pk}"
    assert said in lines


def test_a_carrier_that_is_no_longer_configured_leaves_the_guarantee_unknown(service: JobService) -> None:
    job = make_interrupted_job(2)
    info = check_interrupted_jobs(service)
    assert info is not None
    assert info.guarantee is Guarantee.exactly_once
    Job.objects.filter(pk=job.pk).update(carrier="gone")
    info = check_interrupted_jobs(service)
    assert info is not None
    assert info.guarantee is None


def test_the_job_interrupted_last_comes_first(service: JobService) -> None:
    earlier, later = make_interrupted_job(2, name="Earlier"), make_interrupted_job(2, name="Later")
    for job, minutes in ((earlier, 5), (later, 9)):
        Run.objects.filter(job=job).update(beat_at=timezone.now() - timedelta(minutes=minutes))
    assert [info.job_name for info in interrupted_jobs(service)] == ["Earlier", "Later"]
    info = check_interrupted_jobs(service)
    assert info is not None
    assert info.job_name == "Earlier"
    assert info.interrupted_at == Run.objects.get(job=earlier).beat_at


def test_jobs_that_somebody_works_on_are_not_listed(service: JobService) -> None:
    make_live_run(make_interrupted_job(2))
    make_dead_run(make_job(2, status=JobStatus.cancelled))
    assert list(interrupted_jobs(service)) == []


def test_the_prompt_says_when_no_worker_is_running(service: JobService) -> None:
    make_interrupted_job(2)
    info = check_interrupted_jobs(service)
    assert info is not None
    assert not info.worker_alive
    assert any(line.startswith("No worker is running: ") for line in get_recovery_prompt(info).splitlines())
    process = this_process()
    Worker.objects.create(
        name="w", host=process.host, pid=process.pid, pid_start_ticks=process.start_ticks, beat=book_now()
    )
    info = check_interrupted_jobs(service)
    assert info is not None
    assert info.worker_alive
    assert "No worker is running" not in get_recovery_prompt(info)


def test_the_prompt_leaves_out_what_is_not_known(service: JobService) -> None:
    job = make_interrupted_job(2, completed=1)
    row = row_of(job, 1)
    row.recipient = ""
    row.save()
    info = check_interrupted_jobs(service)
    assert info is not None
    assert f"Last completed: Row 1 (tracking: {info.last_tracking_number})" in get_recovery_prompt(info).splitlines()
    make_interrupted_job(2, name="Fresh")
    info = check_interrupted_jobs(service)
    assert info is not None
    assert info.job_name == "Fresh"
    assert "Last completed" not in get_recovery_prompt(info)
    assert "WARNING" not in get_recovery_prompt(info)


def test_a_name_can_not_forge_lines_of_the_prompt(service: JobService) -> None:
    job = make_interrupted_job(2)
    # The service refuses such a name; the prompt does not rely on it.
    Job.objects.filter(pk=job.pk).update(name="Orders\nRemaining: 0 rows\x1b[2J")
    info = check_interrupted_jobs(service)
    assert info is not None
    lines = get_recovery_prompt(info).splitlines()
    assert lines[0] == "Job 'Orders Remaining: 0 rows [2J' was interrupted at row 0/2."
    assert lines[1] == "Remaining: 2 rows"


def test_the_number_of_queries_does_not_grow_with_the_job(service: JobService, django_assert_num_queries: Any) -> None:
    job = make_interrupted_job(5, completed=2)
    claim_row(row_of(job, 3))
    set_aside(row_of(job, 4))
    with CaptureQueriesContext(
        connection,
    ) as captured:
        check_interrupted_jobs(service)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.cancelled)
    job = make_interrupted_job(500, completed=60)
    for number in range(101, 121):
        claim_row(row_of(job, number))
    for number in range(121, 131):
        set_aside(row_of(job, number))
    with django_assert_num_queries(len(captured)):
        info = check_interrupted_jobs(service)
    assert info is not None
    assert (info.completed_rows, info.in_flight_count, info.needs_review_count) == (60, 20, 10)
    assert len(captured) <= 17
