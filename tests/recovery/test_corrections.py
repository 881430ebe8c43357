"""Correcting the order of a row that was refused, or that nobody has sent yet."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from recovery.corrections import BadOrder, Corrected, NotCorrectable, correct
from recovery.review import JobOver
from shipping.carriers.port import Guarantee, Prepared, Rejected
from shipping.carriers.registry import get_carrier
from shipping.engine.letters import Claim, Preparation, Ready, Reply
from shipping.liveness import Condition
from shipping.models import Event, Job, Label, Row, Run
from shipping.runs import record
from shipping.services import FactsMoved, JobService
from shipping.states import EventKind, JobStatus, RowStatus
from tests.engine import letters
from tests.factories import (
    carrier_order,
    claim_row,
    complete_row,
    fail_row,
    halt_job,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    row_of,
    set_aside,
    skip_row,
)
from tests.support.ledger import assert_books_equal_ledger, assert_counters_equal_rows
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db

BETTER = {"to_street1": "2 Larimer Street"}


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def refused_when_bought(job: Job, number: int) -> Row:
    """A row whose purchase the carrier refused: it was claimed, and its handle is one of the real sandbox."""
    row = row_of(job, number)
    prepared = get_carrier("sandbox").prepare(carrier_order(row, job), timeout=5)
    Row.objects.filter(pk=row.pk).update(handle=prepared.handle)
    claim_row(row)
    return fail_row(row, code="SHIPMENT.POSTAGE.FAILURE", message="The carrier refused.")


def given_up(row: Row) -> None:
    """Write down that a look-up said "not bought" of a claim that never got its own answer."""
    record(Job.objects.get(pk=row.job_id), EventKind.not_bought, row=row, claim=row.claims)


def corrected_before_its_answer(clerk: User) -> tuple[Job, Claim]:
    """A job whose row 1 has a new order, and the purchase of the old one, whose answer is still to come."""
    job = make_interrupted_job(2)
    claim_row(row_of(job, 1))
    fail_row(row_of(job, 1))
    late = letters.claim_letter(row_of(job, 1))
    Row.objects.filter(job=job, number=1).update(handle=None)
    correct(row_of(job, 1), BETTER, actor=clerk)
    return job, late


# --- What a correction does ----------------------------------------------------------------------------------


def test_a_row_refused_before_it_was_claimed_gets_its_new_order_and_waits(clerk: User) -> None:
    job = make_interrupted_job(3, completed=1)
    halt_job(row_of(job, 2))

    correct(row_of(job, 2), {"to_street1": " 2 Larimer Street ", "weight": "20.50"}, actor=clerk, reason="By telephone")

    after = row_of(job, 2)
    assert (after.status, after.attempt, after.handle, after.claims) == (RowStatus.pending, 2, None, 0)
    assert (after.order["to_street1"], after.order["weight"]) == ("2 Larimer Street", "20.5")
    assert (after.error_code, after.error_message, after.failed_epoch) == ("", "", None)
    assert after.order["reference"] == after.order_reference == "ORDER-2"
    assert_counters_equal_rows(job)


def test_the_old_values_stay_in_the_history(clerk: User) -> None:
    job = make_interrupted_job(3)
    fail_row(row_of(job, 2), message="No such street.")

    correct(row_of(job, 2), {**BETTER, "to_street2": "Floor 2"}, actor=clerk, reason="By telephone")

    event = Event.objects.get(job=job, kind=EventKind.corrected)
    assert (event.actor, event.row, event.details["reason"]) == (clerk, row_of(job, 2), "By telephone")
    assert event.details["changed"] == {
        "to_street1": ["2 Market Street", "2 Larimer Street"],
        "to_street2": ["", "Floor 2"],
    }
    assert event.details["before"] == {"attempt": 1, "handle": None}
    assert event.details["shown"]["error"] == "No such street."


def test_a_new_name_is_the_rows_recipient_and_is_found(clerk: User) -> None:
    job = make_interrupted_job(2)
    fail_row(row_of(job, 2))

    correct(row_of(job, 2), {"to_name": "Zoë Ortiz"}, actor=clerk)

    after = row_of(job, 2)
    assert (after.recipient, after.name_key, after.surname_key) == ("Zoë Ortiz", "zoe ortiz", "ortiz zoe")


def test_a_row_that_waits_can_be_corrected_too(clerk: User) -> None:
    job = make_job(2)

    correct(row_of(job, 1), BETTER, actor=clerk)

    after = row_of(job, 1)
    assert (after.status, after.attempt, after.order["to_street1"]) == (RowStatus.pending, 2, "2 Larimer Street")
    assert fresh(job).status == JobStatus.pending
    assert_counters_equal_rows(job)


def test_an_interrupted_job_stays_so_until_it_is_resumed(service: JobService, clerk: User) -> None:
    job = make_interrupted_job(2)
    halt_job(row_of(job, 2))

    correct(row_of(job, 2), BETTER, actor=clerk)

    assert service.condition(fresh(job)) == Condition.interrupted
    assert fresh(job).epoch == job.epoch


def test_a_job_that_only_waited_for_a_person_is_taken_up(service: JobService, clerk: User) -> None:
    job = make_interrupted_job(3, completed=1)
    set_aside(row_of(job, 2))
    fail_row(row_of(job, 3))
    assert service.condition(fresh(job)) == Condition.waiting_for_person

    correct(row_of(job, 3), BETTER, actor=clerk)

    assert service.condition(fresh(job)) == Condition.waiting_for_worker
    assert Run.objects.issued().filter(job=job, epoch=job.epoch + 1).count() == 1


def test_the_corrected_order_is_what_the_carrier_sells(sandbox: SandboxProcess, clerk: User) -> None:
    job = make_job(2, carrier="sandbox")
    Row.objects.filter(job=job, number=1).update(order={**row_of(job, 1).order, "to_street1": "1 Reject Road"})
    carrier = get_carrier("sandbox")
    with pytest.raises(Rejected):
        carrier.prepare(carrier_order(row_of(job, 1), job), timeout=5)
    fail_row(row_of(job, 1))

    correct(row_of(job, 1), BETTER, actor=clerk)

    row = row_of(job, 1)
    order = carrier_order(row, job)
    assert order.reference == job.reference(1, 2)
    prepared = carrier.prepare(order, timeout=5)
    assert carrier.buy(order, prepared.handle, prepared.details, timeout=5).reference == job.reference(1, 2)


# --- What is checked -----------------------------------------------------------------------------------------


def test_the_order_goes_through_the_checks_of_every_file(clerk: User) -> None:
    job = make_interrupted_job(2)
    fail_row(row_of(job, 2))

    with pytest.raises(BadOrder) as refused:
        correct(row_of(job, 2), {"to_zip": "1027", "weight": "12 oz", "to_city": ""}, actor=clerk)

    assert set(refused.value.problems) == {"to_zip", "weight", "to_city"}
    assert "01027" in refused.value.problems["to_zip"]
    assert row_of(job, 2).status == RowStatus.failed
    assert not Event.objects.filter(job=job).exists()


def test_an_order_that_stays_as_it_is_is_no_correction(clerk: User) -> None:
    job = make_interrupted_job(2)
    fail_row(row_of(job, 2))

    with pytest.raises(NotCorrectable, match="is what row 2 has already"):
        correct(row_of(job, 2), {"to_street1": "2 Market Street ", "to_country": "United States"}, actor=clerk)

    assert row_of(job, 2).attempt == 1


def test_only_columns_that_may_be_corrected_are_taken(clerk: User) -> None:
    job = make_interrupted_job(2)
    fail_row(row_of(job, 2))

    correct(row_of(job, 2), {**BETTER, "reference": "OTHER-1"}, actor=clerk)

    assert row_of(job, 2).order["reference"] == "ORDER-2"


# --- Which rows ----------------------------------------------------------------------------------------------


def _in_flight(row: Row) -> None:
    claim_row(row)


def _with_a_worker(row: Row) -> None:
    Row.objects.filter(pk=row.pk).update(run=make_live_run(row.job))


@pytest.mark.parametrize(
    ("becomes", "why"),
    [
        (_in_flight, "only the order of a row that failed or waits"),
        (set_aside, "only the order of a row that failed or waits"),
        (skip_row, "only the order of a row that failed or waits"),
        (complete_row, "was bought with this order"),
        (_with_a_worker, "A worker is about to buy row 2"),
    ],
)
def test_a_row_that_was_or_may_be_bought_keeps_its_order(clerk: User, becomes: Any, why: str) -> None:
    job = make_job(3, status=JobStatus.running)
    becomes(row_of(job, 2))
    before = Row.objects.filter(job=job, number=2).values().get()

    with pytest.raises(NotCorrectable, match=why):
        correct(row_of(job, 2), BETTER, actor=clerk)

    assert Row.objects.filter(job=job, number=2).values().get() == before


def test_nothing_is_corrected_in_a_job_that_is_over(service: JobService, clerk: User) -> None:
    job = make_interrupted_job(2)
    fail_row(row_of(job, 2))
    service.cancel(job.pk)

    with pytest.raises(JobOver):
        correct(row_of(job, 2), BETTER, actor=clerk)

    assert row_of(job, 2).status == RowStatus.failed


def test_two_tabs_correct_a_row_once(clerk: User) -> None:
    job = make_interrupted_job(2)
    fail_row(row_of(job, 2))
    one, other = row_of(job, 2), row_of(job, 2)

    correct(one, BETTER, actor=clerk)
    with pytest.raises(FactsMoved, match="has changed since you were shown it"):
        correct(other, {"to_street1": "3 Blake Street"}, actor=clerk)

    assert row_of(job, 2).order["to_street1"] == "2 Larimer Street"
    assert Event.objects.filter(job=job, kind=EventKind.corrected).count() == 1


# --- What was sent under the old handle ----------------------------------------------------------------------


def test_after_a_refused_purchase_the_carrier_is_asked_and_the_old_handle_is_left(
    sandbox: SandboxProcess, clerk: User
) -> None:
    job = make_interrupted_job(3)
    row = refused_when_bought(job, 2)

    correct(row, BETTER, actor=clerk)

    after = row_of(job, 2)
    assert (after.status, after.attempt, after.handle, after.claims) == (RowStatus.pending, 2, None, 1)
    assert Event.objects.get(job=job, kind=EventKind.corrected).details["before"]["handle"] == row.handle
    assert sandbox.stats()["charges"] == 0


def test_what_the_carrier_sold_after_all_is_adopted_instead(sandbox: SandboxProcess, clerk: User) -> None:
    job = make_interrupted_job(3, completed=1)
    row = refused_when_bought(job, 2)
    order = carrier_order(row, job)
    purchase = get_carrier("sandbox").buy(order, row.handle or "", {}, timeout=5)

    done = correct(row, BETTER, actor=clerk)

    after = row_of(job, 2)
    assert isinstance(done, Corrected)
    assert done.found == after.label == Label.objects.get(tracking_number=purchase.tracking_number)
    assert (after.status, after.attempt, after.order["to_street1"]) == (RowStatus.completed, 1, "2 Market Street")
    assert not Event.objects.filter(job=job, kind=EventKind.corrected).exists()
    assert Event.objects.get(job=job, kind=EventKind.resolved).actor == clerk
    assert_counters_equal_rows(job)


@pytest.mark.parametrize("fault", [{"action": "error", "status": 503}, {"action": "drop"}])
def test_could_not_find_out_is_no_permission(sandbox: SandboxProcess, clerk: User, fault: dict[str, Any]) -> None:
    job = make_interrupted_job(3)
    row = refused_when_bought(job, 2)
    sandbox.faults([{"on": "lookup", **fault}])

    with pytest.raises(NotCorrectable, match="could not be asked whether row 2 was bought"):
        correct(row, BETTER, actor=clerk)

    after = row_of(job, 2)
    assert (after.status, after.attempt, after.handle) == (RowStatus.failed, 1, row.handle)


def test_a_claim_given_up_by_a_worker_that_may_still_run_keeps_the_handle(sandbox: SandboxProcess, clerk: User) -> None:
    job = make_job(3, status=JobStatus.running)
    make_live_run(job)
    row = refused_when_bought(job, 2)
    given_up(row)

    with pytest.raises(NotCorrectable, match="both could be charged"):
        correct(row, BETTER, actor=clerk)

    assert row_of(job, 2).handle == row.handle


def test_a_claim_given_up_by_a_worker_that_is_gone_is_no_hindrance(sandbox: SandboxProcess, clerk: User) -> None:
    job = make_job(3, status=JobStatus.running)
    make_dead_run(job)
    row = refused_when_bought(job, 2)
    given_up(row)

    correct(row, BETTER, actor=clerk)

    assert row_of(job, 2).attempt == 2


def test_a_persons_word_is_no_answer_either(sandbox: SandboxProcess, clerk: User) -> None:
    job = make_job(3, status=JobStatus.running)
    make_live_run(job)
    row = refused_when_bought(job, 2)
    record(job, EventKind.resolved, row=row, decision="send_again", shown={"status": "needs_review"})

    with pytest.raises(NotCorrectable, match="given up without its own answer"):
        correct(row, BETTER, actor=clerk)

    Event.objects.filter(job=job).delete()
    record(job, EventKind.resolved, row=row, decision="send_again", shown={"status": "failed"})
    correct(row, BETTER, actor=clerk)
    assert row_of(job, 2).attempt == 2


def test_where_the_handle_prevents_nothing_the_look_up_is_enough(
    sandbox: SandboxProcess, clerk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(3, status=JobStatus.running)
    make_live_run(job)
    row = refused_when_bought(job, 2)
    given_up(row)
    monkeypatch.setattr(get_carrier("sandbox"), "guarantee", Guarantee.adopt_or_ask)

    correct(row, BETTER, actor=clerk)

    assert row_of(job, 2).attempt == 2


def test_a_preparation_of_the_old_order_is_worth_nothing_any_more(clerk: User) -> None:
    job = make_job(2)
    run = letters.started_run(job)
    old = letters.reserve(run, 1)[0]
    Row.objects.filter(pk=old.row_id).update(run=None)
    correct(row_of(job, 1), BETTER, actor=clerk)
    new = next(letter for letter in letters.tick(run, preparations=2) if isinstance(letter, Preparation))
    assert (new.row_id, new.attempt, new.order.recipient.street1) == (old.row_id, 2, "2 Larimer Street")

    claimed = letters.tick(run, ready=[Ready(preparation=old, prepared=Prepared(handle="shp_old"))])
    refused = letters.tick(run, Reply(old, Rejected("ADDRESS.INVALID", "The old address.")))

    assert not [letter for letter in (*claimed, *refused) if not isinstance(letter, Preparation)]
    after = row_of(job, 1)
    assert (after.status, after.handle) == (RowStatus.pending, None)


def test_a_late_bought_of_the_old_order_is_recorded_and_the_row_is_not_bought_again(clerk: User) -> None:
    job, late = corrected_before_its_answer(clerk)

    letters.answer(late, letters.purchase(late))

    after = row_of(job, 1)
    assert after.status == RowStatus.completed
    assert after.label is not None
    assert after.label.attempt == 1 < after.attempt
    assert Event.objects.filter(job=job, row=after, kind=EventKind.late_label).count() == 1
    assert_counters_equal_rows(job)


def test_a_late_bought_after_the_new_order_was_bought_is_shown_as_a_second_charge(clerk: User) -> None:
    job, late = corrected_before_its_answer(clerk)
    complete_row(row_of(job, 1))

    letters.answer(late, letters.purchase(late))

    assert Event.objects.filter(job=job, kind=EventKind.second_charge).count() == 1
    assert Label.objects.filter(row__job=job, row__number=1).count() == 2
    assert_counters_equal_rows(job)


def test_a_corrected_row_is_bought_once_and_the_books_equal_the_carriers(sandbox: SandboxProcess, clerk: User) -> None:
    job = make_job(2)
    row = refused_when_bought(job, 1)
    correct(row, BETTER, actor=clerk)
    run = letters.started_run(job)

    for preparation in letters.reserve(run, 2):
        prepared = get_carrier("sandbox").prepare(preparation.order, timeout=5)
        for claim in letters.tick(run, ready=[Ready(preparation=preparation, prepared=prepared)]):
            if isinstance(claim, Claim):
                bought = get_carrier("sandbox").buy(claim.order, claim.handle, claim.details, timeout=5)
                letters.tick(run, Reply(claim, bought))

    assert fresh(job).status == JobStatus.completed
    assert sandbox.stats()["charges"] == 2
    assert_books_equal_ledger(job, sandbox)
