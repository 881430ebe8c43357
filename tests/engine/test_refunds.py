"""Refunds: a void is a request that the carrier decides later; what it says is kept, and a refusal is never silent."""

from typing import Any

import pytest

from shipping.carriers.port import Unavailable, VoidAnswer, VoidState
from shipping.engine import books
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.letters import Inbox, RefundQuestion, VoidLetter
from shipping.engine.refunds import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, wait_for_refund
from shipping.engine.wire import Wire
from shipping.models import Job, Label, Row
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RefundState, RowStatus, VoidRequest
from tests.engine.letters import answer, purchase, question, started_run, tick
from tests.factories import claim_row, complete_row, make_interrupted_job, make_job, row_of
from tests.support.ledger import assert_counters_equal_rows
from tests.support.processes import worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db

SUBMITTED = VoidAnswer(state=VoidState.submitted)
REFUNDED = VoidAnswer(state=VoidState.refunded)
REFUSED = VoidAnswer(state=VoidState.refused, message="The carrier rejected the refund.")


def errands(job: Job) -> list[Any]:
    return books.tick(job.pk, Inbox(), books.Wishes(errands=50)).letters


def only(letters: list[Any], kind: type) -> Any:
    (found,) = [letter for letter in letters if isinstance(letter, kind)]
    return found


def voided_label(job: Job, number: int = 1, *, request: VoidRequest = VoidRequest.only) -> Label:
    """The row's label, whose void the carrier has accepted."""
    label = Label.objects.get(row=row_of(job, number))
    Label.objects.filter(pk=label.pk).update(void_requested=request, void_after=0.0, file="labels/kept.pdf")
    answer(only(errands(job), VoidLetter), SUBMITTED)
    label.refresh_from_db()
    return label


def make_due(label: Label) -> None:
    Label.objects.filter(pk=label.pk).update(refund_ask_after=0.0)


def finished_job(rows: int = 1) -> Job:
    job = make_job(rows, status=JobStatus.running)
    for number in range(1, rows + 1):
        complete_row(row_of(job, number))
    books.tick(job.pk, Inbox(), books.Wishes())
    job.refresh_from_db()
    assert job.status == JobStatus.completed
    return job


def test_an_accepted_void_is_asked_about_later_and_not_before() -> None:
    job = finished_job()
    label = voided_label(job)
    assert (label.refund_state, label.voided_at is not None) == (RefundState.submitted, True)
    assert label.refund_at is not None
    assert label.refund_ask_after == pytest.approx(book_now() + FIRST_WAIT_SECONDS, abs=60)
    assert errands(job) == []
    make_due(label)
    letter = only(errands(job), RefundQuestion)
    assert (letter.label_id, letter.purchase_id) == (label.pk, label.purchase_id)
    assert errands(job) == [], "one question at a time"


def test_the_waits_grow_from_an_hour_to_two_days() -> None:
    waits = [wait_for_refund(questions) for questions in range(40)]
    assert waits[:3] == [3600.0, 7200.0, 14400.0]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT_SECONDS == 172_800


@pytest.mark.parametrize("outcome", [SUBMITTED, Unavailable("DOWN", "503")])
def test_what_is_not_decided_is_asked_again_with_a_longer_wait(outcome: Any) -> None:
    job = finished_job()
    label = voided_label(job)
    make_due(label)
    answer(only(errands(job), RefundQuestion), outcome)
    label.refresh_from_db()
    assert (label.refund_state, label.refund_questions) == (RefundState.submitted, 1)
    assert label.refund_ask_after == pytest.approx(book_now() + 2 * FIRST_WAIT_SECONDS, abs=60)
    assert label.voided_at is not None
    assert_counters_equal_rows(job)


def test_a_refund_that_came_is_written_down_and_nobody_asks_any_more() -> None:
    job = finished_job()
    label = voided_label(job)
    make_due(label)
    letter = only(errands(job), RefundQuestion)
    answer(letter, REFUNDED)
    label.refresh_from_db()
    assert label.refund_state == RefundState.refunded
    event = job.events.get(kind=EventKind.refunded)
    assert (event.row, event.details["cost_cents"]) == (label.row, 750)
    make_due(label)
    assert errands(job) == []
    answer(letter, REFUSED)  # a late answer changes nothing that is decided
    label.refresh_from_db()
    assert label.refund_state == RefundState.refunded
    assert_counters_equal_rows(job)


def test_a_refund_that_is_refused_later_makes_the_label_paid_for_again_and_says_so() -> None:
    job = finished_job(rows=2)
    label = voided_label(job)
    job.refresh_from_db()
    assert job.spent_cents == 750
    make_due(label)
    answer(only(errands(job), RefundQuestion), REFUSED)
    label.refresh_from_db()
    assert (label.refund_state, label.voided_at, label.void_requested) == (RefundState.refused, None, VoidRequest.none)
    job.refresh_from_db()
    assert (job.cost_cents, job.replaced_cents) == (1500, 0)
    event = job.events.get(kind=EventKind.refund_refused)
    assert (event.row, event.details["cost_cents"], event.details["message"]) == (label.row, 750, REFUSED.message)
    row = row_of(job, 1)
    assert (row.status, row.error_code, row.error_message) == (
        RowStatus.completed,
        "refund_refused",
        "The carrier rejected the refund.",
    )
    assert errands(job) == [], "neither void nor refund is asked for by itself again"
    assert_counters_equal_rows(job)


def test_a_label_that_was_replaced_meanwhile_costs_as_a_replaced_one_when_its_refund_is_refused() -> None:
    job = make_interrupted_job(rows=2, completed=1)
    JobService().restart(job.pk, expected=JobService().facts(job), void_first=True)
    run = started_run(Job.objects.get(pk=job.pk))
    for _chunk in range(2):
        tick(run)
    label = Label.objects.get(job=job)
    letters = books.tick(job.pk, Inbox(), books.Wishes(errands=50), run_id=run.pk).letters
    answer(only(letters, VoidLetter), SUBMITTED)
    assert (row_of(job, 1).status, row_of(job, 1).attempt) == (RowStatus.pending, 2)
    make_due(label)
    letters = books.tick(job.pk, Inbox(), books.Wishes(errands=50), run_id=run.pk).letters
    answer(only(letters, RefundQuestion), REFUSED)
    job.refresh_from_db()
    assert (job.cost_cents, job.replaced_cents) == (0, 750)
    assert row_of(job, 1).error_code == ""
    assert_counters_equal_rows(job)


def test_a_row_that_waits_to_be_bought_again_keeps_its_label_when_the_refund_is_refused() -> None:
    job = make_interrupted_job(rows=2)
    row = claim_row(row_of(job, 1), due_in=-1)
    asked = question(row)
    answer(asked, purchase(asked))  # adopted; the claim's own answer is still owed
    label = Label.objects.get(job=job)
    Label.objects.filter(pk=label.pk).update(
        void_requested=VoidRequest.rebuy, voided_at=label.bought_at, refund_state=RefundState.submitted
    )
    Job.objects.filter(pk=job.pk).update(cost_cents=0)
    Row.objects.filter(pk=row.pk).update(rebuy=True)
    letter = RefundQuestion(job_id=job.pk, carrier=job.carrier, label_id=label.pk, purchase_id=label.purchase_id)
    answer(letter, REFUSED)
    row.refresh_from_db()
    assert (row.status, row.rebuy, row.label_id) == (RowStatus.completed, False, label.pk)
    assert_counters_equal_rows(job)


def test_a_void_that_is_refused_at_once_says_so_and_one_that_is_accepted_then_clears_it() -> None:
    job = finished_job()
    label = Label.objects.get(job=job)
    Label.objects.filter(pk=label.pk).update(void_requested=VoidRequest.only, file="labels/kept.pdf")
    answer(only(errands(job), VoidLetter), REFUSED)
    label.refresh_from_db()
    assert (label.refund_state, label.voided_at) == (RefundState.refused, None)
    assert row_of(job, 1).error_code == "void_refused"
    voided_label(job)
    assert row_of(job, 1).error_code == ""
    assert Label.objects.get(job=job).refund_state == RefundState.submitted
    assert_counters_equal_rows(job)


@pytest.mark.django_db(transaction=True)
def test_housekeeping_asks_the_carrier_and_writes_down_what_it_decided(sandbox: SandboxProcess) -> None:
    job = make_job(2)
    JobService().start(job.pk)
    with worker(sandbox.url, "--until-idle") as process:
        assert process.wait(60) == 0
    JobService().void_labels(job.pk)
    house = Housekeeper(Wire(2))
    house.run(20.0)
    assert Label.objects.refund_open().filter(job=job).count() == 2
    first, second = Label.objects.filter(job=job).order_by("pk")
    assert sandbox.decide_refunds("refunded", first.purchase_id) == 1
    assert sandbox.decide_refunds("rejected", second.purchase_id) == 1
    house.run(20.0)
    assert Label.objects.refund_open().filter(job=job).count() == 2, "nobody asks before it is time"
    Label.objects.filter(job=job).update(refund_ask_after=0.0)
    house.run(20.0)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.refund_state, second.refund_state) == (RefundState.refunded, RefundState.refused)
    assert (first.voided_at is None, second.voided_at is None) == (False, True)
    job.refresh_from_db()
    assert job.spent_cents == second.cost_cents
    assert_counters_equal_rows(job)
