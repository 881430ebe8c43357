"""Taking turns: a small job that is started behind a large one ships at once, and large ones go on side by side."""

from contextlib import ExitStack
from typing import Any

import pytest

from shipping.engine import books
from shipping.engine.letters import Inbox
from shipping.engine.turns import should_give_way
from shipping.liveness import condition
from shipping.models import Job, Run
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import ComparisonStatus, JobStatus, RunEnd
from tests.factories import make_comparison, make_job, make_live_run
from tests.support.ledger import assert_books_equal_ledger, assert_one_charge_per_completed_row
from tests.support.processes import wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db

LATER = 60.0


def at_work(*, runs: int = 1) -> list[Run]:
    """The live runs of a job that is at work."""
    job = make_job(status=JobStatus.running)
    return [make_live_run(job) for _each in range(runs)]


def waiting(**changes: Any) -> Job:
    """A job that was just started and waits for a worker."""
    job = make_job()
    JobService().start(job.pk)
    Job.objects.filter(pk=job.pk).update(**changes)
    return job


def in_a_moment() -> float:
    """When what waits now has waited for longer than a moment; everybody who lives still does."""
    return book_now() + 2.0


def test_a_run_gives_way_to_a_job_that_nobody_is_at() -> None:
    (run,) = at_work()
    assert not should_give_way(run.pk, in_a_moment())
    waiting()
    assert should_give_way(run.pk, in_a_moment())


def test_a_job_that_waits_no_longer_than_a_moment_is_left_to_an_idle_worker() -> None:
    (run,) = at_work()
    waiting()
    assert not should_give_way(run.pk, book_now())


def test_as_many_runs_give_way_as_jobs_wait_and_those_issued_first() -> None:
    first, second, third = at_work(runs=3)
    waiting()
    assert [should_give_way(run.pk, in_a_moment()) for run in (first, second, third)] == [True, False, False]
    waiting()
    assert [should_give_way(run.pk, in_a_moment()) for run in (first, second, third)] == [True, True, False]


def test_several_runs_of_one_job_that_waits_count_once() -> None:
    _first, second = at_work(runs=2)
    job = waiting()
    for _each in range(3):
        Run.objects.create(job=job, epoch=1, issued=0.0, queued=0.0)
    assert not should_give_way(second.pk, in_a_moment())


def test_a_job_that_has_a_worker_already_is_given_no_second_one() -> None:
    (run,) = at_work()
    make_live_run(waiting())
    assert not should_give_way(run.pk, in_a_moment())


def test_an_interrupted_job_waits_for_a_person_and_no_run_gives_way_to_it() -> None:
    (run,) = at_work()
    job = waiting()
    dead = make_live_run(job)
    Run.objects.filter(pk=dead.pk).update(epoch=1, beat=book_now() - 1000.0)
    assert not should_give_way(run.pk, in_a_moment())
    # The successor of a run that handed over may start all the same.
    Run.objects.create(job=job, epoch=1, turn=2, issued=0.0, queued=0.0)
    assert should_give_way(run.pk, in_a_moment())


@pytest.mark.parametrize(
    "changes", [{"status": JobStatus.paused}, {"error_code": "ADDRESS.INVALID"}, {"epoch": 7}], ids=str
)
def test_nothing_gives_way_to_a_run_that_may_not_start(changes: dict[str, Any]) -> None:
    (run,) = at_work()
    waiting(**changes)
    assert not should_give_way(run.pk, in_a_moment())


def test_a_run_that_does_not_beat_any_more_is_not_waited_for(settings: Any) -> None:
    dead, living = at_work(runs=2)
    waiting()
    Run.objects.filter(pk=dead.pk).update(beat=book_now() - settings.LEASE_SECONDS)
    assert should_give_way(living.pk, in_a_moment())


def test_a_run_gives_way_to_a_comparison_that_nobody_makes() -> None:
    (run,) = at_work()
    comparison = make_comparison(make_job(), status=ComparisonStatus.ordered)
    assert should_give_way(run.pk, in_a_moment())
    comparison.beat = book_now()
    comparison.save()
    assert not should_give_way(run.pk, in_a_moment())


def test_only_who_has_had_a_turn_gives_way() -> None:
    (run,) = at_work()
    waiting()
    Run.objects.update(issued=book_now() - LATER)
    assert not books.tick(run.job_id, Inbox(), books.Wishes(), run_id=run.pk).give_way
    assert books.tick(run.job_id, Inbox(), books.Wishes(turn_over=True), run_id=run.pk).give_way


def test_a_successor_is_told_for_how_long_the_carrier_has_failed() -> None:
    (run,) = at_work()
    books.end_run(run.pk, RunEnd.handed_over, failing_for=30.0)
    successor = Run.objects.issued().get(job=run.job_id)
    assert successor.failing_since == pytest.approx(book_now() - 30.0, abs=5.0)


# --- Real workers ----------------------------------------------------------------------------------------------

SLOWLY = [{"on": "buy", "action": "delay", "when": "after", "seconds": 0.5}]
TURNS = {"RUN_TURN_SECONDS": "1", "SHIP_CONCURRENCY": "4"}
SMALL = 20
PATIENCE_SECONDS = 180.0


def status(job: Job) -> str:
    return Job.objects.get(pk=job.pk).status


def wait_for(job: Job) -> None:
    try:
        wait_until(lambda: status(job) == JobStatus.completed, PATIENCE_SECONDS, what=f"job {job.pk} completed")
    except AssertionError as error:
        fresh = Job.objects.get(pk=job.pk)
        runs = list(fresh.runs.values_list("pk", "turn", "started_at", "beat", "ended_at", "end_reason"))
        told = f"{condition(fresh)} {fresh.error_code} {fresh.error_message}, {fresh.processed_rows} rows; {runs}"
        error.add_note(f"The job at {book_now()}: {told}")
        raise


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("workers", "rows"), [(1, 240), (3, 600)])
def test_a_small_job_behind_a_large_one_ships_at_once(
    sandbox: SandboxProcess, settings: Any, workers: int, rows: int
) -> None:
    sandbox.faults(SLOWLY)
    settings.ROWS_PER_RUN = 20  # six runs are more than there are workers
    settings.RUNS_PER_JOB = 6
    large, small = make_job(rows), make_job(SMALL)
    with ExitStack() as stack:
        for _each in range(workers):
            stack.enter_context(worker(sandbox.url, **TURNS))
        JobService().start(large.pk)
        live = Run.objects.started().filter(job=large)
        wait_until(lambda: live.count() == workers, PATIENCE_SECONDS, what="all workers at the large job")
        JobService().start(small.pk)
        wait_for(small)
        bought = Job.objects.get(pk=large.pk).successful_rows
        assert status(large) == JobStatus.running
        assert bought < large.total_rows
        wait_for(large)
    for job in (large, small):
        assert_books_equal_ledger(job, sandbox)
        assert_one_charge_per_completed_row(job, sandbox)
    assert large.runs.filter(end_reason=RunEnd.handed_over).exists()


@pytest.mark.django_db(transaction=True)
def test_large_jobs_take_turns_at_one_worker(sandbox: SandboxProcess, settings: Any) -> None:
    sandbox.faults(SLOWLY)
    settings.RUNS_PER_JOB = 1
    jobs = [make_job(40) for _each in range(3)]
    with worker(sandbox.url, **TURNS):
        for job in jobs:
            JobService().start(job.pk)
        for job in jobs:
            wait_for(job)
    for job in jobs:
        assert_books_equal_ledger(job, sandbox)
    order = list(Run.objects.exclude(started_at=None).order_by("started_at").values_list("job", flat=True))
    assert sorted(order[:3]) == sorted(job.pk for job in jobs), "each had a turn before one had a second"
    assert len(order) > 3
