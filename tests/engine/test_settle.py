"""Settling: no received "bought" is ever lost, and every other answer counts only for its own claim."""

import pytest

from shipping.carriers.port import CarrierError, Rejected, Unavailable, Unknown, Unsent
from shipping.engine import books, filing
from shipping.engine.letters import Inbox, Reply
from shipping.models import Event, Job, Label, Row
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus, RunEnd
from tests.engine.letters import answer, claim, claim_letter, purchase, question, started_run
from tests.factories import claim_row, complete_row, make_job, row_of
from tests.support.ledger import assert_counters_equal_rows

pytestmark = pytest.mark.django_db


def test_bought_completes_the_row_and_the_last_one_the_job() -> None:
    job = make_job(rows=1)
    run = started_run(job)
    (letter,) = claim(run)
    answer(letter, purchase(letter, cost_cents=812))
    row = row_of(job, 1)
    assert row.label is not None
    assert (row.status, row.due, row.run, row.label.cost_cents) == (RowStatus.completed, None, None, 812)
    job.refresh_from_db()
    assert (job.status, job.cost_cents, job.spent_cents) == (JobStatus.completed, 812, 812)
    assert job.events.filter(kind=EventKind.completed).count() == 1


def test_the_same_bought_told_twice_is_one_label() -> None:
    job = make_job(rows=1)
    (letter,) = claim(started_run(job))
    answer(letter, purchase(letter))
    answer(letter, purchase(letter))
    assert Label.objects.filter(job=job).count() == 1
    assert_counters_equal_rows(job)


def test_a_second_charge_for_a_row_is_recorded_and_shown() -> None:
    job = make_job(rows=2)
    first, _second = claim(started_run(job), 2)
    answer(first, purchase(first))
    answer(first, purchase(first, purchase_id="shp_again", cost_cents=900))
    assert Label.objects.filter(job=job).count() == 2
    assert job.events.filter(kind=EventKind.second_charge).count() == 1
    job.refresh_from_db()
    assert (job.cost_cents, job.replaced_cents, job.spent_cents) == (750, 900, 1650)
    assert_counters_equal_rows(job)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Rejected("R", "no"), RowStatus.failed),
        (Unavailable("U", "later"), RowStatus.pending),
        (Unsent("S", "not sent"), RowStatus.pending),
    ],
)
def test_a_definite_answer_ends_what_is_owed(error: CarrierError, status: RowStatus) -> None:
    job = make_job(rows=1)
    (letter,) = claim(started_run(job))
    answer(letter, error)
    row = row_of(job, 1)
    assert (row.status, row.due, row.run) == (status, None, None)
    assert_counters_equal_rows(job)


def test_unknown_leaves_the_row_in_doubt() -> None:
    job = make_job(rows=1)
    (letter,) = claim(started_run(job))
    answer(letter, Unknown("TIMEOUT", "No answer."))
    row = row_of(job, 1)
    assert (row.status, row.run, row.answer) == (RowStatus.in_flight, None, "No answer.")
    assert row.due is not None
    assert [each.number for each in JobService().rows_in_doubt(job.pk)] == [1]


@pytest.mark.parametrize("error", [Rejected("R", "no"), Unavailable("U", "later"), Unknown("X", "?")])
def test_a_late_answer_of_an_older_claim_leaves_the_newer_claim_alone(error: CarrierError) -> None:
    job = make_job(rows=1)
    run = started_run(job)
    (old,) = claim(run)
    answer(old, Unavailable("U", "later"))
    (new,) = claim(run)
    assert new.claim == 2
    answer(old, error)
    row = row_of(job, 1)
    assert (row.status, row.claims, row.run_id) == (RowStatus.in_flight, 2, run.pk)
    assert row.due is not None


def test_a_late_bought_of_an_older_claim_completes_the_row_which_still_owes_the_newer_answer() -> None:
    job = make_job(rows=1)
    run = started_run(job)
    (old,) = claim(run)
    answer(old, Unavailable("U", "later"))
    (new,) = claim(run)
    answer(old, purchase(old))
    row = row_of(job, 1)
    assert (row.status, row.run_id) == (RowStatus.completed, run.pk)
    assert row.due is not None
    job.refresh_from_db()
    assert job.status == JobStatus.running
    answer(new, purchase(new))
    assert row_of(job, 1).due is None
    job.refresh_from_db()
    assert job.status == JobStatus.completed
    assert Label.objects.filter(job=job).count() == 1


@pytest.mark.parametrize("status", [RowStatus.pending, RowStatus.failed, RowStatus.skipped, RowStatus.needs_review])
def test_a_late_bought_completes_a_row_in_any_state(status: RowStatus) -> None:
    job = make_job(rows=2)
    row = claim_row(row_of(job, 1))
    letter = claim_letter(row)
    owed = {} if status == RowStatus.needs_review else {"due": None}
    Row.objects.filter(pk=row.pk).update(status=status, run=None, **owed)
    job.processed_rows = int(status in (RowStatus.failed, RowStatus.skipped))
    job.failed_rows = int(status == RowStatus.failed)
    job.status = JobStatus.cancelled
    job.save()
    answer(letter, purchase(letter))
    assert row_of(job, 1).status == RowStatus.completed
    assert_counters_equal_rows(job)
    assert Job.objects.get(pk=job.pk).status == JobStatus.cancelled


def test_a_purchase_of_another_row_is_set_aside_and_recorded() -> None:
    job = make_job(rows=2)
    first, second = claim(started_run(job), 2)
    answer(first, purchase(first))
    answer(second, purchase(second, purchase_id=first.handle))
    row = row_of(job, 2)
    assert (row.status, row.error_code) == (RowStatus.needs_review, "label_conflict")
    assert job.events.filter(kind=EventKind.label_conflict).exists()
    assert Label.objects.filter(job=job).count() == 1


def test_a_label_of_an_earlier_attempt_is_not_taken_for_the_new_one() -> None:
    job = make_job(rows=1)
    run = started_run(job)
    label = complete_row(row_of(job, 1))
    Row.objects.filter(job=job).update(status=RowStatus.pending, attempt=2, label=None, handle=None)
    Job.objects.filter(pk=job.pk).update(processed_rows=0, successful_rows=0, cost_cents=0, replaced_cents=750)
    (letter,) = claim(run)
    answer(letter, purchase(letter, purchase_id=label.purchase_id))
    row = row_of(job, 1)
    assert (row.status, row.error_code) == (RowStatus.needs_review, "earlier_label")


def test_an_answer_that_the_books_refuse_is_written_down_whole_and_the_others_are_settled() -> None:
    job = make_job(rows=2)
    first, second = claim(started_run(job), 2)
    poison = purchase(first)
    object.__setattr__(poison, "cost_cents", None)
    filing.file_all(job.pk, [Reply(first, poison), Reply(second, purchase(second))])
    assert row_of(job, 2).status == RowStatus.completed
    row = row_of(job, 1)
    assert row.status == RowStatus.in_flight
    event = Event.objects.get(job=job, kind=EventKind.unrecorded_answer)
    assert event.row == row
    assert poison.tracking_number in event.details["outcome"]


def test_the_rows_that_a_fenced_run_had_in_the_air_are_settled_after_a_restarted_epoch() -> None:
    job = make_job(rows=2)
    run = started_run(job)
    (letter,) = claim(run)
    JobService().pause(job.pk)
    JobService().start(job.pk)
    answer(letter, purchase(letter))
    assert row_of(job, 1).status == RowStatus.completed


def test_a_halt_that_the_run_itself_asks_for_names_the_row() -> None:
    job = make_job(rows=2)
    run = started_run(job)
    books.end_run(run.pk, RunEnd.halted, Unavailable("DOWN", "The carrier is down."), 2)
    job.refresh_from_db()
    assert (job.error_code, job.error_row_number, job.status) == ("DOWN", 2, JobStatus.running)
    assert books.tick(job.pk, Inbox(), books.Wishes(preparations=1), run_id=run.pk).letters == []


def test_a_run_counts_what_its_purchases_brought_once_and_from_which_row_to_which() -> None:
    job = make_job(rows=6)
    run = started_run(job)
    letters = claim(run, 4)
    answer(letters[2], purchase(letters[2]))
    answer(letters[1], purchase(letters[1]))
    answer(letters[1], purchase(letters[1]))
    answer(letters[0], Rejected("R", "no"))
    answer(letters[3], Unknown("U", "no answer"))
    answer(letters[3], purchase(letters[3]))
    run.refresh_from_db()
    # The fourth came late, when nobody waited for it any more: it is told as a late answer, not as the run's.
    assert (run.bought_rows, run.lowest_row, run.highest_row) == (2, 2, 3)


def test_what_a_look_up_finds_counts_for_the_run_that_had_sent_it() -> None:
    job = make_job(rows=2)
    run = started_run(job)
    claim(run, 2)
    asked = question(row_of(job, 1))
    answer(asked, purchase(asked))
    run.refresh_from_db()
    assert (run.bought_rows, run.lowest_row, run.highest_row) == (1, 1, 1)
