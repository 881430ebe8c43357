"""Doubt means ask: what is believed, when, and what is left to a person."""

from typing import Any

import pytest

from shipping.carriers.port import Guarantee, Unavailable, Unknown
from shipping.carriers.registry import get_carrier
from shipping.engine import books
from shipping.engine.letters import Inbox, Question
from shipping.models import Job, Row
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus
from tests.engine.letters import answer, claim_letter, purchase, question
from tests.factories import claim_row, complete_row, make_dead_run, make_interrupted_job, make_live_run, row_of
from tests.support.ledger import assert_counters_equal_rows

pytestmark = pytest.mark.django_db


def doubtful_row(*, due_in: float, rows: int = 2) -> Row:
    job = make_interrupted_job(rows=rows)
    return claim_row(row_of(job, 1), make_dead_run(job), due_in=due_in)


def errands(job_id: int, limit: int = 10) -> list[Question]:
    letters = books.tick(job_id, Inbox(), books.Wishes(errands=limit)).letters
    return [letter for letter in letters if isinstance(letter, Question)]


def test_bought_is_adopted_at_any_time(settings: Any) -> None:
    row = doubtful_row(due_in=20)
    asked = question(row)
    answer(asked, purchase(asked))
    row.refresh_from_db()
    assert row.status == RowStatus.completed
    assert row.label is not None
    assert row.label.adopted
    assert row.due is not None, "until due and quiet period have passed, the claim still owes its own answer"
    assert row.ask_after == pytest.approx(row.due + settings.QUIET_SECONDS)
    assert_counters_equal_rows(row.job)


def test_not_bought_before_due_and_quiet_is_not_believed(settings: Any) -> None:
    row = doubtful_row(due_in=-settings.QUIET_SECONDS + 5)
    answer(question(row), None)
    row.refresh_from_db()
    assert row.status == RowStatus.in_flight
    assert row.due is not None
    assert row.ask_after == pytest.approx(row.due + settings.QUIET_SECONDS)


def test_not_bought_counts_by_when_it_was_asked_not_by_when_it_was_answered(settings: Any) -> None:
    row = doubtful_row(due_in=-settings.QUIET_SECONDS - 5)
    early = question(row, asked=book_now() - 10)
    answer(early, None)
    row.refresh_from_db()
    assert row.status == RowStatus.in_flight


def test_not_bought_after_due_and_quiet_frees_the_row_under_the_same_handle(settings: Any) -> None:
    row = doubtful_row(due_in=-settings.QUIET_SECONDS - 1)
    handle = row.handle
    answer(question(row), None)
    row.refresh_from_db()
    assert (row.status, row.due, row.handle, row.attempt) == (RowStatus.pending, None, handle, 1)
    assert row.job.events.filter(kind=EventKind.not_bought).exists()


def test_an_answer_for_an_older_claim_frees_nothing(settings: Any) -> None:
    row = doubtful_row(due_in=-settings.QUIET_SECONDS - 1)
    asked = question(row)
    Row.objects.filter(pk=row.pk).update(claims=2)
    answer(asked, None)
    row.refresh_from_db()
    assert row.status == RowStatus.in_flight


@pytest.mark.parametrize("error", [Unavailable("DOWN", "503"), Unknown("X", "cut off")])
def test_could_not_find_out_is_never_read_as_not_bought(settings: Any, error: Unavailable | Unknown) -> None:
    settings.REVIEW_AFTER_QUESTIONS = 3
    row = doubtful_row(due_in=-settings.QUIET_SECONDS - 1)
    waits = []
    for _question in range(2):
        now = book_now()
        answer(question(row), error)
        row.refresh_from_db()
        assert row.status == RowStatus.in_flight
        waits.append(row.ask_after - now)
    assert waits[1] > waits[0] * 1.5
    answer(question(row), error)
    row.refresh_from_db()
    assert (row.status, row.error_code) == (RowStatus.needs_review, "could_not_find_out")
    assert row.due is not None
    assert not errands(row.job_id)


def test_a_bought_row_is_let_go_in_vain_only_once_its_request_can_not_arrive_any_more(settings: Any) -> None:
    settings.REVIEW_AFTER_QUESTIONS = 1
    row = doubtful_row(due_in=5)
    asked = question(row)
    answer(asked, purchase(asked))
    row.refresh_from_db()
    assert (row.status, row.due is None) == (RowStatus.completed, False)
    answer(question(row), Unavailable("DOWN", "503"))
    row.refresh_from_db()
    assert row.due is not None, "before due and quiet period are over"

    Row.objects.filter(pk=row.pk).update(due=book_now() - settings.QUIET_SECONDS - 1)
    answer(question(Row.objects.get(pk=row.pk)), Unavailable("DOWN", "503"))
    row.refresh_from_db()
    assert row.due is None
    assert row.job.events.filter(kind=EventKind.unanswered).exists()


def test_a_person_may_have_a_row_in_review_asked_about_again(settings: Any) -> None:
    row = doubtful_row(due_in=-settings.QUIET_SECONDS - 1)
    settings.REVIEW_AFTER_QUESTIONS = 1
    answer(question(row), Unavailable("DOWN", "503"))
    assert not errands(row.job_id)
    assert JobService().check_again(row.job_id) == 1
    (asked,) = errands(row.job_id)
    answer(asked, None)
    row.refresh_from_db()
    assert row.status == RowStatus.pending
    assert_counters_equal_rows(row.job)


def test_with_adopt_or_ask_a_purchase_that_is_not_found_is_left_to_a_person(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = doubtful_row(due_in=-settings.QUIET_SECONDS - 1)
    carrier = get_carrier(row.account)
    monkeypatch.setattr(carrier, "guarantee", Guarantee.adopt_or_ask)
    monkeypatch.setattr(carrier, "send_again_when_not_found", False)
    answer(question(row), None)
    row.refresh_from_db()
    assert (row.status, row.error_code) == (RowStatus.needs_review, "not_found")


def test_with_adopt_or_ask_the_policy_may_be_to_send_again(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    row = doubtful_row(due_in=-settings.QUIET_SECONDS - 1)
    carrier = get_carrier(row.account)
    monkeypatch.setattr(carrier, "guarantee", Guarantee.adopt_or_ask)
    monkeypatch.setattr(carrier, "send_again_when_not_found", True)
    answer(question(row), None)
    row.refresh_from_db()
    assert row.status == RowStatus.pending


def test_a_row_that_a_live_run_waits_for_is_not_asked_about() -> None:
    job = make_interrupted_job(rows=2)
    claim_row(row_of(job, 1), make_live_run(job))
    claim_row(row_of(job, 2), make_dead_run(job))
    assert [asked.row_id for asked in errands(job.pk)] == [row_of(job, 2).pk]


def test_a_question_under_way_is_not_asked_by_others_too() -> None:
    row = doubtful_row(due_in=-1)
    assert len(errands(row.job_id)) == 1
    assert errands(row.job_id) == []


@pytest.mark.parametrize("status", [JobStatus.cancelled, JobStatus.paused, JobStatus.completed])
def test_doubts_of_jobs_that_are_cancelled_paused_or_over_are_asked_about_too(status: JobStatus) -> None:
    row = doubtful_row(due_in=-1)
    Job.objects.filter(pk=row.job_id).update(status=status)
    (asked,) = errands(row.job_id)
    answer(asked, purchase(asked))
    row.refresh_from_db()
    assert row.status == RowStatus.completed
    assert Job.objects.get(pk=row.job_id).status == status


def test_the_last_doubt_settled_completes_a_running_job(settings: Any) -> None:
    row = doubtful_row(due_in=-settings.QUIET_SECONDS - 1)
    complete_row(row_of(row.job, 2))
    asked = question(row)
    answer(asked, purchase(asked))
    row.job.refresh_from_db()
    assert row.job.status == JobStatus.completed


def test_a_late_answer_after_not_bought_is_recorded_and_the_row_is_not_bought_again(settings: Any) -> None:
    row = doubtful_row(due_in=-settings.QUIET_SECONDS - 1)
    letter = claim_letter(row)
    answer(question(row), None)
    answer(letter, purchase(letter))
    row.refresh_from_db()
    assert row.status == RowStatus.completed
    assert_counters_equal_rows(row.job)
