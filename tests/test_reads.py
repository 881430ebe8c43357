"""Reads that must cost little in jobs of any size."""

import pytest

from shipping.services import JobService
from shipping.states import JobStatus
from tests.factories import claim_row, make_dead_run, make_job, make_live_run, row_of
from tests.support.databases import sqlite_only

pytestmark = pytest.mark.django_db


@sqlite_only
def test_rows_that_owe_an_answer_are_found_by_their_index_not_by_going_through_the_job() -> None:
    job = make_job(3)
    service = JobService()

    for rows in (service.rows_in_doubt(job.pk), service.rows_in_the_air(job.pk)):
        plan = rows[:51].explain()
        assert "INDEX row_owed" in plan
        assert "row_number_once_per_job" not in plan


def test_rows_in_the_air_are_those_waited_for_and_those_in_doubt_by_their_number() -> None:
    job, other = make_job(4, status=JobStatus.running), make_job(1, status=JobStatus.running)
    live, dead = make_live_run(job), make_dead_run(job)
    for number, run in ((4, live), (2, dead), (3, dead)):
        claim_row(row_of(job, number), run)
    claim_row(row_of(other, 1))

    assert [row.number for row in JobService().rows_in_the_air(job.pk)] == [2, 3, 4]
    assert [row.number for row in JobService().rows_in_doubt(job.pk)] == [2, 3]
