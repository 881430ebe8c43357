"""Voids that a person orders for single labels, in jobs that run, wait or are over."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from shipping.carriers.port import VoidAnswer, VoidState
from shipping.engine import books
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.letters import Inbox, VoidLetter
from shipping.engine.wire import Wire
from shipping.models import Job, Label
from shipping.models.clock import book_now
from shipping.refusals import FactsMoved, Refused, UnknownJob
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RefundState, RowStatus, VoidRequest
from shipping.voids import order_voids, void_chosen, void_until, voidable_labels
from tests.engine.letters import answer, claim_letter, purchase, question, started_run, tick
from tests.factories import claim_row, complete_row, make_interrupted_job, make_job, row_of
from tests.support.ledger import assert_counters_equal_rows
from tests.support.processes import worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db

SUBMITTED = VoidAnswer(state=VoidState.submitted)


def label_of(job: Job, number: int = 1) -> Label:
    label = row_of(job, number).label
    assert label is not None
    return label


def void_letters(job: Job) -> list[VoidLetter]:
    letters = books.tick(job.pk, Inbox(), books.Wishes(errands=50)).letters
    return [letter for letter in letters if isinstance(letter, VoidLetter)]


def test_a_label_of_an_interrupted_job_is_voided_and_its_row_stays(clerk: User) -> None:
    job = make_interrupted_job(3, completed=2)
    (ordered,) = void_chosen(job.pk, [label_of(job).pk], actor=clerk, reason="The customer cancelled")
    event = job.events.get(kind=EventKind.void_requested)
    assert (event.actor, event.row, event.details["reason"]) == (clerk, ordered.row, "The customer cancelled")
    assert event.details["tracking_number"] == ordered.tracking_number
    (letter,) = void_letters(job)
    assert letter.label_id == ordered.pk
    answer(letter, SUBMITTED)
    row = row_of(job, 1)
    assert (row.status, row.label_id) == (RowStatus.completed, ordered.pk)
    job.refresh_from_db()
    assert (job.successful_rows, job.spent_cents) == (2, 750)
    assert_counters_equal_rows(job)


def test_a_running_job_is_done_only_once_the_void_is_answered() -> None:
    job = make_job(2, status=JobStatus.running)
    complete_row(row_of(job, 1))
    void_chosen(job.pk, [label_of(job).pk])
    complete_row(row_of(job, 2))
    (letter,) = void_letters(job)
    job.refresh_from_db()
    assert job.status == JobStatus.running
    answer(letter, SUBMITTED)
    job.refresh_from_db()
    assert (job.status, job.spent_cents) == (JobStatus.completed, 750)
    assert_counters_equal_rows(job)


def test_many_are_ordered_at_once_with_one_event_that_names_rows_and_cost() -> None:
    job = make_interrupted_job(5, completed=4)
    keys = [label_of(job, number).pk for number in (4, 2, 3)]
    assert len(void_chosen(job.pk, keys, reason="Wrong service")) == 3
    event = job.events.get(kind=EventKind.void_requested)
    assert (event.row, event.details["labels"], event.details["cost_cents"]) == (None, 3, 2250)
    assert event.details["message"] == "3 labels, rows 2 to 4"
    assert len(void_letters(job)) == 3


def test_a_second_order_for_the_same_label_is_refused_whole() -> None:
    job = make_interrupted_job(3, completed=2)
    first, second = label_of(job, 1), label_of(job, 2)
    void_chosen(job.pk, [first.pk])
    with pytest.raises(FactsMoved, match="1 of these labels was voided meanwhile"):
        void_chosen(job.pk, [first.pk, second.pk])
    assert list(voidable_labels(job)) == [second]
    assert job.events.filter(kind=EventKind.void_requested).count() == 1


def test_nobody_voids_labels_of_another_job_unknown_ones_or_too_many() -> None:
    job, other = make_interrupted_job(1, completed=1), make_interrupted_job(1, completed=1)
    with pytest.raises(FactsMoved):
        void_chosen(other.pk, [label_of(job).pk])
    with pytest.raises(FactsMoved):
        void_chosen(job.pk, [])
    with pytest.raises(UnknownJob):
        void_chosen(999, [label_of(job).pk])
    with pytest.raises(Refused, match=r"At most 1,?000"):
        void_chosen(job.pk, list(range(1001)))
    assert not Label.objects.void_owed().exists()


def test_while_all_labels_of_a_job_are_being_voided_none_is_ordered_singly() -> None:
    job = make_interrupted_job(2, completed=2)
    JobService().cancel(job.pk)
    JobService().void_labels(job.pk)
    with pytest.raises(Refused, match="being voided already"):
        void_chosen(job.pk, [label_of(job).pk])


def test_a_void_that_was_refused_may_be_ordered_again() -> None:
    job = make_interrupted_job(1, completed=1)
    label = label_of(job)
    void_chosen(job.pk, [label.pk])
    answer(void_letters(job)[0], VoidAnswer(state=VoidState.refused, message="Scanned."))
    label.refresh_from_db()
    assert (label.refund_state, label.void_answer) == (RefundState.refused, "Scanned.")
    void_chosen(job.pk, [label.pk])
    answer(void_letters(job)[0], SUBMITTED)
    assert_counters_equal_rows(job)


def test_a_restart_that_waits_for_an_answer_does_not_wait_for_a_void_ordered_for_its_own_sake() -> None:
    job = make_interrupted_job(2)
    row = claim_row(row_of(job, 1), due_in=-1)
    asked = question(row)
    answer(asked, purchase(asked))  # adopted; the claim's own answer is still owed
    void_chosen(job.pk, [label_of(job).pk])
    assert void_letters(job) == [], "the row owes an answer"
    job.refresh_from_db()
    JobService().restart(job.pk, expected=JobService().facts(job))
    run = started_run(Job.objects.get(pk=job.pk))
    for _chunk in range(3):
        tick(run)
    row.refresh_from_db()
    assert row.rebuy
    letter = claim_letter(row)
    answer(letter, purchase(letter))
    row.refresh_from_db()
    assert (row.status, row.attempt, row.rebuy) == (RowStatus.pending, 2, False)
    label = Label.objects.get(job=job)
    assert (label.void_requested, label.voided_at) == (VoidRequest.only, None)
    answer(void_letters(job)[0], SUBMITTED)
    job.refresh_from_db()
    assert job.spent_cents == 0
    assert_counters_equal_rows(job)


def test_voids_that_a_cancelled_restart_never_sent_are_ordered_no_more(clerk: User) -> None:
    job = make_interrupted_job(4, completed=3)
    service = JobService()
    service.restart(job.pk, expected=service.facts(job), void_first=True)
    run = started_run(job)
    tick(run)
    sent = label_of(job, 1)
    Label.objects.filter(pk=sent.pk).update(void_after=book_now() + 60)
    assert Label.objects.void_owed().filter(job=job).count() == 3
    service.cancel(job.pk, actor=clerk)

    Housekeeper(Wire(2)).round()

    assert Label.objects.void_owed().get() == sent, "it may have reached the carrier, so it is asked for again"
    assert [label.row.number for label in voidable_labels(job).order_by("pk")] == [2, 3]
    void_chosen(job.pk, [label_of(job, 2).pk], actor=clerk)
    assert_counters_equal_rows(job)


def test_others_may_order_voids_in_their_own_transaction(clerk: User) -> None:
    job = make_interrupted_job(1, completed=1)
    with transaction.atomic():
        locked = Job.objects.lock(job.pk)
        order_voids(locked, list(Label.objects.filter(job=locked).select_related("row")), actor=clerk, reason="Why")
    assert job.events.get(kind=EventKind.void_requested).actor == clerk
    assert len(void_letters(job)) == 1


@pytest.mark.parametrize(("carrier", "days"), [("USPS", 30), ("UPS", 90), ("Somebody", None)])
def test_until_when_depends_on_who_carries_it(carrier: str, days: int | None) -> None:
    job = make_interrupted_job(1, completed=1)
    label = label_of(job)
    label.carrier = carrier
    assert void_until(label) == (None if days is None else label.bought_at + timedelta(days=days))
    label.account = "gone"
    assert void_until(label) is None


@pytest.mark.django_db(transaction=True)
def test_a_chosen_label_is_voided_at_the_carrier_and_no_other(sandbox: SandboxProcess, settings: Any) -> None:
    job = make_job(3)
    JobService().start(job.pk)
    with worker(sandbox.url, "--until-idle") as process:
        assert process.wait(60) == 0
    label = label_of(job, 2)
    void_chosen(job.pk, [label.pk])
    Housekeeper(Wire(2)).run(20.0)
    refunded = [charge["tracking_code"] for charge in sandbox.ledger() if charge["refund_status"]]
    assert refunded == [label.tracking_number]
    assert Label.objects.get(pk=label.pk).refund_state == RefundState.submitted
    assert_counters_equal_rows(job)
