"""Deciding about charges that no row owns, each of them really bought at the sandbox."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from recovery.orphan_plans import OrphanDecision, OrphanPlan, Situation
from recovery.orphans import (
    NotAsTold,
    NotConfirmed,
    NothingToDecide,
    adopt_orphan,
    confirm_orphan,
    open_orphan,
    void_orphan,
)
from shipping.carriers.port import Purchase
from shipping.carriers.registry import get_carrier
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.loop import RunLoop
from shipping.engine.settle import settle_bought
from shipping.engine.wire import Wire
from shipping.models import Event, Job, Label, Orphan, Row
from shipping.models.clock import NEVER, book_now
from shipping.refusals import FactsMoved
from shipping.services import JobService, Refused
from shipping.states import EventKind, JobStatus, OrphanOutcome, RowStatus, RunEnd, VoidRequest
from tests.comparing.listed import at_the_carrier, buy, buy_under_own_handle, compare, orphan_of
from tests.engine.letters import started_run
from tests.factories import claim_row, complete_row, fail_row, make_job, row_of, set_aside, skip_row
from tests.support.ledger import assert_counters_equal_rows
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

adopt, void = OrphanDecision.adopt, OrphanDecision.void


@pytest.fixture
def job(sandbox: SandboxProcess) -> Job:
    """A running job of three rows that nobody works on."""
    return make_job(3, status=JobStatus.running)


@pytest.fixture
def wire() -> Wire:
    return Wire(2)


def found(job: Job, number: int) -> Orphan:
    """The orphan of a row, found by a comparison."""
    compare(job)
    orphan = open_orphan(job.pk, orphan_of(job, number).pk)
    assert orphan is not None
    return orphan


def plan_of(orphan: Orphan) -> OrphanPlan:
    return OrphanPlan.of(orphan, Job.objects.get(pk=orphan.job_id))


def decide(orphan: Orphan, decision: OrphanDecision, **more: Any) -> Label:
    """Carry a decision out as it is shown now."""
    job = Job.objects.get(pk=orphan.job_id)
    carry_out = adopt_orphan if decision == adopt else void_orphan
    return carry_out(orphan=orphan, confirmation=confirm_orphan(orphan, job, decision), **more)


def keep_house(wire: Wire) -> None:
    """What idle workers do, to its end."""
    Housekeeper(wire).run(10)


def work(job: Job) -> None:
    """Have the job, which nobody works on, go on to its end."""
    JobService().resume(job.pk, retry_failed=True)
    assert RunLoop(started_run(job), Wire(2), threading.Event()).work() == RunEnd.no_work


# --- Adopt -----------------------------------------------------------------------------------------------


def test_a_row_that_waits_is_bought_with_the_label_and_not_again(job: Job, sandbox: SandboxProcess) -> None:
    purchase = buy(job, 2)
    label = decide(found(job, 2), adopt)

    row = row_of(job, 2)
    assert (row.status, row.label) == (RowStatus.completed, label)
    assert (label.purchase_id, label.tracking_number, label.cost_cents, label.currency, label.adopted) == (
        purchase.purchase_id,
        purchase.tracking_number,
        purchase.cost_cents,
        purchase.currency,
        True,
    )
    told = (purchase.carrier, purchase.service, purchase.label_url, purchase.bought_at)
    assert (label.carrier, label.service, label.label_url, label.bought_at) == told
    assert_counters_equal_rows(job)

    work(job)
    assert sandbox.stats()["charges"] == 3
    assert sandbox.stats()["duplicates"] == 0
    assert compare(job).counts == {}


@pytest.mark.parametrize(
    ("bring_about", "situation"),
    [(fail_row, Situation.failed), (skip_row, Situation.skipped), (set_aside, Situation.in_review)],
)
def test_a_row_that_is_not_bought_is_bought_with_the_label(job: Job, bring_about: Any, situation: Situation) -> None:
    buy(job, 2)
    bring_about(row_of(job, 2))
    orphan = found(job, 2)
    assert plan_of(orphan).situation == situation

    label = decide(orphan, adopt)

    row = row_of(job, 2)
    assert (row.status, row.label, row.error_code) == (RowStatus.completed, label, "")
    assert_counters_equal_rows(job)


def test_a_row_of_a_job_that_is_over_is_bought_with_the_label(job: Job) -> None:
    buy(job, 2)
    JobService().cancel(job.pk)
    orphan = found(job, 2)
    assert plan_of(orphan).situation == Situation.never_bought
    decide(orphan, adopt)
    assert row_of(job, 2).status == RowStatus.completed
    job.refresh_from_db()
    assert job.status == JobStatus.cancelled


def test_a_row_that_has_a_label_keeps_it_and_the_other_is_a_second_charge(job: Job) -> None:
    own = complete_row(row_of(job, 2))
    purchase = buy(job, 2)
    orphan = found(job, 2)
    plan = plan_of(orphan)
    assert plan.situation == Situation.bought
    assert own.tracking_number in plan.certain

    label = decide(orphan, adopt)

    assert row_of(job, 2).label == own
    job.refresh_from_db()
    assert (job.cost_cents, job.replaced_cents) == (own.cost_cents, purchase.cost_cents)
    assert Event.objects.get(kind=EventKind.second_charge).details["tracking_number"] == label.tracking_number
    assert_counters_equal_rows(job)


def test_a_row_in_review_about_this_very_purchase_has_its_answer(job: Job) -> None:
    purchase = buy(job, 2)
    Row.objects.filter(job=job, number=2).update(
        status=RowStatus.needs_review, handle=purchase.purchase_id, claims=1, due=book_now() - 3600
    )
    orphan = found(job, 2)
    assert plan_of(orphan).situation == Situation.answer
    decide(orphan, adopt)
    row = row_of(job, 2)
    assert (row.status, row.due) == (RowStatus.completed, None)


def test_the_rows_other_purchase_is_asked_about_after_its_label_was_adopted(job: Job, wire: Wire) -> None:
    buy(job, 2)
    set_aside(row_of(job, 2))
    Row.objects.filter(job=job, number=2).update(ask_after=NEVER)
    decide(found(job, 2), adopt)
    row = row_of(job, 2)
    assert row.due is not None, "the purchase that the row was set aside for still owes its answer"
    keep_house(wire)
    assert row_of(job, 2).questions_failed > 0, "the carrier, which knows no such handle, was asked"


def test_the_last_open_row_completes_the_job(job: Job) -> None:
    complete_row(row_of(job, 1))
    complete_row(row_of(job, 3))
    buy(job, 2)
    decide(found(job, 2), adopt)
    job.refresh_from_db()
    assert job.status == JobStatus.completed


def test_a_label_of_an_earlier_attempt_keeps_its_attempt(job: Job) -> None:
    buy(job, 2)
    Row.objects.filter(job=job, number=2).update(attempt=2)
    assert decide(found(job, 2), adopt).attempt == 1


# --- Void ------------------------------------------------------------------------------------------------


def test_a_voided_label_is_seen_and_given_back_and_the_row_is_bought_anew(
    job: Job, sandbox: SandboxProcess, wire: Wire
) -> None:
    purchase = buy(job, 2)
    orphan = found(job, 2)
    assert plan_of(orphan).situation == Situation.waits
    label = decide(orphan, void)

    row = row_of(job, 2)
    assert (row.status, row.label) == (RowStatus.pending, None)
    job.refresh_from_db()
    assert (job.cost_cents, job.replaced_cents) == (0, purchase.cost_cents), "the money is seen"
    label.refresh_from_db()
    assert label.void_requested == VoidRequest.only
    assert_counters_equal_rows(job)

    keep_house(wire)
    label.refresh_from_db()
    assert label.voided_at is not None
    work(job)
    row.refresh_from_db()
    assert row.status == RowStatus.completed
    assert row.label != label
    assert_counters_equal_rows(job)
    assert sandbox.stats()["refunded"] == 1
    assert compare(job).counts == {}


def test_a_row_whose_own_shipment_was_voided_is_bought_under_a_new_one(
    job: Job, sandbox: SandboxProcess, wire: Wire
) -> None:
    """The carrier would tell of the voided label again: it sells a shipment once."""
    purchase = buy_under_own_handle(job, 2)
    orphan = found(job, 2)
    assert plan_of(orphan).situation == Situation.sold_once
    label = decide(orphan, void)

    row = row_of(job, 2)
    assert (row.status, row.attempt, row.handle) == (RowStatus.pending, 2, None)
    keep_house(wire)
    work(job)
    row.refresh_from_db()
    assert row.status == RowStatus.completed
    assert row.handle != purchase.purchase_id
    label.refresh_from_db()
    assert label.voided_at is not None
    assert_counters_equal_rows(job)


def test_a_failed_row_stays_failed_and_can_be_tried_again(job: Job, wire: Wire) -> None:
    buy_under_own_handle(job, 2)
    fail_row(row_of(job, 2))
    decide(found(job, 2), void)
    row = row_of(job, 2)
    assert (row.status, row.attempt, row.handle) == (RowStatus.failed, 2, None)
    keep_house(wire)
    work(job)
    assert row_of(job, 2).status == RowStatus.completed
    assert_counters_equal_rows(job)


@pytest.mark.parametrize("bring_about", [skip_row, set_aside])
def test_a_row_that_is_not_bought_stays_as_it_is(job: Job, bring_about: Any) -> None:
    buy(job, 2)
    bring_about(row_of(job, 2))
    before = row_of(job, 2)
    decide(found(job, 2), void)
    after = row_of(job, 2)
    assert (after.status, after.label, after.attempt, after.handle) == (
        before.status,
        None,
        before.attempt,
        before.handle,
    )
    assert_counters_equal_rows(job)


def test_a_row_that_has_a_label_keeps_it_when_the_other_is_voided(job: Job, wire: Wire) -> None:
    own = complete_row(row_of(job, 2))
    buy(job, 2)
    label = decide(found(job, 2), void)
    keep_house(wire)
    row = row_of(job, 2)
    assert (row.status, row.label, row.attempt) == (RowStatus.completed, own, 1)
    label.refresh_from_db()
    own.refresh_from_db()
    assert label.voided_at is not None, (label.void_requested, label.void_after, label.void_failures, label.void_answer)
    assert own.voided_at is None
    assert_counters_equal_rows(job)


def test_a_row_in_review_about_a_voided_purchase_counts_as_bought(job: Job, wire: Wire) -> None:
    purchase = buy(job, 2)
    Row.objects.filter(job=job, number=2).update(
        status=RowStatus.needs_review, handle=purchase.purchase_id, claims=1, due=book_now() - 3600
    )
    label = decide(found(job, 2), void)
    assert (row_of(job, 2).status, row_of(job, 2).label) == (RowStatus.completed, label)
    keep_house(wire)
    label.refresh_from_db()
    assert label.voided_at is not None
    assert_counters_equal_rows(job)


def test_a_void_that_the_carrier_refuses_stays_paid_for_and_is_told(
    job: Job, sandbox: SandboxProcess, wire: Wire
) -> None:
    purchase = buy(job, 2)
    label = decide(found(job, 2), void)
    sandbox.faults([{"on": "refund", "action": "reject_refund"}])
    keep_house(wire)
    label.refresh_from_db()
    job.refresh_from_db()
    assert label.voided_at is None
    assert job.replaced_cents == purchase.cost_cents
    assert Event.objects.filter(kind=EventKind.void_refused, row=row_of(job, 2)).exists()
    assert not Orphan.objects.open().exists()


# --- The trace, and what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize("decision", [adopt, void])
def test_it_leaves_a_trace(job: Job, clerk: User, decision: OrphanDecision) -> None:
    purchase = buy(job, 2)
    label = decide(found(job, 2), decision, actor=clerk, reason="The parcel is on the belt.")
    event = Event.objects.get(kind=EventKind.resolved)
    assert (event.actor, event.row, event.details["reason"]) == (clerk, row_of(job, 2), "The parcel is on the belt.")
    assert event.details["decision"] == f"{decision.value}_orphan"
    assert event.details["purchase_id"] == purchase.purchase_id
    assert event.details["cost_cents"] == label.cost_cents
    assert event.details["shown"]["row"] == "Waiting"
    orphan = Orphan.objects.get()
    assert orphan.outcome == (OrphanOutcome.adopted if decision == adopt else OrphanOutcome.voided)
    assert orphan.settled_at is not None


def refused(
    orphan: Orphan,
    decision: OrphanDecision,
    confirmation: str,
    kind: type[Refused] = FactsMoved,
    match: str | None = None,
) -> None:
    """A decision that must be refused, and change nothing."""
    before = list(Row.objects.values()), list(Label.objects.values()), list(Job.objects.values())
    events = Event.objects.count()
    carry_out = adopt_orphan if decision == adopt else void_orphan
    with pytest.raises(kind, match=match):
        carry_out(orphan=orphan, confirmation=confirmation)
    assert (list(Row.objects.values()), list(Label.objects.values()), list(Job.objects.values())) == before
    assert Event.objects.count() == events


def test_a_second_decision_is_refused_and_says_who_made_the_first(job: Job, clerk: User) -> None:
    buy(job, 2)
    orphan = found(job, 2)
    note = confirm_orphan(orphan, job, void)
    decide(orphan, adopt, actor=clerk)
    refused(orphan, void, note, match="clerk settled this charge at")


@pytest.mark.parametrize("decision", [adopt, void])
def test_a_row_that_moved_is_refused(job: Job, decision: OrphanDecision) -> None:
    buy(job, 2)
    orphan = found(job, 2)
    note = confirm_orphan(orphan, job, decision)
    skip_row(row_of(job, 2))
    refused(orphan, decision, note, match="“left out|“skipped")


def test_a_job_that_ended_meanwhile_is_refused(job: Job) -> None:
    buy(job, 2)
    orphan = found(job, 2)
    note = confirm_orphan(orphan, job, void)
    JobService().cancel(job.pk)
    refused(orphan, void, note)


def test_a_label_that_was_recorded_meanwhile_is_refused(job: Job) -> None:
    purchase = buy(job, 2)
    orphan = found(job, 2)
    note = confirm_orphan(orphan, job, adopt)
    with transaction.atomic():
        locked = Job.objects.lock(job.pk)
        settle_bought(locked, row_of(job, 2), 1, purchase, answers=False)
        locked.save()
    refused(orphan, adopt, note, match="came late")


def test_what_moves_while_the_carrier_is_asked_is_refused(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    purchase = buy(job, 2)
    orphan = found(job, 2)
    note = confirm_orphan(orphan, job, void)
    carrier = get_carrier("sandbox")
    listed_purchase = carrier.listed_purchase

    def ask_while_it_is_recorded(purchase_id: str, *, timeout: float) -> Any:
        answer = listed_purchase(purchase_id, timeout=timeout)
        recorder = threading.Thread(target=record_it, args=(job, purchase))
        recorder.start()
        recorder.join(10)
        return answer

    monkeypatch.setattr(carrier, "listed_purchase", ask_while_it_is_recorded)
    with pytest.raises(FactsMoved, match="came late"):
        void_orphan(orphan=orphan, confirmation=note)
    label = Label.objects.get()
    assert (label.void_requested, row_of(job, 2).label) == (VoidRequest.none, label)


def record_it(job: Job, purchase: Purchase) -> None:
    """The engine records a late answer, on a connection of its own."""
    try:
        with transaction.atomic():
            locked = Job.objects.lock(job.pk)
            settle_bought(locked, row_of(job, 2), 1, purchase, answers=False)
            locked.save()
    finally:
        connection.close()


def test_a_charge_that_the_carrier_took_back_is_refused_and_settled(job: Job) -> None:
    purchase = buy(job, 2)
    orphan = found(job, 2)
    note = confirm_orphan(orphan, job, adopt)
    get_carrier("sandbox").void(purchase.purchase_id, timeout=10)
    refused(orphan, adopt, note, NotAsTold, "taken this label back")
    assert Orphan.objects.get().outcome == OrphanOutcome.gone


def test_a_charge_that_the_carrier_denies_is_refused_and_stays(job: Job, sandbox: SandboxProcess) -> None:
    purchase = buy(job, 2)
    orphan = found(job, 2)
    at_the_carrier(sandbox, "DELETE FROM shipments WHERE id = ?", purchase.purchase_id)
    refused(orphan, adopt, confirm_orphan(orphan, job, adopt), NotAsTold, "no such purchase")
    assert orphan_of(job, 2)


def test_a_carrier_that_can_not_be_asked_is_no_permission(job: Job, sandbox: SandboxProcess) -> None:
    buy(job, 2)
    orphan = found(job, 2)
    sandbox.faults([{"on": "lookup", "action": "error", "status": 503}])
    refused(orphan, void, confirm_orphan(orphan, job, void), NotAsTold, "could not be asked")


def test_another_price_is_refused_and_shown_anew(job: Job, sandbox: SandboxProcess) -> None:
    purchase = buy(job, 2)
    orphan = found(job, 2)
    at_the_carrier(
        sandbox,
        "UPDATE shipments SET rates = (SELECT json_group_array(json_set(value, '$.cents', 12345)) FROM"
        " json_each(rates)) WHERE id = ?",
        purchase.purchase_id,
    )
    refused(orphan, adopt, confirm_orphan(orphan, job, adopt), NotAsTold, "another price")
    assert orphan_of(job, 2).cost_cents == 12345


def test_a_charge_whose_answer_is_awaited_needs_no_decision(job: Job) -> None:
    purchase = buy(job, 2)
    orphan = found(job, 2)
    note = confirm_orphan(orphan, job, adopt)
    Row.objects.filter(job=job, number=2).update(
        status=RowStatus.in_flight, handle=purchase.purchase_id, claims=1, due=book_now() + 60
    )
    refused(orphan, adopt, note, NothingToDecide, "Its answer records the label by itself")


def test_a_charge_without_a_row_can_be_neither(job: Job) -> None:
    buy(job, 3)
    Row.objects.filter(job=job, number=3).delete()
    compare(job)
    orphan = open_orphan(job.pk, Orphan.objects.get().pk)
    assert orphan is not None
    assert plan_of(orphan).obstacle
    with pytest.raises(NothingToDecide):
        confirm_orphan(orphan, job, adopt)


def test_a_confirmation_is_good_for_one_charge_and_one_decision(job: Job) -> None:
    buy(job, 2)
    buy(job, 3)
    orphan = found(job, 2)
    refused(orphan, void, confirm_orphan(orphan, job, adopt), NotConfirmed)
    refused(orphan, void, confirm_orphan(found(job, 3), job, void), NotConfirmed)
    refused(orphan, void, "nonsense", NotConfirmed)


def test_two_people_at_once_settle_it_once(job: Job, sandbox: SandboxProcess) -> None:
    buy(job, 2)
    orphan = found(job, 2)
    notes = {decision: confirm_orphan(orphan, job, decision) for decision in (adopt, void)}
    outcomes: list[str] = []
    ready = threading.Barrier(2)

    def choose(decision: OrphanDecision) -> None:
        carry_out = adopt_orphan if decision == adopt else void_orphan
        try:
            ready.wait(10)
            carry_out(orphan=orphan, confirmation=notes[decision])
            outcomes.append("done")
        except FactsMoved:
            outcomes.append("refused")
        finally:
            connection.close()

    people = [threading.Thread(target=choose, args=(decision,)) for decision in (adopt, void)]
    for person in people:
        person.start()
    for person in people:
        person.join(30)
    assert sorted(outcomes) == ["done", "refused"]
    assert Label.objects.count() == 1
    assert Event.objects.filter(kind=EventKind.resolved).count() == 1
    assert_counters_equal_rows(job)


def test_the_words_of_every_situation_are_there(job: Job) -> None:
    buy(job, 2)
    orphan = found(job, 2)
    for situation in Situation:
        plan = OrphanPlan(orphan, job, situation)
        assert plan.certain
        if plan.obstacle:
            continue
        for decision in OrphanDecision:
            first, money, *_rest = plan.sentences(decision)
            assert "2" in first
            assert "$" in money


def test_another_purchase_in_the_air_is_settled_beside_it(job: Job) -> None:
    buy(job, 2)
    claim_row(row_of(job, 2))
    orphan = found(job, 2)
    assert plan_of(orphan).situation == Situation.under_way
    decide(orphan, adopt)
    row = row_of(job, 2)
    assert row.status == RowStatus.completed
    assert row.due is not None, "what is in the air still owes its answer"
    assert_counters_equal_rows(job)
