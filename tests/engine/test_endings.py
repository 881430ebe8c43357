"""How runs, jobs and processes end, and what must not keep them from it."""

import os
import signal
import threading
import time
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django_tasks_db.models import DBTaskResult

from shipping.carriers.port import Prepared, Rejected, Unavailable, Unknown, VoidAnswer, VoidState
from shipping.engine import books, filing, process
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.letters import Inbox, Ready, Reply, VoidLetter
from shipping.engine.loop import RunLoop
from shipping.engine.trouble import Trouble
from shipping.engine.wire import Wire
from shipping.liveness import ProcessIdentity, is_gone, this_process
from shipping.models import Event, Job, Label, Row, Run
from shipping.models.clock import book_now, local_seconds
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus, RunEnd, Sweep
from tests.engine.letters import answer, claim, claim_letter, purchase, question, reserve, started_run, tick
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    halt_job,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    row_of,
)
from tests.support.ledger import assert_counters_equal_rows
from tests.support.processes import CommandProcess, wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db


def test_completing_a_job_ends_all_its_runs_each_with_its_reason(settings: Any) -> None:
    settings.ROWS_PER_RUN = 1
    job = make_job(rows=2)
    run = started_run(job)
    make_dead_run(job)
    for letter in claim(run, 2):
        answer(letter, purchase(letter))
    reasons = sorted(Run.objects.filter(job=job).values_list("end_reason", flat=True))
    assert reasons == sorted([RunEnd.no_work, RunEnd.never_started, RunEnd.died])


@pytest.mark.django_db(transaction=True)
def test_runs_that_may_not_start_keep_no_lost_one_from_the_queue(settings: Any) -> None:
    long_ago = book_now() - settings.LEASE_SECONDS - 100
    for _job in range(25):
        stale = make_job(rows=1)
        JobService().start(stale.pk)
        make_dead_run(Job.objects.get(pk=stale.pk))
    lost = make_job(rows=1)
    JobService().start(lost.pk)
    Run.objects.issued().update(queued=long_ago)
    DBTaskResult.objects.all().delete()
    housekeeper = Housekeeper(Wire(1))
    for _round in range(3):
        housekeeper.round()
    assert lost.events.filter(kind=EventKind.run_requeued).count() == 1


def test_void_first_never_buys_again_before_the_void_even_after_a_plain_restart() -> None:
    job = make_interrupted_job(rows=2)
    row = claim_row(row_of(job, 1), due_in=-1)
    asked = question(row)
    answer(asked, purchase(asked))
    for void_first in (False, True):
        job.refresh_from_db()
        JobService().restart(job.pk, expected=JobService().facts(job), void_first=void_first)
        job.refresh_from_db()
        run = started_run(job)
        while Job.objects.get(pk=job.pk).sweep:
            tick(run)
        Run.objects.filter(pk=run.pk).update(pid_start_ticks=1)
    letter = claim_letter(Row.objects.get(pk=row.pk))
    answer(letter, purchase(letter))
    row.refresh_from_db()
    assert (row.status, row.attempt) == (RowStatus.completed, 1)
    (void,) = [
        each
        for each in books.tick(job.pk, Inbox(), books.Wishes(errands=5), run_id=run.pk).letters
        if isinstance(each, VoidLetter)
    ]
    answer(void, VoidAnswer(state=VoidState.submitted))
    row.refresh_from_db()
    assert (row.status, row.attempt) == (RowStatus.pending, 2)
    assert_counters_equal_rows(job)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [books.CommitUnknown(), DatabaseError("read-only"), ValueError("bug")])
def test_housekeeping_survives_a_job_that_can_not_be_served(
    monkeypatch: pytest.MonkeyPatch, settings: Any, error: Exception
) -> None:
    bad, good = make_interrupted_job(rows=1), make_interrupted_job(rows=1)
    for job in (bad, good):
        claim_row(row_of(job, 1), make_dead_run(job), due_in=-1)
    served: list[int] = []
    real = books.tick

    def ticking(job_id: int, *arguments: Any, **options: Any) -> Any:
        if job_id == bad.pk:
            raise error
        served.append(job_id)
        return real(job_id, *arguments, **options)

    monkeypatch.setattr(books, "tick", ticking)
    monkeypatch.setattr(filing, "RETRY_SECONDS", 0.01)
    Housekeeper(Wire(1)).round()
    assert good.pk in served


def test_a_conflicting_answer_to_a_completed_row_does_not_hold_its_job_open() -> None:
    job = make_job(rows=2)
    first, second = claim(started_run(job), 2)
    answer(first, purchase(first))
    row = row_of(job, 2)
    asked = question(row)
    answer(asked, purchase(asked))
    answer(second, purchase(second, purchase_id=first.handle))
    job.refresh_from_db()
    assert job.status == JobStatus.completed
    assert job.events.filter(kind=EventKind.label_conflict).exists()


def test_a_completed_row_that_can_not_be_asked_about_is_let_go_with_a_trace(settings: Any) -> None:
    settings.REVIEW_AFTER_QUESTIONS = 2
    job = make_interrupted_job(rows=1)
    row = claim_row(row_of(job, 1), make_dead_run(job), due_in=-1)
    asked = question(row)
    answer(asked, purchase(asked))
    # Before then, the request itself might still arrive: tests/engine/test_reconcile.py.
    Row.objects.filter(pk=row.pk).update(due=book_now() - settings.QUIET_SECONDS - 1)
    for _question in range(2):
        row.refresh_from_db()
        answer(question(row), Unknown("404", "No such shipment."))
    row.refresh_from_db()
    assert (row.status, row.due) == (RowStatus.completed, None)
    assert job.events.filter(kind=EventKind.unanswered).count() == 1
    assert Job.objects.get(pk=job.pk).status == JobStatus.completed


def test_a_void_that_is_confirmed_after_it_was_refused_is_recorded() -> None:
    job = make_interrupted_job(rows=2, completed=1)
    JobService().cancel(job.pk)
    JobService().void_labels(job.pk)
    books.tick(job.pk, Inbox(), books.Wishes())
    (letter,) = books.tick(job.pk, Inbox(), books.Wishes(errands=5)).letters[:1]
    answer(letter, VoidAnswer(state=VoidState.refused, message="Scanned."))
    answer(letter, VoidAnswer(state=VoidState.submitted))
    assert Label.objects.get(job=job).voided_at is not None
    assert_counters_equal_rows(job)


def test_an_over_job_carries_out_no_restart() -> None:
    job = make_interrupted_job(rows=3, completed=2)
    JobService().restart(job.pk, expected=JobService().facts(job))
    JobService().update_status(job.pk, JobStatus.cancelled)
    job.refresh_from_db()
    assert job.sweep == Sweep.none
    Job.objects.filter(pk=job.pk).update(sweep=Sweep.restart, sweep_mark=10**9)
    books.tick(job.pk, Inbox(), books.Wishes())
    assert row_of(job, 1).status == RowStatus.completed


def test_carrying_on_after_a_pause_tries_the_row_again_that_halted_the_job() -> None:
    job = make_interrupted_job(rows=3)
    halt_job(row_of(job, 1))
    JobService().pause(job.pk)
    job.refresh_from_db()
    fail_row(row_of(job, 2))  # rejected while it was paused
    JobService().start(job.pk)
    assert {row_of(job, 1).status, row_of(job, 2).status} == {RowStatus.pending}
    assert_counters_equal_rows(job)


def test_a_row_prepared_twice_is_claimed_once_and_is_no_conflict() -> None:
    job = make_job(rows=1)
    run = started_run(job)
    (reserved,) = reserve(run, 1)
    twice = [Ready(preparation=reserved, prepared=Prepared(handle="same")) for _time in range(2)]
    letters = tick(run, ready=twice)
    assert len(letters) == 1
    assert row_of(job, 1).error_code == ""


def test_a_row_that_is_no_order_fails_by_itself() -> None:
    job = make_job(rows=2, stop_on_error=False)
    row = row_of(job, 1)
    row.order["weight"] = "heavy"
    row.save()
    run = started_run(job)
    assert [letter.number for letter in reserve(run, 2)] == [2]
    assert row_of(job, 1).error_code == "bad_order"


def test_what_a_failing_loop_had_in_hand_goes_back_to_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(rows=2)
    run = started_run(job)
    (letter,) = claim(run)
    wire = Wire(1)
    loop = RunLoop(run, wire, threading.Event())
    loop.inbox = [Reply(letter, purchase(letter))]

    def failing(_wishes: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(loop, "_tick_durably", failing)
    assert loop.work() == RunEnd.halted
    (kept,) = wire.collect(0)
    filing.file_late(wire, [kept])
    assert row_of(job, 1).status == RowStatus.completed
    job.refresh_from_db()
    assert (job.error_code, job.error_row_number) == ("internal_error", None)


def test_a_commit_whose_outcome_is_unknown_sends_nothing_and_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(rows=2)
    run = started_run(job)
    (letter,) = reserve(run, 1)
    sent: list[Any] = []
    wire = Wire(1)
    monkeypatch.setattr(wire, "send", sent.append)
    monkeypatch.setattr(filing, "RETRY_SECONDS", 0.01)
    loop = RunLoop(run, wire, threading.Event())
    loop.ready = [Ready(preparation=letter, prepared=Prepared(handle="shp_1"))]
    real = books.tick
    answers = iter([True])

    def losing(*arguments: Any, **options: Any) -> Any:
        outcome = real(*arguments, **options)
        if next(answers, False):
            raise books.CommitUnknown
        return outcome

    monkeypatch.setattr(books, "tick", losing)
    assert loop.work() == RunEnd.handed_over
    assert sent == []
    row = row_of(job, 1)
    assert row.status == RowStatus.in_flight
    assert [each.number for each in JobService().rows_in_doubt(job.pk)] == [1]
    assert Run.objects.issued().get(job=job).turn == 2


def test_a_retry_after_beyond_patience_halts_instead_of_waiting(settings: Any) -> None:
    settings.HALT_AFTER_SECONDS = 300
    trouble = Trouble()
    trouble.note(Unavailable("429", "Come back in an hour.", retry_after=3600))
    assert trouble.too_long()


def test_a_process_that_is_hidden_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", hidden)
    assert not is_gone(ProcessIdentity(host=this_process().host, pid=2**22 + 7, start_ticks=1))


def test_a_ticket_taken_just_before_the_end_is_handed_back(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    handed: list[int] = []
    monkeypatch.setattr(process, "enqueue", handed.append)
    stopping = threading.Event()
    stopping.set()
    monkeypatch.setattr(process, "stopping", stopping)
    assert process.work(5) == "handed back"
    assert handed == [5]


@pytest.mark.django_db(transaction=True)
def test_housekeeping_as_a_command_settles_what_it_asked(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "lookup", "action": "delay", "seconds": 0.6}])
    job = make_interrupted_job(rows=1)
    row = claim_row(row_of(job, 1), make_dead_run(job), due_in=-10)
    with CommandProcess("housekeeping", "--seconds", "0.1", SANDBOX_URL=sandbox.url) as command:
        assert command.wait(30) == 0
    row.refresh_from_db()
    assert "Could not find out" in row.answer
    call_command("housekeeping", "--seconds", "0.1", "--verify-files")


@pytest.mark.django_db(transaction=True)
def test_a_second_signal_ends_the_worker_at_once_and_leaves_doubts_that_are_shown(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 1.5}])
    job = make_job(rows=20)
    JobService().start(job.pk)
    with worker(sandbox.url) as running:
        wait_until(
            lambda: Row.objects.filter(job=job, status=RowStatus.in_flight).count() >= 4, what="purchases in the air"
        )
        running.signal(signal.SIGTERM)
        time.sleep(0.3)
        running.signal(signal.SIGTERM)
        assert running.wait(10) == 1
    assert JobService().rows_in_doubt(job.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_a_sweep_lets_others_write_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    from shipping.engine import sweep

    monkeypatch.setattr(sweep, "CHUNK_ROWS", 5)
    job = make_interrupted_job(rows=40, completed=30)
    JobService().restart(job.pk, expected=JobService().facts(job))
    run = started_run(Job.objects.get(pk=job.pk))
    wire = Wire(1)
    monkeypatch.setattr(wire, "send", lambda _letter: None)
    stopping = threading.Event()
    loop = RunLoop(run, wire, stopping)
    began = local_seconds()
    chunks = 0
    while Job.objects.get(pk=job.pk).sweep:
        loop._tick()
        loop._collect()
        chunks += 1
    assert local_seconds() - began >= 0.03 * (chunks - 2)
    assert Row.objects.filter(job=job, attempt=2).count() == 30
    assert Event.objects.filter(job=job, kind=EventKind.sweep_done).count() == 1
    assert connection.vendor in ("sqlite", "postgresql")


def test_a_late_refusal_to_prepare_lets_only_its_own_run_go() -> None:
    job = make_job(rows=1)
    run = started_run(job)
    (old,) = reserve(run, 1)
    other = make_live_run(job)
    Row.objects.filter(job=job).update(run=other)
    answer(old, Unavailable("U", "later"))
    assert row_of(job, 1).run == other
    answer(old, Rejected("R", "no"))
    assert row_of(job, 1).status == RowStatus.failed


def test_a_completed_job_keeps_its_owed_answers_apart() -> None:
    job = make_job(rows=1, status=JobStatus.running)
    complete_row(row_of(job, 1))
    Row.objects.filter(job=job).update(due=book_now())
    books.tick(job.pk, Inbox(), books.Wishes())
    assert Job.objects.get(pk=job.pk).status == JobStatus.running
