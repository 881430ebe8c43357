"""Housekeeping: what nobody else looks after."""

from typing import Any

import pytest
from django_tasks_db.models import DBTaskResult

from shipping.engine.housekeeping import Housekeeper
from shipping.engine.wire import Wire
from shipping.labels import note_lost_files, note_missing_file, open_label
from shipping.liveness import Condition, condition, is_interrupted
from shipping.models import Job, Label, Row, Run, Worker
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RunEnd
from tests.factories import claim_row, complete_row, make_dead_run, make_interrupted_job, make_job, row_of
from tests.support.processes import wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def keep_house(rounds: int = 20) -> None:
    """Rounds of housekeeping until there is nothing to do, at most so many."""
    housekeeper = Housekeeper(Wire(2))
    for _round in range(rounds):
        if not housekeeper.round():
            return


def tickets(run: Run) -> int:
    return DBTaskResult.objects.filter(args_kwargs__args=[run.pk]).count()


def test_a_run_that_the_queue_lost_is_queued_again_once_a_lease(settings: Any) -> None:
    job = make_job(rows=1)
    JobService().start(job.pk)
    run = Run.objects.get(job=job)
    DBTaskResult.objects.all().delete()
    keep_house()
    assert tickets(run) == 0, "a lease must pass first"
    Run.objects.filter(pk=run.pk).update(queued=book_now() - settings.LEASE_SECONDS - 1)
    keep_house()
    keep_house()
    assert tickets(run) == 1
    assert job.events.filter(kind=EventKind.run_requeued).count() == 1


def test_a_run_that_may_not_start_is_not_queued_again(settings: Any) -> None:
    job = make_job(rows=1)
    JobService().start(job.pk)
    run = Run.objects.get(job=job)
    make_dead_run(job)
    DBTaskResult.objects.all().delete()
    Run.objects.filter(pk=run.pk).update(queued=book_now() - settings.LEASE_SECONDS - 1)
    keep_house()
    assert tickets(run) == 0
    assert is_interrupted(Job.objects.get(pk=job.pk))


def test_a_lost_run_is_brought_by_a_worker_in_the_end(sandbox: SandboxProcess, settings: Any) -> None:
    job = make_job(rows=3)
    JobService().start(job.pk)
    DBTaskResult.objects.all().delete()
    Run.objects.filter(job=job).update(queued=book_now() - settings.LEASE_SECONDS - 1)
    with worker(sandbox.url):
        wait_until(lambda: Job.objects.get(pk=job.pk).status == JobStatus.completed, what="the job completed")
    assert sandbox.stats()["charges"] == 3


def test_a_run_delivered_twice_works_once(sandbox: SandboxProcess) -> None:
    from shipping.tasks import ship

    job = make_job(rows=20)
    JobService().start(job.pk)
    ship.enqueue(Run.objects.get(job=job).pk)
    with worker(sandbox.url), worker(sandbox.url):
        wait_until(lambda: Job.objects.get(pk=job.pk).status == JobStatus.completed, what="the job completed")
    assert sandbox.stats()["charges"] == 20
    assert [run.end_reason for run in Run.objects.filter(job=job)] == [RunEnd.no_work]


def test_a_running_job_with_nothing_open_and_nobody_there_is_completed() -> None:
    job = make_job(rows=1)
    complete_row(row_of(job, 1))
    JobService().update_status(job.pk, JobStatus.running)
    assert not is_interrupted(Job.objects.get(pk=job.pk))
    keep_house()
    assert condition(Job.objects.get(pk=job.pk)) is Condition.completed


def test_missing_label_files_are_fetched_without_buying_also_for_finished_jobs(sandbox: SandboxProcess) -> None:
    job = make_job(rows=3)
    JobService().start(job.pk)
    with worker(sandbox.url, "--until-idle") as process:
        process.wait(60)
    label = Label.objects.filter(job=job).latest("pk")
    label.file.storage.delete(str(label.file))
    assert open_label(label) is None
    label.refresh_from_db()
    assert label.file, "looking changes nothing"
    assert note_missing_file(label)
    label.refresh_from_db()
    assert not label.file
    keep_house()
    label.refresh_from_db()
    file = open_label(label)
    assert file is not None
    assert file.read().startswith(b"%PDF")
    file.close()
    for each in Label.objects.filter(job=job):
        each.file.storage.delete(str(each.file))
    assert note_lost_files() == 3
    keep_house()
    assert not Label.objects.filter(job=job, file="").exists()
    assert sandbox.stats()["charges"] == 3


def test_doubts_of_an_interrupted_job_are_asked_about_while_lookup_fails_and_comes_back(
    sandbox: SandboxProcess, settings: Any
) -> None:
    sandbox.faults([{"on": "lookup", "action": "error", "status": 503, "count": 1}])
    settings.HEARTBEAT_SECONDS = 0.1
    job = make_interrupted_job(rows=1)
    row = claim_row(row_of(job, 1), make_dead_run(job), due_in=-10)
    keep_house()
    row.refresh_from_db()
    assert row.due is not None
    assert row.questions_failed >= 1
    assert "Could not find out" in row.answer
    assert Row.objects.filter(job=job).owed().count() == 1


@pytest.mark.parametrize(("wanted", "asked_for"), [(True, 2), (False, 6)])
def test_a_round_ends_soon_when_the_process_is_called_to_other_work(wanted: bool, asked_for: int) -> None:
    job = make_job(rows=6)
    for row in job.rows.all():
        complete_row(row)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.completed)
    now = book_now()
    housekeeper = Housekeeper(Wire(2, errands=2), wanted=lambda: wanted)
    assert housekeeper.round()
    while not wanted and Label.objects.filter(fetch_after__lt=now).exists():
        housekeeper.round()
    assert Label.objects.filter(fetch_after__gt=now).count() == asked_for


def test_a_ticket_that_only_waits_its_turn_is_not_taken_for_lost(settings: Any) -> None:
    job = make_job(rows=1)
    JobService().start(job.pk)
    run = Run.objects.get(job=job)
    Run.objects.filter(pk=run.pk).update(queued=book_now() - settings.LEASE_SECONDS - 1)
    keep_house()
    assert tickets(run) == 1
    assert not job.events.filter(kind=EventKind.run_requeued).exists()


def test_a_new_worker_clears_the_records_of_those_that_were_killed(sandbox: SandboxProcess, settings: Any) -> None:
    Worker.objects.create(name="killed", host="h", pid=1, pid_start_ticks=1, beat=book_now() - 1000)
    Worker.objects.create(name="late", host="h", pid=1, pid_start_ticks=1, beat=book_now() + 600)
    with worker(sandbox.url, "--until-idle") as process:
        assert process.wait(60) == 0
    assert list(Worker.objects.values_list("name", flat=True)) == ["late"]
