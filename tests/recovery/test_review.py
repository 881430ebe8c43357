"""What a person decides about rows in review and failed ones, with the real sandbox carrier."""

import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection

from recovery.review import NotBought, TooEarly, record_bought, send_again, skip, void_bought
from shipping.carriers.port import Purchase
from shipping.carriers.registry import get_carrier
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.wire import Wire
from shipping.liveness import Condition
from shipping.models import Event, Job, Label, Row, Run
from shipping.models.clock import book_now
from shipping.services import FactsMoved, JobService, Refused
from shipping.states import EventKind, JobStatus, RowStatus, VoidRequest
from shipping.voids import void_chosen
from tests.engine.letters import answer, claim_letter, purchase
from tests.factories import (
    carrier_order,
    complete_row,
    fail_row,
    halt_job,
    make_dead_run,
    make_interrupted_job,
    row_of,
    set_aside,
)
from tests.support.ledger import assert_counters_equal_rows
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def housekeep() -> None:
    """What a worker does for jobs that no run works on."""
    Housekeeper(Wire(2)).run(5.0)


def only_in_review(rows: int = 3) -> tuple[Job, Row]:
    """A running job of which only the last row is open, and that row, in review."""
    job = make_interrupted_job(rows, completed=rows - 1)
    return job, set_aside(row_of(job, rows))


def bought_unrecorded(sandbox: SandboxProcess, job: Job, number: int) -> tuple[Row, Purchase]:
    """A row in review whose label the carrier did sell."""
    row = row_of(job, number)
    carrier = get_carrier("sandbox")
    order = carrier_order(row, job)
    prepared = carrier.prepare(order, timeout=5)
    purchase = carrier.buy(order, prepared.handle, prepared.details, timeout=5)
    Row.objects.filter(pk=row.pk).update(handle=prepared.handle)
    return set_aside(row), purchase


def test_send_again_sets_the_row_to_be_bought_under_its_old_handle(clerk: User) -> None:
    job, row = only_in_review()
    handle = row.handle
    send_again(row, actor=clerk, reason="The carrier's desk says no")
    after = row_of(job, 3)
    assert (after.status, after.due, after.handle, after.attempt) == (RowStatus.pending, None, handle, 1)
    event = Event.objects.get(job=job, kind=EventKind.resolved)
    assert (event.row, event.actor) == (row, clerk)
    assert (event.details["decision"], event.details["reason"]) == ("send_again", "The carrier's desk says no")
    assert_counters_equal_rows(job)


def test_send_again_has_a_job_that_only_waited_for_it_taken_up(service: JobService) -> None:
    job, row = only_in_review()
    assert service.condition(job) == Condition.waiting_for_person
    send_again(row)
    assert service.condition(fresh(job)) == Condition.waiting_for_worker
    assert fresh(job).epoch == job.epoch + 1
    assert Run.objects.issued().filter(job=job, epoch=job.epoch + 1).count() == 1


@pytest.mark.parametrize("settled", ["in review", "failed"])
def test_send_again_has_a_job_taken_up_that_waited_for_no_more_than_a_void(service: JobService, settled: str) -> None:
    job = make_interrupted_job(3, completed=2)
    row = set_aside(row_of(job, 3)) if settled == "in review" else fail_row(row_of(job, 3))
    label = row_of(job, 1).label
    assert label is not None
    void_chosen(job.pk, [label.pk])
    send_again(row)
    assert service.condition(fresh(job)) == Condition.waiting_for_worker
    assert Run.objects.issued().filter(job=job, epoch=job.epoch + 1).count() == 1


def test_send_again_does_not_bring_an_interrupted_job_back_to_life(service: JobService) -> None:
    job = make_interrupted_job(3)
    row = set_aside(row_of(job, 2))
    send_again(row)
    assert service.condition(fresh(job)) == Condition.interrupted
    assert fresh(job).epoch == job.epoch


def test_send_again_tries_a_failed_row_once_more() -> None:
    job = make_interrupted_job(3)
    fail_row(row_of(job, 2))
    send_again(row_of(job, 2))
    after = row_of(job, 2)
    assert (after.status, after.error_code, after.failed_epoch) == (RowStatus.pending, "", None)
    assert_counters_equal_rows(job)


@pytest.mark.parametrize("decide", [send_again, skip])
def test_nothing_is_decided_while_the_request_may_still_be_on_its_way(decide: Callable[[Row], Row]) -> None:
    job = make_interrupted_job(3)
    row = set_aside(row_of(job, 2), due_in=-1.0)
    with pytest.raises(TooEarly, match=r"Please decide in \d+ seconds"):
        decide(row)
    after = row_of(job, 2)
    assert (after.status, after.due) == (RowStatus.needs_review, row.due)
    assert not Event.objects.filter(job=job).exists()


def test_send_again_is_refused_when_the_job_is_over(service: JobService) -> None:
    job, row = only_in_review()
    service.cancel(job.pk)
    with pytest.raises(Refused, match="is cancelled: nothing is sent any more"):
        send_again(row)
    assert row_of(job, 3).status == RowStatus.needs_review


def test_skip_leaves_the_row_out_and_completes_the_job(clerk: User) -> None:
    job, row = only_in_review()
    skip(row, actor=clerk, reason="Customer cancelled")
    after = row_of(job, 3)
    assert (after.status, after.due) == (RowStatus.skipped, None)
    assert (fresh(job).status, fresh(job).skipped_rows) == (JobStatus.completed, 1)
    event = Event.objects.get(job=job, kind=EventKind.skipped)
    assert (event.row, event.actor, event.details["reason"]) == (row, clerk, "Customer cancelled")
    assert_counters_equal_rows(job)


def test_skip_does_not_complete_a_job_that_has_other_open_rows() -> None:
    job = make_interrupted_job(3)
    skip(set_aside(row_of(job, 2)))
    assert fresh(job).status == JobStatus.running


def test_skip_of_the_halting_row_leaves_the_job_for_a_person_to_resume(service: JobService) -> None:
    job = make_interrupted_job(2, completed=1)
    halt_job(row_of(job, 2))
    skip(row_of(job, 2))
    assert service.condition(fresh(job)) == Condition.interrupted
    assert_counters_equal_rows(job)


def test_a_row_that_changed_since_it_was_shown_is_refused() -> None:
    job = make_interrupted_job(3)
    shown = set_aside(row_of(job, 2))
    complete_row(row_of(job, 2))
    for decide in (send_again, skip):
        with pytest.raises(FactsMoved, match="it is “bought” now"):
            decide(shown)


def test_rows_that_need_no_decision_are_refused() -> None:
    job = make_interrupted_job(3, completed=1)
    for number in (1, 2):
        with pytest.raises(Refused, match="only rows in review and failed ones"):
            skip(row_of(job, number))


def test_record_bought_adopts_what_the_carrier_says_was_bought(sandbox: SandboxProcess, clerk: User) -> None:
    job = make_interrupted_job(3, completed=2)
    row, purchase = bought_unrecorded(sandbox, job, 3)
    record_bought(row, actor=clerk, reason="Seen in the portal")
    label = Label.objects.get(row=row)
    assert (label.tracking_number, label.cost_cents, label.adopted) == (
        purchase.tracking_number,
        purchase.cost_cents,
        True,
    )
    after = row_of(job, 3)
    assert (after.status, after.label, after.due) == (RowStatus.completed, label, None)
    assert fresh(job).status == JobStatus.completed
    assert Event.objects.get(job=job, kind=EventKind.resolved).actor == clerk
    assert Event.objects.filter(job=job, kind=EventKind.adopted, row=row).count() == 1
    assert sandbox.stats()["charges"] == 1
    assert_counters_equal_rows(job)


def test_record_bought_before_the_quiet_period_keeps_the_answer_owed(sandbox: SandboxProcess) -> None:
    job = make_interrupted_job(3, completed=2)
    row, _purchase = bought_unrecorded(sandbox, job, 3)
    Row.objects.filter(pk=row.pk).update(due=book_now() + 1)
    record_bought(row_of(job, 3))
    after = row_of(job, 3)
    assert after.status == RowStatus.completed
    assert after.due is not None
    assert fresh(job).status == JobStatus.running


def test_record_bought_is_refused_when_the_carrier_does_not_confirm_it(sandbox: SandboxProcess) -> None:
    job = make_interrupted_job(4)
    row = row_of(job, 2)
    prepared = get_carrier("sandbox").prepare(carrier_order(row, job), timeout=5)
    Row.objects.filter(pk=row.pk).update(handle=prepared.handle)
    row = set_aside(row)
    with pytest.raises(NotBought, match="says that row 2 was not bought"):
        record_bought(row)
    sandbox.faults([{"on": "lookup", "action": "error", "status": 503}])
    with pytest.raises(NotBought, match="could not be asked about row 2"):
        record_bought(row)
    fail_row(row_of(job, 3))
    with pytest.raises(NotBought, match="Nothing was ever sent for row 3"):
        record_bought(row_of(job, 3))
    assert row_of(job, 2).status == RowStatus.needs_review
    assert not Event.objects.filter(job=job).exists()


def test_record_bought_is_refused_when_the_carrier_is_not_configured_any_more() -> None:
    job, row = only_in_review()
    Row.objects.filter(pk=row.pk).update(account="gone")
    with pytest.raises(NotBought, match="No carrier named 'gone'"):
        record_bought(row_of(job, 3))


def test_record_bought_never_takes_the_label_of_another_row(sandbox: SandboxProcess) -> None:
    job = make_interrupted_job(4)
    row, purchase = bought_unrecorded(sandbox, job, 2)
    label = complete_row(row_of(job, 1))
    Label.objects.filter(pk=label.pk).update(purchase_id=purchase.purchase_id)
    with pytest.raises(NotBought, match="belongs to another row"):
        record_bought(row)
    assert row_of(job, 2).status == RowStatus.needs_review
    assert not Event.objects.filter(job=job).exists()


def test_a_tracking_number_is_taken_as_people_write_it(sandbox: SandboxProcess) -> None:
    job = make_interrupted_job(3, completed=2)
    row, purchase = bought_unrecorded(sandbox, job, 3)
    typed = f" {purchase.tracking_number[:4]} {purchase.tracking_number[4:].lower()}-"
    record_bought(row, tracking_number=typed)
    assert row_of(job, 3).status == RowStatus.completed


def test_another_tracking_number_than_the_carriers_is_refused_with_both(sandbox: SandboxProcess) -> None:
    job = make_interrupted_job(3, completed=2)
    row, purchase = bought_unrecorded(sandbox, job, 3)
    with pytest.raises(NotBought, match=f"typed the tracking number 94001234.* sold {purchase.tracking_number}"):
        record_bought(row, tracking_number="94001234")
    assert row_of(job, 3).status == RowStatus.needs_review
    assert not Label.objects.filter(row=row).exists()
    assert not Event.objects.filter(job=job).exists()


def test_void_bought_adopts_the_label_and_orders_its_void_at_once(sandbox: SandboxProcess, clerk: User) -> None:
    job = make_interrupted_job(3, completed=2)
    row, purchase = bought_unrecorded(sandbox, job, 3)
    void_bought(row, actor=clerk, reason="Sold out")
    label = Label.objects.get(row=row)
    assert (label.purchase_id, label.void_requested, label.voided_at) == (purchase.purchase_id, VoidRequest.only, None)
    assert row_of(job, 3).status == RowStatus.completed
    assert fresh(job).status == JobStatus.running, "a job is open while a void is owed"
    ordered = Event.objects.get(job=job, kind=EventKind.void_requested)
    assert (ordered.row, ordered.actor, ordered.details["reason"]) == (row, clerk, "Sold out")
    assert_counters_equal_rows(job)

    housekeep()

    label.refresh_from_db()
    assert label.voided_at is not None
    assert sandbox.stats()["refunded"] == 1
    assert fresh(job).status == JobStatus.completed
    assert_counters_equal_rows(job)


def test_void_bought_changes_nothing_when_nothing_was_bought(sandbox: SandboxProcess) -> None:
    job = make_interrupted_job(3, completed=2)
    row = row_of(job, 3)
    prepared = get_carrier("sandbox").prepare(carrier_order(row, job), timeout=5)
    Row.objects.filter(pk=row.pk).update(handle=prepared.handle)
    row = set_aside(row)
    with pytest.raises(NotBought, match="was not bought"):
        void_bought(row)
    assert row_of(job, 3).status == RowStatus.needs_review
    assert not Event.objects.filter(job=job).exists()


def test_a_label_that_turns_up_after_its_row_was_left_out_is_recorded_and_shown(clerk: User) -> None:
    job = make_interrupted_job(3)
    row = set_aside(row_of(job, 2))
    late = claim_letter(row)
    skip(row, actor=clerk)
    answer(late, purchase(late))
    after = row_of(job, 2)
    assert after.status == RowStatus.completed
    assert after.label is not None
    told = Event.objects.get(job=job, row=row, kind=EventKind.late_label)
    assert told.details["tracking_number"] == after.label.tracking_number
    assert_counters_equal_rows(job)


@pytest.mark.django_db(transaction=True)
def test_of_two_decisions_at_once_exactly_one_wins() -> None:
    job = make_interrupted_job(3)
    make_dead_run(job)
    row = set_aside(row_of(job, 2))
    together = threading.Barrier(2, timeout=10)
    outcomes: list[str] = []

    def decide(decision: Callable[[Row], Row]) -> None:
        try:
            together.wait()
            decision(row)
            outcomes.append("won")
        except FactsMoved:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(decision,)) for decision in (send_again, skip)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["refused", "won"]
    assert_counters_equal_rows(job)
