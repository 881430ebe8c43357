"""The state machines as tables, and the rows' counters that follow them."""

from typing import Any

import pytest

from shipping.models import Job
from shipping.rows import IllegalRowMove, move_row
from shipping.services import IllegalTransition, JobService, UnknownJob
from shipping.states import JOB_TRANSITIONS, OPEN_JOB_STATUSES, ROW_TRANSITIONS, JobStatus, RowStatus
from tests.factories import complete_row, make_job, row_of

ALL_JOB_MOVES = [(before, after) for before in JobStatus for after in JobStatus]
ALL_ROW_MOVES = [(before, after) for before in RowStatus for after in RowStatus if before != RowStatus.completed]


def test_every_state_has_its_line_and_its_members_are_lowercase() -> None:
    assert set(JOB_TRANSITIONS) == set(JobStatus)
    assert set(ROW_TRANSITIONS) == set(RowStatus)
    assert all(member.name == member.value == member.name.lower() for member in [*JobStatus, *RowStatus])


def test_the_open_states_are_those_that_can_be_cancelled() -> None:
    assert {JobStatus.pending, JobStatus.running, JobStatus.paused} == OPEN_JOB_STATUSES


def test_a_bought_row_only_ever_becomes_open_again_by_a_restart() -> None:
    assert ROW_TRANSITIONS[RowStatus.completed] == {RowStatus.pending}
    assert all(RowStatus.completed in ROW_TRANSITIONS[status] for status in RowStatus if status != RowStatus.completed)


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "after"), ALL_JOB_MOVES)
def test_update_status_does_what_the_table_allows_and_says_what_that_is(before: JobStatus, after: JobStatus) -> None:
    job = make_job(rows=1)
    Job.objects.filter(pk=job.pk).update(status=before)
    if after in JOB_TRANSITIONS[before]:
        changed = JobService().update_status(job.pk, after)
        assert (changed.status, changed.epoch) == (after, 1)
        assert job.events.count() == 1
        return
    with pytest.raises(IllegalTransition) as refused:
        JobService().update_status(job.pk, after)
    for possible in JOB_TRANSITIONS[before]:
        assert possible.label.lower() in str(refused.value)
    assert Job.objects.get(pk=job.pk).status == before


@pytest.mark.django_db
def test_an_unknown_job_is_refused() -> None:
    with pytest.raises(UnknownJob):
        JobService().update_status(4711, JobStatus.running)


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "after"), ALL_ROW_MOVES)
def test_a_row_moves_only_along_the_table_and_takes_the_counters_with_it(before: RowStatus, after: RowStatus) -> None:
    job = make_job(rows=2)
    label = complete_row(row_of(job, 2))
    job.refresh_from_db()
    row = row_of(job, 1)
    owed = {"handle": "shp_1", "due": 1.0} if before == RowStatus.in_flight else {}
    type(row).objects.filter(pk=row.pk).update(status=before, **owed)
    row.refresh_from_db()
    wanted: dict[RowStatus, dict[str, Any]] = {
        RowStatus.completed: {"label": label, "due": None},
        RowStatus.in_flight: {"handle": "shp_1", "due": 1.0},
    }
    fields = wanted.get(after, {"due": None})
    if after not in ROW_TRANSITIONS[before]:
        with pytest.raises(IllegalRowMove):
            move_row(job, row, after, **fields)
        return
    counters = (job.processed_rows, job.successful_rows, job.failed_rows)
    move_row(job, row, after, **fields)
    done = {RowStatus.completed, RowStatus.failed, RowStatus.skipped}
    assert job.processed_rows - counters[0] == (after in done) - (before in done)
    assert job.successful_rows - counters[1] == (after == RowStatus.completed)
    assert job.failed_rows - counters[2] == (after == RowStatus.failed) - (before == RowStatus.failed)


@pytest.mark.django_db
def test_a_row_that_somebody_moved_meanwhile_is_not_moved() -> None:
    job = make_job(rows=1)
    stale, row = row_of(job, 1), row_of(job, 1)
    move_row(job, row, RowStatus.skipped)
    with pytest.raises(IllegalRowMove):
        move_row(job, stale, RowStatus.skipped)
