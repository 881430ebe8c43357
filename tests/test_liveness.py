"""Which runs live and which jobs are interrupted: derived at every look, from the books and the processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from shipping import liveness
from shipping.engine import books
from shipping.liveness import Condition, ProcessIdentity, condition, is_gone, is_interrupted, this_process
from shipping.models import Job, Label, Row, Run, Worker
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus, RunEnd, VoidRequest
from tests.factories import (
    claim_row,
    complete_row,
    halt_job,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    row_of,
    set_aside,
)

pytestmark = pytest.mark.django_db


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def identity_of(pid: int) -> ProcessIdentity:
    found = liveness._start_ticks_and_state(pid)
    assert found is not None
    return ProcessIdentity(host=this_process().host, pid=pid, start_ticks=found[0])


def test_a_process_is_gone_when_it_ended_when_it_is_a_zombie_and_when_it_is_another_one() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = identity_of(process.pid)
    assert not is_gone(identity)
    assert is_gone(replace(identity, start_ticks=identity.start_ticks + 1))
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(identity), "a zombie"
    process.wait(10)
    assert is_gone(identity), "ended"
    assert process.stdin is not None
    process.stdin.close()


def test_a_process_of_another_host_or_boot_counts_as_alive() -> None:
    me = this_process()
    assert not is_gone(replace(me, host="another boot/pid:[1]", pid=2**22 + 1))


def test_a_run_lives_until_its_lease_is_over_and_a_late_beat_revives_it(settings: Any) -> None:
    job = make_job(rows=1, status=JobStatus.running)
    run = make_live_run(job)
    assert condition(fresh(job)) is Condition.working
    Run.objects.filter(pk=run.pk).update(beat=book_now() - settings.LEASE_SECONDS - 1)
    assert is_interrupted(fresh(job))
    Run.objects.filter(pk=run.pk).update(beat=book_now())
    assert condition(fresh(job)) is Condition.working


def test_a_job_put_to_running_without_a_run_is_interrupted() -> None:
    job = make_job(rows=1)
    JobService().update_status(job.pk, JobStatus.running)
    assert is_interrupted(fresh(job))


def test_a_started_job_waits_for_a_worker_and_one_whose_run_died_is_interrupted() -> None:
    job = make_job(rows=1)
    JobService().start(job.pk)
    assert condition(fresh(job)) is Condition.waiting_for_worker
    make_dead_run(fresh(job))
    assert is_interrupted(fresh(job)), "the issued run of the first turn may not start once a sibling died"
    Run.objects.issued().filter(job=job).update(turn=2)
    assert condition(fresh(job)) is Condition.waiting_for_worker


def test_a_job_whose_run_starts_while_somebody_looks_is_not_taken_for_interrupted() -> None:
    job = make_job(status=JobStatus.pending)
    JobService().start(job.pk)
    run = job.runs.get()
    read: list[str] = []

    def start_behind(execute: Any, sql: str, *rest: Any) -> Any:
        found = execute(sql, *rest)
        if "shipping_run" in sql and sql.startswith("SELECT"):
            read.append(sql)
            if len(read) == 1:
                books.start_run(run.pk, this_process())
        return found

    looks: list[Callable[[], bool]] = [
        lambda: is_interrupted(fresh(job)),
        lambda: liveness.interrupted_jobs().filter(pk=job.pk).exists(),
    ]
    for look in looks:
        read.clear()
        Run.objects.filter(pk=run.pk).update(started_at=None, beat=None)
        with connection.execute_wrapper(start_behind):
            assert not look()
        assert len(read) > 1, "the run was started between two statements"


def test_a_halted_job_is_interrupted_even_with_an_issued_run() -> None:
    job = make_job(rows=2)
    JobService().start(job.pk)
    halt_job(row_of(job, 1))
    assert is_interrupted(fresh(job))


def test_with_only_rows_in_review_a_job_waits_for_a_person() -> None:
    job = make_interrupted_job(rows=2, completed=1)
    set_aside(row_of(job, 2))
    assert condition(fresh(job)) is Condition.waiting_for_person
    assert not liveness.interrupted_jobs().exists()


@pytest.mark.parametrize("what", ["pending", "in flight", "owed", "sweep", "void"])
def test_any_work_left_makes_a_job_without_runs_interrupted(what: str) -> None:
    job = make_interrupted_job(rows=2, completed=1)
    label = complete_row(row_of(job, 2)) if what != "pending" else None
    if what == "in flight":
        Row.objects.filter(job=job, number=2).update(status=RowStatus.in_flight, due=book_now(), label=None)
    if what == "owed":
        Row.objects.filter(job=job, number=2).update(due=book_now())
    if what == "sweep":
        Job.objects.filter(pk=job.pk).update(sweep="restart")
    if what == "void":
        assert label is not None
        Label.objects.filter(pk=label.pk).update(void_requested=VoidRequest.rebuy)
    assert is_interrupted(fresh(job))


def test_a_void_that_somebody_ordered_interrupts_no_job() -> None:
    job = make_interrupted_job(rows=2, completed=1)
    set_aside(row_of(job, 2))
    Label.objects.filter(job=job).update(void_requested=VoidRequest.only)
    assert condition(fresh(job)) is Condition.waiting_for_person
    assert not liveness.interrupted_jobs().exists()


@pytest.mark.parametrize("status", [each for each in JobStatus if each != JobStatus.running])
def test_a_job_that_does_not_run_is_never_interrupted(status: JobStatus) -> None:
    job = make_interrupted_job(rows=2, completed=1)
    Job.objects.filter(pk=job.pk).update(status=status)
    assert not is_interrupted(fresh(job))


def test_the_job_interrupted_last_comes_first() -> None:
    first, second = make_interrupted_job(name="first"), make_interrupted_job(name="second")
    Run.objects.filter(job=first).update(beat_at="2026-01-02T00:00:00Z", issued_at="2026-01-01T00:00:00Z")
    Run.objects.filter(job=second).update(beat_at="2026-01-01T00:00:00Z", issued_at="2026-01-01T00:00:00Z")
    assert [job.name for job in liveness.interrupted_jobs()] == ["first", "second"]


def test_conditions_of_many_jobs_take_a_fixed_number_of_queries(django_assert_max_num_queries: Any) -> None:
    jobs = [make_interrupted_job(rows=2) for _job in range(12)]
    with django_assert_max_num_queries(5):
        assert set(liveness.conditions(jobs).values()) == {Condition.interrupted}


def test_each_process_is_looked_at_once_however_many_runs_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [make_job(1, status=JobStatus.running) for _each in range(4)]
    live = [make_live_run(job).pk for job in jobs[:3]]
    make_dead_run(jobs[3])
    looked_at: list[ProcessIdentity] = []

    def looking(identity: ProcessIdentity) -> bool:
        looked_at.append(identity)
        return is_gone(identity)

    monkeypatch.setattr(liveness, "is_gone", looking)
    assert sorted(liveness.live_run_ids()) == live
    assert len(looked_at) == 2
    looked_at.clear()
    assert [job.pk for job in liveness.interrupted_jobs()] == [jobs[3].pk]
    assert len(looked_at) == 2


def test_a_worker_is_alive_while_it_beats_and_its_process_is_there(settings: Any) -> None:
    assert not liveness.worker_alive()
    me = this_process()
    worker = Worker.objects.create(name="w", host=me.host, pid=me.pid, pid_start_ticks=me.start_ticks, beat=book_now())
    assert liveness.worker_alive()
    Worker.objects.filter(pk=worker.pk).update(pid_start_ticks=me.start_ticks - 1)
    assert not liveness.worker_alive()
    Worker.objects.filter(pk=worker.pk).update(
        pid_start_ticks=me.start_ticks, beat=book_now() - settings.LEASE_SECONDS - 1
    )
    assert not liveness.worker_alive()


def test_a_choice_ends_each_run_with_what_was_the_matter_with_it() -> None:
    job = make_job(rows=3)
    JobService().start(job.pk)
    job.refresh_from_db()
    make_live_run(job)
    make_dead_run(job)
    claim_row(row_of(job, 1))
    JobService().cancel(job.pk)
    reasons = sorted(Run.objects.filter(job=job).values_list("end_reason", flat=True))
    assert reasons == sorted([RunEnd.never_started, RunEnd.fenced, RunEnd.died])
    assert not Run.objects.open().filter(job=job).exists()
