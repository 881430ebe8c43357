"""The builders leave books behind that the product itself would agree with."""

import pytest

from shipping.liveness import Condition, condition
from shipping.models import Job
from shipping.services import JobService
from tests.factories import (
    claim_row,
    fail_row,
    make_interrupted_job,
    make_live_run,
    row_of,
    set_aside,
    skip_row,
)

pytestmark = pytest.mark.django_db


def test_counters_are_those_of_the_rows() -> None:
    job = make_interrupted_job(6, completed=2, cost_cents=500)
    claim_row(row_of(job, 3))
    fail_row(row_of(job, 4))
    set_aside(row_of(job, 5))
    skip_row(row_of(job, 6))
    job = Job.objects.get(pk=job.pk)
    assert (job.total_rows, job.processed_rows, job.successful_rows, job.failed_rows) == (6, 4, 2, 1)
    assert (job.remaining_rows, job.skipped_rows, job.cost_cents) == (2, 1, 1000)
    assert [row.number for row in JobService().rows_in_doubt(job.pk)] == [3]


def test_a_dead_run_leaves_the_job_interrupted_and_a_live_one_does_not() -> None:
    job = make_interrupted_job(2)
    assert condition(job) == Condition.interrupted
    make_live_run(job)
    assert condition(job) == Condition.working
