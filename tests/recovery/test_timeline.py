"""What happened to a job, in order, and in a bounded number of lines."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from recovery.timeline import EVENTS_SHOWN, GROUPS_SHOWN, QUESTIONS_SHOWN, timeline
from shipping.models import Event, Job, Run
from shipping.runs import record
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RunEnd
from tests.factories import (
    claim_row,
    complete_row,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    row_of,
)

pytestmark = pytest.mark.django_db

START = timezone.now() - timedelta(hours=10)


def _turn(job: Job, minutes: int, end: RunEnd, **fields: Any) -> Run:
    """A turn of ten minutes that began so many minutes after the start."""
    run = make_dead_run(job)
    began, ended = START + timedelta(minutes=minutes), START + timedelta(minutes=minutes + 10)
    Run.objects.filter(pk=run.pk).update(
        started_at=began, beat_at=ended - timedelta(minutes=1), ended_at=ended, end_reason=end, **fields
    )
    return run


def _titles(job: Job) -> list[str]:
    return [entry.title for entry in timeline(Job.objects.get(pk=job.pk)).entries]


def test_choices_of_people_stand_between_the_turns_that_they_ended_and_began(clerk: User, colleague: User) -> None:
    job = make_job(9)
    JobService().start(job.pk, actor=clerk)
    job.runs.all().delete()
    make_dead_run(job)
    JobService().resume(job.pk, actor=colleague, reason="Power is back")
    job.runs.filter(started_at=None).delete()
    make_dead_run(job)

    started, died, resumed, died_again = timeline(Job.objects.get(pk=job.pk)).entries

    assert (started.title, started.who, started.tone) == ("Started", "clerk", "person")
    assert (resumed.title, resumed.who, resumed.notes) == ("Resumed", "colleague", ["Reason: Power is back"])
    for entry in (died, died_again):
        assert (entry.title, entry.tone) == ("Worked, then stopped in the middle without a word", "bad")
        assert entry.who == "A worker on this machine"


def test_a_turn_tells_what_it_bought_and_what_it_left_in_doubt() -> None:
    job = make_interrupted_job(9)
    run = job.runs.get()
    Run.objects.filter(pk=run.pk).update(bought_rows=4, lowest_row=1, highest_row=5)
    for number in (6, 7):
        claim_row(row_of(job, number), run)

    (entry,) = timeline(job).entries

    assert entry.notes == [
        "Bought 4 labels, from row 1 to row 5.",
        "It left 2 purchases without an answer: those rows are in doubt.",
    ]
    assert entry.process == f"process {run.pid}"


def test_a_turn_that_goes_on_has_no_end_and_leaves_no_doubt() -> None:
    job = make_job(3, status=JobStatus.running)
    claim_row(row_of(job, 1), make_live_run(job))

    (entry,) = timeline(job).entries

    assert (entry.title, entry.tone, entry.until, entry.notes) == ("At work", "live", None, [])


def test_a_run_that_died_ends_when_it_was_last_heard_of_not_when_somebody_noticed() -> None:
    job = make_job(3, status=JobStatus.running)
    _turn(job, 0, RunEnd.died)

    (entry,) = timeline(job).entries

    assert entry.until == START + timedelta(minutes=9)


def test_many_turns_that_ended_alike_are_one_line() -> None:
    job = make_job(60, status=JobStatus.running)
    for number in range(50):
        _turn(job, 10 * number, RunEnd.handed_over, bought_rows=1, lowest_row=number + 1, highest_row=number + 1)
    _turn(job, 500, RunEnd.halted)

    handed_over, halted = timeline(job).entries

    assert handed_over.notes == ["50 turns ended like this.", "Bought 50 labels, from row 1 to row 50."]
    assert (handed_over.at, handed_over.until) == (START, START + timedelta(minutes=500))
    assert halted.title == "Worked until an error stopped the job"


def test_only_the_latest_lines_are_told_and_it_is_said_that_there_are_more(django_assert_max_num_queries: Any) -> None:
    job = make_job(3, status=JobStatus.running)
    for number in range(GROUPS_SHOWN + 5):
        Run.objects.filter(pk=_turn(job, number, RunEnd.fenced).pk).update(epoch=number)
    for _number in range(EVENTS_SHOWN + 5):
        record(job, EventKind.resumed)
    record(job, EventKind.run_requeued)

    with django_assert_max_num_queries(8):
        shown = timeline(job)

    assert shown.has_earlier
    assert len(shown.entries) == GROUPS_SHOWN + EVENTS_SHOWN
    assert shown.entries[0].at == START + timedelta(minutes=5)


def test_a_restart_says_how_many_labels_it_was_about(clerk: User) -> None:
    job = make_interrupted_job(5, completed=3)
    JobService().restart(job.pk, expected=JobService().facts(job), actor=clerk, reason="Lost", void_first=True)

    restarted = next(entry for entry in timeline(job).entries if entry.title == "Restarted")

    assert restarted.notes == [
        "3 labels that had been bought were to be bought again.",
        "Each was to be voided first.",
        "Reason: Lost",
    ]


def test_the_error_that_stopped_it_and_what_was_done_at_a_terminal_are_told() -> None:
    job = make_job(5)
    record(job, EventKind.created, rows=5)
    record(job, EventKind.halted, code="X", message="No such street.", row_number=2)
    record(job, EventKind.halted, code="X", message="The carrier is away.", row_number=None)

    created, at_a_row, at_none = timeline(job).entries

    assert (created.title, created.who, created.notes) == ("Uploaded", "Somebody at a terminal", ["5 rows."])
    assert at_a_row.title == "The job stopped at row 2: No such street."
    assert at_none.title == "The job stopped: The carrier is away."


def test_what_happened_to_single_rows_is_left_to_the_history() -> None:
    job = make_interrupted_job(5)
    complete_row(row_of(job, 1), adopted=True)
    record(job, EventKind.adopted, row=row_of(job, 1))
    record(job, EventKind.resolved, row=row_of(job, 2))

    assert _titles(job) == ["Worked, then stopped in the middle without a word"]
    assert Event.objects.filter(job=job).count() == 2


def test_questions_asked_again_and_again_do_not_crowd_the_choices_out() -> None:
    job = make_job(5)
    record(job, EventKind.started)
    for _number in range(EVENTS_SHOWN):
        record(job, EventKind.check_requested, rows=2)
        record(job, EventKind.check_requested, row=row_of(job, 1), rows=1)

    assert _titles(job) == ["Started", *["Had the carrier asked again"] * QUESTIONS_SHOWN]
