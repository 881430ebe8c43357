"""Claim before money: what a tick lets go out, and what it keeps back."""

import pytest

from shipping.carriers.port import Prepared, Rejected, Unavailable
from shipping.engine import books
from shipping.engine.letters import Claim, Inbox, Ready, Reply
from shipping.liveness import this_process
from shipping.models import Job, Row, Run
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus, RunEnd
from tests.engine.letters import answer, claim, purchase, reserve, started_run, tick
from tests.factories import make_dead_run, make_job, row_of

pytestmark = pytest.mark.django_db


def test_a_claim_is_in_the_books_before_it_may_be_sent() -> None:
    job = make_job(rows=3)
    run = started_run(job)
    before = book_now()
    letters = claim(run, 2)
    assert [letter.number for letter in letters] == [1, 2]
    for letter in letters:
        row = row_of(job, letter.number)
        assert (row.status, row.claims, row.handle, row.run_id) == (
            RowStatus.in_flight,
            1,
            letter.handle,
            run.pk,
        )
        assert row.due is not None
        assert row.due > before
    assert row_of(job, 3).status == RowStatus.pending


def test_rows_that_a_live_sibling_keeps_are_left_alone_and_those_of_a_dead_one_are_free(settings: object) -> None:
    job = make_job(rows=4)
    run = started_run(job)
    sibling = Run.objects.get(pk=run.pk)
    sibling.pk = None
    sibling.save()
    assert [each.number for each in reserve(run, 2)] == [1, 2]
    assert [each.number for each in reserve(sibling, 2)] == [3, 4]
    dead = make_dead_run(job)
    Row.objects.filter(job=job, number=1).update(run=dead)
    assert [each.number for each in reserve(sibling, 2)] == [1]


def test_a_row_that_another_run_took_is_not_claimed() -> None:
    job = make_job(rows=1)
    run = started_run(job)
    (reserved,) = reserve(run, 1)
    Row.objects.filter(job=job).update(run=make_dead_run(job))
    ready = [Ready(preparation=reserved, prepared=Prepared(handle="shp_x"))]
    assert tick(run, ready=ready) == []
    assert row_of(job, 1).status == RowStatus.pending


def test_the_handle_is_pinned_to_the_attempt() -> None:
    job = make_job(rows=1)
    run = started_run(job)
    (letter,) = claim(run)
    answer(letter, Unavailable("busy", "Later, please."))
    (again,) = reserve(run, 1)
    assert again.handle == letter.handle
    other = [Ready(preparation=again, prepared=Prepared(handle="shp_other"))]
    assert tick(run, ready=other) == []
    row = row_of(job, 1)
    assert (row.status, row.handle, row.run) == (RowStatus.pending, letter.handle, None)


def test_a_handle_that_belongs_to_another_row_is_never_bought_for_this_one() -> None:
    job = make_job(rows=3, stop_on_error=False)
    run = started_run(job)
    first, second, third = reserve(run, 3)
    same = Prepared(handle="shp_same")
    tick(run, ready=[Ready(preparation=first, prepared=same)])
    letters = tick(
        run,
        ready=[
            Ready(preparation=second, prepared=same),
            Ready(preparation=third, prepared=Prepared(handle="shp_third")),
        ],
    )
    assert [letter.number for letter in letters if isinstance(letter, Claim)] == [3]
    assert row_of(job, 2).error_code == "handle_taken"


@pytest.mark.parametrize("choice", ["pause", "cancel"])
def test_a_fenced_run_claims_nothing_and_what_it_had_sent_is_recorded(choice: str) -> None:
    job = make_job(rows=3)
    run = started_run(job)
    (letter,) = claim(run)
    reserved = reserve(run, 1)
    getattr(JobService(), choice)(job.pk)
    ready = [Ready(preparation=each, prepared=Prepared(handle="shp_late")) for each in reserved]
    outcome = books.tick(job.pk, Inbox(), books.Wishes(ready=ready, preparations=5), run_id=run.pk)
    assert outcome.letters == []
    assert outcome.standing is books.Standing.fenced
    answer(letter, purchase(letter))
    row = row_of(job, 1)
    assert (row.status, row.due) == (RowStatus.completed, None)
    assert Job.objects.get(pk=job.pk).successful_rows == 1


def test_a_job_with_an_error_claims_nothing_more() -> None:
    job = make_job(rows=3)
    run = started_run(job)
    first, second = claim(run, 2)
    answer(first, Rejected("ADDRESS", "No such street."))
    assert claim(run) == []
    answer(second, purchase(second))
    job.refresh_from_db()
    assert (job.status, job.error_code, job.error_row_number) == (JobStatus.running, "ADDRESS", 1)
    assert (job.successful_rows, job.failed_rows) == (1, 1)


def test_without_stop_on_error_the_job_goes_on_and_completes_with_its_failed_rows_counted() -> None:
    job = make_job(rows=2, stop_on_error=False)
    run = started_run(job)
    first, second = claim(run, 2)
    answer(first, Rejected("ADDRESS", "No such street."))
    answer(second, purchase(second))
    job.refresh_from_db()
    assert (job.status, job.successful_rows, job.failed_rows) == (JobStatus.completed, 1, 1)


def test_a_refused_preparation_fails_the_row_unless_it_was_claimed_meanwhile() -> None:
    job = make_job(rows=2, stop_on_error=False)
    run = started_run(job)
    first, second = reserve(run, 2)
    tick(run, ready=[Ready(preparation=second, prepared=Prepared(handle="shp_2"))])
    error = Rejected("ADDRESS", "No such street.")
    tick(run, Reply(first, error), Reply(second, error))
    assert row_of(job, 1).status == RowStatus.failed
    assert row_of(job, 2).status == RowStatus.in_flight


def test_a_run_starts_once_however_often_it_is_delivered() -> None:
    job = make_job(rows=1)
    run = started_run(job)
    assert books.start_run(run.pk, this_process()) is None
    assert books.start_run(987654, this_process()) is None


def test_a_first_turn_run_does_not_start_once_a_started_one_died_but_a_successor_does() -> None:
    job = make_job(rows=1)
    JobService().start(job.pk)
    make_dead_run(job)
    late = Run.objects.issued().get(job=job)
    assert books.start_run(late.pk, this_process()) is None
    Run.objects.filter(pk=late.pk).update(turn=2)
    assert books.start_run(late.pk, this_process()) is not None


def test_a_run_of_an_older_epoch_does_not_start() -> None:
    job = make_job(rows=1)
    JobService().start(job.pk)
    old = Run.objects.issued().get(job=job)
    JobService().pause(job.pk)
    JobService().start(job.pk)
    assert books.start_run(old.pk, this_process()) is None
    old.refresh_from_db()
    assert old.end_reason == RunEnd.never_started


def test_a_hand_over_issues_a_successor_and_lets_the_reserved_rows_go() -> None:
    job = make_job(rows=2)
    run = started_run(job)
    reserve(run, 2)
    books.end_run(run.pk, RunEnd.handed_over)
    successor = Run.objects.issued().get(job=job)
    assert successor.turn == 2
    assert not Row.objects.filter(job=job, run__isnull=False).exists()
    books.end_run(run.pk, RunEnd.handed_over)
    assert Run.objects.issued().filter(job=job).count() == 1


def test_the_number_of_runs_follows_the_size_of_the_job(settings: object) -> None:
    job = make_job(rows=30)
    settings.ROWS_PER_RUN = 10  # type: ignore[attr-defined]
    settings.RUNS_PER_JOB = 2  # type: ignore[attr-defined]
    JobService().start(job.pk)
    assert Run.objects.issued().filter(job=job).count() == 2
