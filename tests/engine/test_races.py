"""Two at the same instant, and one that comes back from the dead."""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, close_old_connections, connection, transaction
from django.utils import timezone

from recovery import handle_recovery_choice
from shipping.engine import books
from shipping.engine.letters import Inbox
from shipping.liveness import is_interrupted
from shipping.models import Event, Job, Row, Run
from shipping.services import JobService, NotInterrupted, Refused
from shipping.states import EventKind, JobStatus, RowStatus, RunEnd
from tests.engine.letters import claim, started_run
from tests.factories import make_interrupted_job, make_job
from tests.support.ledger import assert_books_equal_ledger, assert_one_charge_per_completed_row
from tests.support.processes import CommandProcess, wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Do things at the same instant, each on a connection of its own; returns results and exceptions."""
    barrier = threading.Barrier(len(actions))

    def act(action: Callable[[], Any]) -> Any:
        try:
            barrier.wait(10)
            return action()
        except Exception as error:
            return error
        finally:
            connection.close()

    close_old_connections()
    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(act, actions))


def freeze(process: CommandProcess, job: Job) -> None:
    """Stop a process with SIGSTOP between its transactions: one that sleeps inside a transaction keeps the job's lock
    (on SQLite: everybody's), which is another story.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 20")
    for _try in range(200):
        process.signal(signal.SIGSTOP)
        try:
            with transaction.atomic():
                Job.objects.select_for_update(no_key=True, nowait=True).get(pk=job.pk)
                Job.objects.filter(pk=0).update(name="")
        except OperationalError:
            process.signal(signal.SIGCONT)
            time.sleep(0.05)
        else:
            connection.close()
            return
    raise AssertionError("the process was never found between two transactions")


@pytest.mark.parametrize("turn", range(5))
def test_a_choice_against_a_claim_at_the_same_instant(turn: int) -> None:
    job = make_job(rows=50)
    run = started_run(job)
    results = at_once(
        lambda: claim(run, 20),
        lambda: JobService().cancel(job.pk),
        lambda: claim(run, 20),
    )
    assert not [each for each in results if isinstance(each, Exception)]
    allowed = {letter.row_id for letters in (results[0], results[2]) for letter in letters}
    in_flight = set(Row.objects.filter(job=job, status=RowStatus.in_flight).values_list("pk", flat=True))
    assert allowed == in_flight, "what was claimed was allowed to be sent, and nothing else"
    assert books.tick(job.pk, Inbox(), books.Wishes(preparations=5), run_id=run.pk).letters == []


@pytest.mark.parametrize("turn", range(3))
def test_two_choices_at_once_act_once(turn: int) -> None:
    job = make_interrupted_job(rows=10, completed=3)
    results = at_once(
        lambda: handle_recovery_choice("resume", job.pk, JobService()),
        lambda: handle_recovery_choice("resume", job.pk, JobService()),
        lambda: handle_recovery_choice("resume", job.pk, JobService()),
    )
    refused = [each for each in results if isinstance(each, Exception)]
    assert len(refused) == 2
    assert all(isinstance(each, NotInterrupted) for each in refused)
    assert Event.objects.filter(job=job, kind=EventKind.resumed).count() == 1
    assert Run.objects.issued().filter(job=job).count() == 1


def test_two_runs_that_tick_at_once_never_claim_the_same_row() -> None:
    job = make_job(rows=60)
    first = started_run(job)
    second = Run.objects.get(pk=first.pk)
    second.pk = None
    second.save()
    results = at_once(*[lambda run=run: claim(run, 10) for run in (first, second, first, second)])
    claimed = [letter.row_id for letters in results for letter in letters]
    assert len(claimed) == len(set(claimed)) == 40


def test_two_workers_start_the_same_run_once() -> None:
    from shipping.liveness import this_process

    job = make_job(rows=2)
    JobService().start(job.pk)
    run = Run.objects.get(job=job)
    results = at_once(*[lambda: books.start_run(run.pk, this_process()) for _worker in range(4)])
    assert [each for each in results if each is not None and not isinstance(each, Exception)] != []
    assert sum(isinstance(each, Run) for each in results) == 1


def test_a_frozen_worker_that_wakes_claims_nothing_and_what_it_had_sent_is_recorded(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 0.4}])
    job = make_job(rows=40)
    JobService().start(job.pk)
    with worker(sandbox.url) as sleeper:
        wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows >= 8, what="8 rows bought")
        wait_until(
            lambda: Row.objects.filter(job=job, status=RowStatus.in_flight).count() >= 4, what="purchases in the air"
        )
        freeze(sleeper, job)
        assert not is_interrupted(Job.objects.get(pk=job.pk)), "a frozen process is alive until its lease is over"
        wait_until(lambda: is_interrupted(Job.objects.get(pk=job.pk)), 20, what="the lease over")
        handle_recovery_choice("resume", job.pk, JobService())
        fenced = Run.objects.get(job=job, started_at__isnull=False)
        last_beat = fenced.beat_at
        with worker(sandbox.url) as successor:
            wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows >= 20, what="20 rows bought")
            woken_at = timezone.now()
            sleeper.signal(signal.SIGCONT)

            def done_without_the_sleeper() -> bool:
                mine = Row.objects.filter(job=job, run=fenced.pk)
                assert not mine.filter(claimed_at__gt=woken_at).exists(), "a fenced run claimed a row"
                assert not mine.filter(status=RowStatus.pending).exists(), "a fenced run took a row for itself"
                return Job.objects.get(pk=job.pk).status == JobStatus.completed

            wait_until(done_without_the_sleeper, 60, what="completed")
            fenced.refresh_from_db()
            assert (fenced.end_reason, fenced.beat_at) == (RunEnd.died, last_beat), "a fenced run beats no more"
            sleeper.signal(signal.SIGTERM)
            assert sleeper.wait(20) == 0
            successor.signal(signal.SIGTERM)
            assert successor.wait(20) == 0
    assert sandbox.stats()["duplicates"] == 0
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)


def test_a_choice_made_on_facts_that_moved_is_refused_and_says_who_did_what(clerk: Any) -> None:
    job = make_interrupted_job(rows=5, completed=2)
    facts = JobService().facts(job)
    JobService().resume(job.pk, actor=clerk)
    Run.objects.filter(job=job).update(ended_at=None)
    with pytest.raises(Refused, match="clerk"):
        JobService().restart(job.pk, expected=facts)
