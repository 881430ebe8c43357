"""Restart, retry and void as sweeps: each row once, in chunks, going on after a kill."""

from typing import Any

import pytest

from recovery.facts import describe
from recovery.plan import plan_cancel, plan_resume
from recovery.prompt import get_recovery_prompt
from shipping.carriers.port import Unavailable, VoidAnswer, VoidState
from shipping.engine import books, sweep
from shipping.engine.letters import Inbox, VoidLetter
from shipping.models import Job, Label, Row, Run
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus, Sweep, VoidRequest
from tests.engine.letters import answer, claim_letter, purchase, question, started_run, tick
from tests.factories import claim_row, complete_row, fail_row, make_interrupted_job, make_job, row_of, set_aside
from tests.support.ledger import assert_counters_equal_rows

pytestmark = pytest.mark.django_db


def restart(job: Job, **options: Any) -> Run:
    """Restart with the facts as they are; returns the started run."""
    job.refresh_from_db()
    JobService().restart(job.pk, expected=JobService().facts(job), **options)
    job.refresh_from_db()
    return started_run(job)


def sweep_all(run: Run) -> None:
    for _chunk in range(100):
        tick(run)
        if not Job.objects.get(pk=run.job_id).sweep:
            return
    raise AssertionError("the sweep did not end")


def voids(job: Job, run: Run | None = None) -> list[VoidLetter]:
    outcome = books.tick(job.pk, Inbox(), books.Wishes(errands=50), run_id=run.pk if run else None)
    return [letter for letter in outcome.letters if isinstance(letter, VoidLetter)]


def test_restart_buys_again_what_was_named_and_retries_what_failed() -> None:
    job = make_interrupted_job(rows=6, completed=2)
    fail_row(row_of(job, 3))
    set_aside(row_of(job, 4))
    claim_row(row_of(job, 5), due_in=-5)
    run = restart(job)
    sweep_all(run)
    found = {row.number: (row.status, row.attempt) for row in Row.objects.filter(job=job)}
    assert found == {
        1: (RowStatus.pending, 2),
        2: (RowStatus.pending, 2),
        3: (RowStatus.pending, 1),
        4: (RowStatus.needs_review, 1),
        5: (RowStatus.in_flight, 1),
        6: (RowStatus.pending, 1),
    }
    assert row_of(job, 1).handle is None
    job.refresh_from_db()
    assert (job.cost_cents, job.replaced_cents) == (0, 1500)
    assert_counters_equal_rows(job)
    assert job.events.filter(kind=EventKind.sweep_done).exists()


def test_a_label_that_turned_up_after_the_mark_is_not_bought_again() -> None:
    job = make_interrupted_job(rows=3, completed=1)
    facts = JobService().facts(job)
    complete_row(row_of(job, 2))
    JobService().restart(job.pk, expected=facts)
    job.refresh_from_db()
    run = started_run(job)
    sweep_all(run)
    assert (row_of(job, 1).attempt, row_of(job, 2).attempt) == (2, 1)
    assert row_of(job, 2).status == RowStatus.completed


def test_nothing_is_claimed_before_the_sweep_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "CHUNK_ROWS", 2)
    job = make_interrupted_job(rows=5, completed=3)
    run = restart(job)
    for _chunk in range(3):
        assert tick(run, preparations=5) == []
    assert len(tick(run, preparations=5)) == 5
    assert not Job.objects.get(pk=job.pk).sweep


def test_a_sweep_that_was_cut_short_goes_on_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "CHUNK_ROWS", 2)
    job = make_interrupted_job(rows=7, completed=6)
    run = restart(job)
    tick(run)
    Run.objects.filter(pk=run.pk).update(pid_start_ticks=1)  # it died
    JobService().resume(job.pk)
    job.refresh_from_db()
    assert (job.sweep, job.sweep_next_row) == (Sweep.restart, 3)
    run = started_run(job)
    sweep_all(run)
    assert set(Row.objects.filter(job=job, number__lte=6).values_list("status", "attempt")) == {(RowStatus.pending, 2)}
    assert row_of(job, 7).attempt == 1
    assert_counters_equal_rows(job)


def test_a_completed_row_that_still_owes_an_answer_waits_for_it(settings: Any) -> None:
    job = make_interrupted_job(rows=2, completed=1)
    row = claim_row(row_of(job, 2), due_in=-1)
    asked = question(row)
    answer(asked, purchase(asked))  # adopted, but the claim's own answer is still owed
    run = restart(job)
    sweep_all(run)
    row.refresh_from_db()
    assert (row.status, row.rebuy, row.attempt) == (RowStatus.completed, True, 1)
    letter = claim_letter(row)
    answer(letter, purchase(letter))
    row.refresh_from_db()
    assert (row.status, row.rebuy, row.attempt, row.due) == (RowStatus.pending, False, 2, None)
    assert_counters_equal_rows(job)


def test_void_first_buys_a_row_again_only_once_its_label_is_voided() -> None:
    job = make_interrupted_job(rows=3, completed=2)
    run = restart(job, void_first=True)
    sweep_all(run)
    assert set(Label.objects.filter(job=job).values_list("void_requested", flat=True)) == {VoidRequest.rebuy}
    assert row_of(job, 1).status == RowStatus.completed
    first, second = voids(job, run)
    answer(first, VoidAnswer(state=VoidState.submitted))
    row = row_of(job, 1)
    assert (row.status, row.attempt, row.handle) == (RowStatus.pending, 2, None)
    answer(second, VoidAnswer(state=VoidState.refused, message="Scanned already."))
    row = row_of(job, 2)
    assert (row.status, row.attempt, row.error_code) == (RowStatus.completed, 1, "void_refused")
    job.refresh_from_db()
    assert job.spent_cents == 750
    assert_counters_equal_rows(job)
    answer(first, VoidAnswer(state=VoidState.submitted))
    assert row_of(job, 1).attempt == 2


def test_a_void_that_is_not_answered_is_asked_for_again_and_shown_and_never_taken_for_refused() -> None:
    job = make_interrupted_job(rows=2, completed=1)
    run = restart(job, void_first=True)
    sweep_all(run)
    (letter,) = voids(job, run)
    assert voids(job, run) == []
    for _failure in range(8):
        answer(letter, Unavailable("DOWN", "503"))
    label = Label.objects.get(job=job)
    assert label.void_requested == VoidRequest.rebuy
    row = row_of(job, 1)
    assert (row.status, row.error_code) == (RowStatus.completed, "void_unanswered")
    assert job.events.filter(kind=EventKind.void_unanswered).count() == 1
    answer(letter, VoidAnswer(state=VoidState.submitted))
    assert row_of(job, 1).status == RowStatus.pending


def test_a_label_whose_row_still_owes_an_answer_is_not_voided_yet() -> None:
    job = make_interrupted_job(rows=2)
    row = claim_row(row_of(job, 1), due_in=-1)
    asked = question(row)
    answer(asked, purchase(asked))
    run = restart(job, void_first=True)
    sweep_all(run)
    assert voids(job, run) == []
    letter = claim_letter(Row.objects.get(pk=row.pk))
    answer(letter, purchase(letter))
    assert len(voids(job, run)) == 1


def test_resume_may_retry_all_failed_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_interrupted_job(rows=4, completed=1)
    Job.objects.filter(pk=job.pk).update(stop_on_error=False)
    fail_row(row_of(job, 2))
    fail_row(row_of(job, 3))
    JobService().resume(job.pk, retry_failed=True)
    job.refresh_from_db()
    sweep_all(started_run(job))
    assert Row.objects.filter(job=job, status=RowStatus.pending).count() == 3
    assert row_of(job, 1).attempt == 1
    assert_counters_equal_rows(job)


def test_the_labels_of_a_cancelled_job_are_voided_and_its_rows_stay() -> None:
    job = make_interrupted_job(rows=3, completed=2)
    JobService().cancel(job.pk)
    JobService().void_labels(job.pk)
    for _chunk in range(2):
        books.tick(job.pk, Inbox(), books.Wishes())
    letters = voids(job)
    assert len(letters) == 2
    for letter in letters:
        answer(letter, VoidAnswer(state=VoidState.submitted))
    job.refresh_from_db()
    assert (job.status, job.spent_cents, job.successful_rows) == (JobStatus.cancelled, 0, 2)
    assert Label.objects.filter(job=job, voided_at__isnull=False).count() == 2
    assert_counters_equal_rows(job)


def test_a_job_does_not_complete_while_a_void_is_owed() -> None:
    job = make_job(rows=1, status=JobStatus.running)
    complete_row(row_of(job, 1))
    Label.objects.filter(job=job).update(void_requested=VoidRequest.rebuy)
    books.tick(job.pk, Inbox(), books.Wishes())
    job.refresh_from_db()
    assert job.status == JobStatus.running


def test_an_interrupted_restart_sends_no_further_void_before_somebody_decides() -> None:
    job = make_interrupted_job(rows=4, completed=3)
    run = restart(job, void_first=True)
    sweep_all(run)
    begun = [
        letter
        for letter in books.tick(job.pk, Inbox(), books.Wishes(errands=1), run_id=run.pk).letters
        if isinstance(letter, VoidLetter)
    ]
    assert len(begun) == 1
    Run.objects.filter(pk=run.pk).update(pid_start_ticks=1)  # it died
    Label.objects.filter(pk=begun[0].label_id).update(void_after=1.0)  # the answer is overdue
    assert [letter.label_id for letter in voids(job)] == [begun[0].label_id], "only what was sent is asked for again"

    job.refresh_from_db()
    rows, cents = JobService().restart_left(job)
    assert (rows, cents) == (3, 2250)
    resume = plan_resume(job, JobService())
    assert "Carries the restart on: up to 3 labels bought before are voided and bought again" in resume.sentences()[1]
    assert not any("Does not buy" in sentence for sentence in resume.sentences())
    cancel = plan_cancel(job, JobService())
    assert any("void of 1 label among them was sent" in sentence for sentence in cancel.sentences())
    prompt = get_recovery_prompt(describe(job, JobService()))
    assert "A restart was under way: up to 3 rows still to be bought again." in prompt

    JobService().cancel(job.pk)
    Label.objects.filter(pk=begun[0].label_id).update(void_after=1.0)
    assert [letter.label_id for letter in voids(job)] == [begun[0].label_id]
    answer(begun[0], VoidAnswer(state=VoidState.submitted))
    assert Label.objects.filter(job=job, voided_at__isnull=False).count() == 1
    assert_counters_equal_rows(job)
