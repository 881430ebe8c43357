"""Choosing what becomes of an interrupted job: what is refused, what is bound to the facts shown, and the traces."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from recovery import RecoveryChoice, handle_recovery_choice
from recovery.choices import UnknownChoice
from recovery.confirmation import BadConfirmation
from recovery.corrections import correct
from recovery.plan import plan_cancel, plan_restart, plan_resume
from recovery.review import send_again
from shipping.models import Event, Job, Row, Run
from shipping.services import FactsMoved, JobService, NotInterrupted, Refused, UnknownJob
from shipping.states import EventKind, JobStatus, RowStatus, RunEnd, Sweep
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

pytestmark = pytest.mark.django_db


def books(job: Job) -> tuple[Any, ...]:
    """All that a refused choice must leave alone."""
    return (
        Job.objects.filter(pk=job.pk).values().get(),
        list(Row.objects.filter(job=job).order_by("number").values()),
        list(Run.objects.filter(job=job).order_by("pk").values()),
        list(Event.objects.filter(job=job).order_by("pk").values()),
    )


def latest_event(job: Job) -> Event:
    return Event.objects.filter(job=job).latest("pk")


@pytest.mark.parametrize("choice", list(RecoveryChoice))
def test_it_refuses_a_job_that_is_not_interrupted(service: JobService, choice: RecoveryChoice) -> None:
    job = make_job(3, status=JobStatus.running)
    make_live_run(job)
    before = books(job)
    with pytest.raises(NotInterrupted, match="a worker is on it"):
        handle_recovery_choice(choice, job.pk, service)
    assert books(job) == before


def test_it_refuses_an_unknown_job(service: JobService) -> None:
    with pytest.raises(UnknownJob, match="There is no job 4711"):
        handle_recovery_choice("resume", 4711, service)


def test_it_refuses_an_unknown_choice(service: JobService) -> None:
    job = make_interrupted_job(3)
    before = books(job)
    with pytest.raises(UnknownChoice, match="'explode'; there is resume, restart, cancel"):
        handle_recovery_choice("explode", job.pk, service)
    assert books(job) == before


@pytest.mark.parametrize(
    ("choice", "options"),
    [
        ("resume", {"void_first": True}),
        ("cancel", {"void_first": True}),
        ("cancel", {"retry_failed": True}),
        ("restart", {"skip_failed_row": True}),
    ],
)
def test_it_refuses_an_option_of_another_choice(service: JobService, choice: str, options: dict[str, bool]) -> None:
    job = make_interrupted_job(3)
    before = books(job)
    with pytest.raises(UnknownChoice):
        handle_recovery_choice(choice, job.pk, service, **options)  # type: ignore[arg-type]  # booleans by name
    assert books(job) == before


def test_resume_fences_older_runs_issues_new_ones_and_leaves_a_trace(service: JobService, clerk: User) -> None:
    job = make_interrupted_job(5, completed=2)
    claim_row(row_of(job, 3), Run.objects.get(job=job))
    plan = plan_resume(job, service)
    result = handle_recovery_choice(
        "resume", job.pk, service, actor=clerk, reason="Power is back", confirmation=plan.confirmation
    )
    assert result["in_flight_rows"] == 1
    assert "1 row in doubt" in result["message"]
    old, new = Run.objects.filter(job=job).order_by("pk")
    assert (old.end_reason, new.end_reason, new.started_at) == (RunEnd.died, "", None)
    after = Job.objects.get(pk=job.pk)
    assert (after.status, after.epoch, new.epoch) == (JobStatus.running, job.epoch + 1, job.epoch + 1)
    event = latest_event(job)
    assert (event.kind, event.actor, event.details["reason"]) == (EventKind.resumed, clerk, "Power is back")
    assert event.details["shown"]["labelled_rows"] == 2


def test_resume_tries_the_halting_row_again(service: JobService) -> None:
    job = make_interrupted_job(5, completed=1)
    halt_job(row_of(job, 2))
    handle_recovery_choice("resume", job.pk, service)
    after = Job.objects.get(pk=job.pk)
    assert (after.error_code, after.error_row_number, after.failed_rows, after.processed_rows) == ("", None, 0, 1)
    assert row_of(job, 2).status == RowStatus.pending


def test_resume_skips_the_failed_row_when_asked_to(service: JobService) -> None:
    job = make_interrupted_job(5, completed=1)
    halt_job(row_of(job, 2))
    handle_recovery_choice("resume", job.pk, service, skip_failed_row=True)
    after = Job.objects.get(pk=job.pk)
    assert (after.failed_rows, after.skipped_rows, after.processed_rows) == (0, 1, 2)
    assert row_of(job, 2).status == RowStatus.skipped


@pytest.mark.parametrize("decide", [send_again, lambda row: correct(row, {"to_street1": "77 New Street"})])
def test_a_row_that_somebody_has_mended_meanwhile_is_not_skipped_by_a_page_that_shows_it_failed(
    service: JobService, decide: Callable[[Row], Any]
) -> None:
    job = make_interrupted_job(5, completed=1)
    halt_job(row_of(job, 2))
    confirmation = plan_resume(Job.objects.get(pk=job.pk), service).confirmation
    decide(row_of(job, 2))
    before = books(job)
    with pytest.raises(FactsMoved, match="Somebody at a terminal chose"):
        handle_recovery_choice("resume", job.pk, service, confirmation=confirmation, skip_failed_row=True)
    assert books(job) == before
    handle_recovery_choice("resume", job.pk, service, confirmation=confirmation)
    assert row_of(job, 2).status == RowStatus.pending


def test_skipping_the_failed_row_is_refused_where_there_is_none(service: JobService) -> None:
    job = make_interrupted_job(5, completed=1)
    before = books(job)
    with pytest.raises(Refused, match="no failed row"):
        handle_recovery_choice("resume", job.pk, service, skip_failed_row=True)
    assert books(job) == before


def test_resume_retries_all_failed_rows_only_when_asked_to(service: JobService) -> None:
    job = make_job(5, status=JobStatus.running, stop_on_error=False)
    fail_row(row_of(job, 1))
    handle_recovery_choice("resume", job.pk, service)
    assert Job.objects.get(pk=job.pk).sweep == Sweep.none
    make_dead_run(job)
    handle_recovery_choice("resume", job.pk, service, retry_failed=True)
    assert Job.objects.get(pk=job.pk).sweep == Sweep.retry


def test_restart_with_the_confirmation_orders_a_sweep_up_to_the_newest_label_shown(
    service: JobService, clerk: User
) -> None:
    job = make_interrupted_job(5, completed=3)
    asked = handle_recovery_choice("restart", job.pk, service)
    result = handle_recovery_choice(
        "restart", job.pk, service, confirmation=asked["confirmation"], actor=clerk, void_first=True
    )
    assert (result["action"], result["requires_confirmation"]) == ("restart", False)
    assert "3 labels will be bought again" in result["message"]
    after = Job.objects.get(pk=job.pk)
    newest = row_of(job, 3).label
    assert newest is not None
    assert (after.sweep, after.sweep_mark, after.sweep_void) == (Sweep.restart, newest.pk, True)
    event = latest_event(job)
    assert (event.kind, event.actor) == (EventKind.restarted, clerk)
    assert event.details["shown"]["labelled_cents"] == 2250


def test_a_confirmation_works_once(service: JobService) -> None:
    job = make_interrupted_job(5, completed=3)
    token = handle_recovery_choice("restart", job.pk, service)["confirmation"]
    handle_recovery_choice("restart", job.pk, service, confirmation=token)
    make_dead_run(job)
    before = books(job)
    with pytest.raises(FactsMoved):
        handle_recovery_choice("restart", job.pk, service, confirmation=token)
    assert books(job) == before


def test_a_label_bought_later_does_not_matter_and_is_not_bought_again(service: JobService) -> None:
    job = make_interrupted_job(5, completed=3)
    token = handle_recovery_choice("restart", job.pk, service)["confirmation"]
    later = complete_row(row_of(job, 4))
    result = handle_recovery_choice("restart", job.pk, service, confirmation=token)
    assert result["completed_rows_with_tracking"] == 3
    mark = Job.objects.get(pk=job.pk).sweep_mark
    assert mark is not None
    assert mark < later.pk


@pytest.mark.parametrize("choice", list(RecoveryChoice))
def test_an_error_at_another_row_moves_the_facts(service: JobService, choice: RecoveryChoice) -> None:
    job = make_interrupted_job(5, completed=2)
    plans = {"resume": plan_resume, "restart": plan_restart, "cancel": plan_cancel}
    token = plans[choice.value](job, service).confirmation
    halt_job(row_of(job, 3))
    before = books(job)
    with pytest.raises(FactsMoved, match="has changed since you were shown it"):
        handle_recovery_choice(choice, job.pk, service, confirmation=token)
    assert books(job) == before


def test_a_label_that_was_shown_and_is_gone_moves_the_facts_of_a_restart_only(service: JobService) -> None:
    job = make_interrupted_job(5, completed=2)
    tokens = {"restart": plan_restart(job, service).confirmation, "resume": plan_resume(job, service).confirmation}
    Job.objects.filter(pk=job.pk).update(cost_cents=job.cost_cents - 750, replaced_cents=750)
    with pytest.raises(FactsMoved):
        handle_recovery_choice("restart", job.pk, service, confirmation=tokens["restart"])
    assert handle_recovery_choice("resume", job.pk, service, confirmation=tokens["resume"])["action"] == "resume"


def test_it_names_who_chose_meanwhile(service: JobService, clerk: User, colleague: User) -> None:
    job = make_interrupted_job(5, completed=2)
    token = plan_restart(job, service).confirmation
    handle_recovery_choice("resume", job.pk, service, actor=colleague)
    with pytest.raises(NotInterrupted, match="colleague chose “resumed” at"):
        handle_recovery_choice("restart", job.pk, service, confirmation=token, actor=clerk)
    make_dead_run(job)  # interrupted once more, but it is another story now
    before = books(job)
    with pytest.raises(FactsMoved, match="colleague chose “resumed” at"):
        handle_recovery_choice("restart", job.pk, service, confirmation=token, actor=clerk)
    assert books(job) == before


@pytest.mark.parametrize("choice", list(RecoveryChoice))
def test_a_bad_confirmation_is_refused(service: JobService, choice: RecoveryChoice) -> None:
    job, other = make_interrupted_job(5, completed=2), make_interrupted_job(5, completed=2)
    before = books(job)
    for bad in (plan_restart(other, service).confirmation, "forged"):
        with pytest.raises(BadConfirmation):
            handle_recovery_choice(choice, job.pk, service, confirmation=bad)
    assert books(job) == before


def test_cancel_says_what_may_still_arrive(service: JobService, clerk: User) -> None:
    job = make_interrupted_job(5, completed=2)
    claim_row(row_of(job, 3), Run.objects.get(job=job))
    result = handle_recovery_choice("cancel", job.pk, service, actor=clerk, reason="Wrong file")
    assert "no further rows will be processed" in result["message"]
    assert "1 label may still arrive" in result["message"]
    assert "2 labels already bought can be voided" in result["message"]
    assert row_of(job, 3).status == RowStatus.in_flight
    assert row_of(job, 3).due is not None
    event = latest_event(job)
    assert (event.kind, event.actor, event.details["reason"]) == (EventKind.cancelled, clerk, "Wrong file")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other", ["resume", "cancel"])
def test_of_two_choices_at_once_exactly_one_wins(other: str) -> None:
    job = make_interrupted_job(5, completed=2)
    service = JobService()
    tokens = {"resume": plan_resume(job, service).confirmation, "cancel": plan_cancel(job, service).confirmation}
    together = threading.Barrier(2, timeout=10)
    outcomes: list[str] = []

    def choose(choice: str) -> None:
        try:
            together.wait()
            handle_recovery_choice(choice, job.pk, JobService(), confirmation=tokens[choice])
            outcomes.append("won")
        except Refused as error:
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=choose, args=(choice,)) for choice in ("resume", other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert len(outcomes) == 2
    assert outcomes.count("won") == 1
    assert set(outcomes) - {"won"} <= {"NotInterrupted", "FactsMoved"}
    choices = [EventKind.resumed, EventKind.cancelled]
    assert Event.objects.filter(job=job, kind__in=choices).count() == 1
    assert Job.objects.get(pk=job.pk).epoch == job.epoch + 1
