"""Rows in the hands of workers that died: tried alone from the second death on, a person's from the third."""

import os
import signal
from dataclasses import replace
from typing import Any

import pytest

from recovery import handle_recovery_choice
from recovery.review import send_again
from shipping.carriers.port import Prepared, Rejected, Unavailable, Unknown
from shipping.engine import books
from shipping.engine.letters import Claim, Inbox, Ready
from shipping.liveness import is_interrupted, this_process
from shipping.models import Job, Row, Run
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus
from tests.engine.letters import answer, claim, purchase, question, reserve, started_run, tick
from tests.factories import make_dead_run, make_job, make_live_run, row_of
from tests.support.altered import program
from tests.support.ledger import assert_books_equal_ledger, assert_one_charge_per_completed_row
from tests.support.processes import ChildProcess, wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def die(run: Run) -> None:
    """The run's process is gone: its number belongs to another by now."""
    gone = replace(this_process(), start_ticks=1)
    Run.objects.filter(pk=run.pk).update(pid_start_ticks=gone.start_ticks)


def resume(job: Job) -> Run:
    handle_recovery_choice("resume", job.pk, JobService())
    return started_run(Job.objects.get(pk=job.pk))


def find_not_bought(*numbers: int, job: Job) -> None:
    """The carrier is asked after due and quiet period, and says no."""
    Row.objects.filter(job=job, number__in=numbers).owed().update(due=book_now() - 1000)
    for number in numbers:
        answer(question(row_of(job, number)), None)


def crashes(job: Job) -> list[int]:
    return list(Row.objects.filter(job=job).order_by("number").values_list("crashes", flat=True))


def after_two_deaths(rows: int) -> Job:
    """Two workers died with rows 1 and 2 in flight; neither was bought, and nothing has been resumed since."""
    job = make_job(rows)
    for _death in range(2):
        run = started_run(job) if job.status == JobStatus.pending else resume(job)
        assert [letter.number for letter in claim(run, 2)] == [1, 2]
        die(run)
        books.tick(job.pk, Inbox(), books.Wishes(errands=8))
        find_not_bought(1, 2, job=job)
        job.refresh_from_db()
    return job


def test_a_death_is_counted_once_whoever_looks_and_however_often() -> None:
    job = make_job(3)
    run = started_run(job)
    claim(run, 2)
    reserve(run, 1)
    die(run)
    for _look in range(3):
        books.tick(job.pk, Inbox(), books.Wishes(errands=8))
    handle_recovery_choice("resume", job.pk, JobService())
    assert crashes(job) == [1, 1, 1]


def test_an_answer_from_the_worker_itself_clears_a_row_of_suspicion() -> None:
    job = make_job(3)
    first = started_run(job)
    letters = claim(first, 3)
    Row.objects.filter(job=job).update(crashes=2)
    answer(letters[0], purchase(letters[0]))
    answer(letters[1], Rejected("R", "no"))
    answer(letters[2], Unknown("U", "who knows"))
    assert crashes(job) == [0, 0, 0]


def test_rows_of_two_deaths_are_tried_alone_and_before_others() -> None:
    job = after_two_deaths(5)
    assert crashes(job) == [2, 2, 0, 0, 0]
    run = resume(job)
    (first,) = reserve(run, 4)
    assert first.number == 1
    assert reserve(run, 4) == []
    let_go(run)
    (bought,) = claim(run, 4)
    assert bought.number == 1
    assert reserve(run, 4) == []
    answer(bought, purchase(bought))
    (bought,) = claim(run, 4)
    assert bought.number == 2
    answer(bought, purchase(bought))
    assert [letter.number for letter in reserve(run, 4)] == [3, 4, 5]


def let_go(run: Run) -> None:
    Row.objects.filter(run=run, status=RowStatus.pending).update(run=None)


def test_a_suspect_row_waits_until_siblings_have_nothing_in_the_air() -> None:
    job = make_job(6)
    sibling = started_run(job)
    in_the_air = claim(sibling, 1)
    ready = reserve(sibling, 2)
    Row.objects.filter(job=job, number=6).update(crashes=2)
    run = make_live_run(job)
    assert reserve(run, 4) == []
    # What the sibling has prepared it lets go of: nothing but the suspect row is claimed now.
    readies = [Ready(preparation=each, prepared=Prepared(handle=f"shp_{each.row_id}")) for each in ready]
    assert [letter for letter in tick(sibling, ready=readies) if isinstance(letter, Claim)] == []
    assert reserve(run, 4) == []
    answer(in_the_air[0], purchase(in_the_air[0]))
    assert [letter.number for letter in reserve(run, 4)] == [6]
    assert reserve(sibling, 4) == []


def test_the_third_death_sets_a_row_aside_once_the_carrier_was_asked() -> None:
    job = after_two_deaths(3)
    run = resume(job)
    (alone,) = claim(run, 4)
    die(run)
    books.tick(job.pk, Inbox(), books.Wishes(errands=8))
    assert row_of(job, 1).status == RowStatus.in_flight
    find_not_bought(1, job=job)
    row = row_of(job, 1)
    assert (row.status, row.error_code, row.claims) == (RowStatus.needs_review, "workers_died", alone.claim)
    assert "3 workers" in row.error_message
    assert row.events.filter(kind=EventKind.set_aside).count() == 1
    # The other suspect row is still one, and the rest is not held up for ever.
    assert [letter.number for letter in claim(resume(job), 4)] == [2]


def test_a_label_that_was_bought_at_the_third_death_is_adopted_and_nothing_set_aside() -> None:
    job = after_two_deaths(3)
    run = resume(job)
    (alone,) = claim(run, 4)
    die(run)
    answer(question(row_of(job, 1)), purchase(alone))
    assert row_of(job, 1).status == RowStatus.completed


def test_a_row_that_workers_die_of_before_anything_is_sent_is_set_aside_too() -> None:
    job = make_job(2)
    for death in range(3):
        run = started_run(job) if death == 0 else resume(job)
        assert len(reserve(run, 2)) == (2 if death < 2 else 1)
        die(run)
        job.refresh_from_db()
    assert is_interrupted(job)
    handle_recovery_choice("resume", job.pk, JobService())
    assert [row.status for row in Row.objects.filter(job=job)] == [RowStatus.needs_review, RowStatus.pending]
    assert row_of(job, 1).due is None


def test_a_person_has_a_poisonous_row_tried_again_and_it_is_tried_alone() -> None:
    job = make_job(4, status=JobStatus.running)
    Row.objects.filter(job=job, number=3).update(crashes=3, status=RowStatus.needs_review, error_code="workers_died")
    send_again(row_of(job, 3))
    run = make_live_run(job)
    assert [letter.number for letter in reserve(run, 4)] == [3]
    die(run)
    books.tick(job.pk, Inbox(), books.Wishes())
    assert row_of(job, 3).status == RowStatus.needs_review


def test_unavailable_carriers_make_no_row_suspect() -> None:
    job = make_job(2)
    run = started_run(job)
    for letter in claim(run, 2):
        answer(letter, Unavailable("U", "later"))
    die(run)
    books.tick(job.pk, Inbox(), books.Wishes(errands=8))
    assert crashes(job) == [0, 0]


def test_a_fenced_worker_that_was_killed_later_counts_and_one_that_lives_does_not() -> None:
    job = make_job(2)
    run = started_run(job)
    claim(run, 1)
    JobService().pause(job.pk)
    books.tick(job.pk, Inbox(), books.Wishes(errands=8))
    assert crashes(job) == [0, 0]
    die(run)
    Row.objects.filter(job=job).update(ask_after=0.0)
    books.tick(job.pk, Inbox(), books.Wishes(errands=8))
    assert crashes(job) == [1, 0]


def test_looking_for_suspect_rows_takes_as_many_queries_for_long_jobs(django_assert_max_num_queries: Any) -> None:
    counts = []
    for rows in (10, 300):
        job = make_job(rows, status=JobStatus.running)
        dead = make_dead_run(job)
        Row.objects.filter(job=job, number__lte=rows // 2).update(run=dead)
        run = make_live_run(job)
        with django_assert_max_num_queries(40) as queries:
            tick(run, preparations=2)
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- A worker that really dies of a row ------------------------------------------------------------------------


def poison(number: int) -> None:
    """Have this worker die whenever it buys that row, as a library does that crashes on one label."""
    from shipping.carriers.easypost import EasyPost

    buy = EasyPost.buy

    def deadly(self: EasyPost, order: Any, *args: Any, **kwargs: Any) -> Any:
        if f"-{number:06d}-" in order.reference:
            os.kill(os.getpid(), signal.SIGKILL)
        return buy(self, order, *args, **kwargs)

    EasyPost.buy = deadly  # type: ignore[method-assign]


def test_one_row_that_kills_every_worker_is_found_and_the_rest_ships(sandbox: SandboxProcess) -> None:
    job = make_job(12)
    JobService().start(job.pk)
    waits = {"QUIET_SECONDS": "0.5", "REQUEST_TIMEOUT_SECONDS": "1"}
    variables = {"SANDBOX_URL": sandbox.url, **waits}
    deadly = program([("tests.engine.test_poison:poison", {"number": 5})], "worker")
    for _death in range(3):
        with ChildProcess(deadly, variables) as process:
            assert process.wait(60) == -signal.SIGKILL
        with worker(sandbox.url, **waits):
            wait_until(lambda: not Row.objects.filter(job=job).owed_to_us().exists(), what="all doubts settled")
        assert is_interrupted(Job.objects.get(pk=job.pk))
        handle_recovery_choice("resume", job.pk, JobService())
    assert row_of(job, 5).status == RowStatus.needs_review
    assert "died" in row_of(job, 5).error_message
    with ChildProcess(deadly, variables) as process:
        wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows == 11, 60, what="all the others bought")
        assert process.process is not None
        assert process.process.poll() is None
    assert sandbox.stats()["charges"] == 11
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)
