"""JobService: reads, and commands that answer at once, refuse in plain words, and leave a trace."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from shipping.models import Event, Job, Row, Run
from shipping.services import FactsMoved, IllegalTransition, JobService, NotInterrupted, Refused, UnknownJob
from shipping.states import EventKind, JobStatus, RowStatus
from tests.factories import complete_row, fail_row, halt_job, make_interrupted_job, make_job, make_sender, row_of
from tests.support.ledger import assert_counters_equal_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> JobService:
    return JobService()


def test_it_lists_jobs_newest_first_by_status_and_up_to_a_limit(service: JobService) -> None:
    first, second = make_job(name="first"), make_job(name="second", status=JobStatus.running)
    assert service.list_jobs() == [second, first]
    assert service.list_jobs(status="running") == [second]
    assert service.list_jobs(limit=1) == [second]


def test_a_job_that_is_not_there_is_none(service: JobService) -> None:
    assert service.get_job(4711) is None
    job = make_job()
    assert service.get_job(job.pk) == job


def test_rows_come_lazily_by_number_and_by_status(service: JobService) -> None:
    job = make_job(rows=3)
    complete_row(row_of(job, 2))
    with CaptureQueriesContext(connection) as queries:
        rows = service.get_rows(job.pk)
        done = service.get_rows(job.pk, "completed")
    assert len(queries) == 0
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.number for row in done] == [2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"carrier": "nobody"}, "sandbox"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "200"),
        ({"name": "a\nb"}, "line breaks"),
    ],
)
def test_a_job_that_can_not_be_is_refused(service: JobService, options: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        service.create_job(**{"name": "n", "carrier": "sandbox", "sender": make_sender(), **options})  # type: ignore[arg-type]
    assert not Job.objects.exists()


def test_a_job_code_is_random_and_a_reference_fits_the_carrier() -> None:
    codes = {make_job(rows=1).code for _job in range(20)}
    assert len(codes) == 20
    assert len(make_job(rows=1).reference(1_000_000, 99)) <= 35
    assert make_job(rows=1).reference(48, 1).endswith("-000048-1")


def test_a_job_without_rows_or_half_imported_is_not_started(service: JobService) -> None:
    empty = make_job(rows=0)
    with pytest.raises(Refused, match="no rows"):
        service.start(empty.pk)
    half = make_job(rows=1)
    Job.objects.filter(pk=half.pk).update(import_complete=False)
    with pytest.raises(Refused, match="not wholly imported"):
        service.start(half.pk)
    with pytest.raises(UnknownJob):
        service.start(4711)


def test_start_pause_and_carry_on_each_raise_the_epoch_and_leave_a_trace(service: JobService, clerk: User) -> None:
    job = make_job(rows=1)
    for epoch, command in enumerate((service.start, service.pause, service.start), start=1):
        command(job.pk, actor=clerk, reason="because")
        job.refresh_from_db()
        assert job.epoch == epoch
    kinds = list(Event.objects.filter(job=job).values_list("kind", flat=True))
    assert kinds == [EventKind.started, EventKind.paused, EventKind.resumed]
    assert {event.actor for event in Event.objects.filter(job=job)} == {clerk}
    assert {event.details["reason"] for event in Event.objects.filter(job=job)} == {"because"}
    with pytest.raises(IllegalTransition):
        service.start(job.pk)


def test_cancel_is_possible_for_every_open_job_and_no_other(service: JobService) -> None:
    for status in (JobStatus.pending, JobStatus.running, JobStatus.paused):
        job = make_job(rows=1, status=status)
        assert service.cancel(job.pk).job.status == JobStatus.cancelled
        with pytest.raises(IllegalTransition):
            service.cancel(job.pk)


def test_resume_tries_the_halted_row_and_those_rejected_since_again(service: JobService) -> None:
    job = make_interrupted_job(rows=5)
    halt_job(row_of(job, 1))
    fail_row(row_of(job, 2))
    service.resume(job.pk)
    job.refresh_from_db()
    assert (job.error_code, job.failed_rows, job.status) == ("", 0, JobStatus.running)
    assert set(Row.objects.filter(job=job).values_list("status", flat=True)) == {RowStatus.pending}
    assert_counters_equal_rows(job)


def test_resume_leaves_rows_alone_that_failed_before_the_last_choice(service: JobService) -> None:
    job = make_interrupted_job(rows=3)
    fail_row(row_of(job, 1))
    Row.objects.filter(job=job, number=1).update(failed_epoch=-0)
    Job.objects.filter(pk=job.pk).update(epoch=3)
    Run.objects.filter(job=job).update(epoch=3)
    service.resume(job.pk)
    assert row_of(job, 1).status == RowStatus.failed


def test_resume_may_skip_the_halted_row(service: JobService, clerk: User) -> None:
    job = make_interrupted_job(rows=3)
    halt_job(row_of(job, 2))
    service.resume(job.pk, skip_failed_row=True, actor=clerk)
    assert row_of(job, 2).status == RowStatus.skipped
    assert_counters_equal_rows(job)
    assert Event.objects.get(job=job, kind=EventKind.skipped).actor == clerk


def test_there_must_be_a_failed_row_to_skip(service: JobService) -> None:
    job = make_interrupted_job(rows=3)
    with pytest.raises(Refused, match="no failed row"):
        service.resume(job.pk, skip_failed_row=True)
    assert Job.objects.get(pk=job.pk).epoch == job.epoch


def test_only_interrupted_jobs_are_resumed_or_restarted(service: JobService) -> None:
    job = make_job(rows=1)
    service.start(job.pk)
    job.refresh_from_db()
    with pytest.raises(NotInterrupted, match="waits for a worker"):
        service.resume(job.pk)
    with pytest.raises(NotInterrupted):
        service.restart(job.pk, expected=service.facts(job))


def test_restart_is_bound_to_the_labels_shown_and_later_ones_do_not_matter(service: JobService) -> None:
    job = make_interrupted_job(rows=4, completed=2)
    facts = service.facts(job)
    assert (facts.labelled_rows, facts.labelled_cents) == (2, 1500)
    complete_row(row_of(job, 3), cost_cents=100)
    job.refresh_from_db()
    assert service.facts(job, facts.mark).labelled_rows == 2
    outcome = service.restart(job.pk, expected=facts)
    assert (outcome.job.sweep, outcome.job.sweep_mark) == ("restart", facts.mark)


@pytest.mark.parametrize("moved", ["labels", "error row", "epoch"])
def test_restart_is_refused_when_the_facts_have_moved(service: JobService, moved: str) -> None:
    job = make_interrupted_job(rows=4, completed=2)
    facts = service.facts(job)
    if moved == "labels":
        Row.objects.filter(job=job, number=1).update(status=RowStatus.pending, label=None)
        Job.objects.filter(pk=job.pk).update(successful_rows=1, processed_rows=1, cost_cents=750)
    elif moved == "error row":
        halt_job(row_of(job, 3))
    else:
        Job.objects.filter(pk=job.pk).update(epoch=9)
    with pytest.raises(FactsMoved):
        service.restart(job.pk, expected=facts)
    assert not Job.objects.get(pk=job.pk).sweep


def test_labels_are_voided_only_when_the_job_is_over(service: JobService) -> None:
    job = make_interrupted_job(rows=2, completed=1)
    with pytest.raises(Refused, match="Cancel it first"):
        service.void_labels(job.pk)
    service.cancel(job.pk)
    assert service.void_labels(job.pk).sweep == "void"
    with pytest.raises(Refused, match="already"):
        service.void_labels(job.pk)


def test_a_task_queue_that_is_down_does_not_undo_a_choice(
    service: JobService, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def down(_run_id: int) -> None:
        raise ConnectionError("the broker is down")

    monkeypatch.setattr("shipping.runs.enqueue", down)
    job = make_job(rows=1)
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        service.start(job.pk)
    assert len(callbacks) == 1
    assert Run.objects.issued().filter(job=job).count() == 1


def test_a_job_with_rows_and_labels_can_not_be_deleted() -> None:
    job = make_interrupted_job(rows=1, completed=1)
    with pytest.raises(ProtectedError):
        job.delete()
    with pytest.raises(ProtectedError):
        Row.objects.filter(job=job).delete()


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "in_flight", "handle": None},
        {"status": "in_flight", "handle": "h", "due": None},
        {"status": "completed"},
        {"status": "pending", "due": 1.0},
    ],
)
def test_the_database_itself_refuses_rows_that_can_not_be(wrong: dict[str, Any]) -> None:
    job = make_job(rows=1)
    with pytest.raises(IntegrityError):
        Row.objects.filter(job=job).update(**wrong)


@pytest.mark.parametrize("rows", [5, 300])
def test_facts_take_a_fixed_number_of_queries(service: JobService, rows: int) -> None:
    job = make_interrupted_job(rows=rows, completed=3)
    with CaptureQueriesContext(connection) as queries:
        service.facts(job)
    assert len(queries) == 2
