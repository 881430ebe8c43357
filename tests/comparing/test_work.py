"""Comparisons with the real sandbox: what a worker writes down, and what it does when it is cut off."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django_tasks_db.models import DBTaskResult

from shipping import liveness
from shipping.audit.findings import Finding
from shipping.carriers.registry import get_carrier
from shipping.comparing import work
from shipping.comparing.ordering import look_after_comparisons
from shipping.engine.settle import settle_bought
from shipping.models import Comparison, Event, Job, Orphan, Row
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import ComparisonStatus, EventKind, JobStatus, OrphanOutcome, RowStatus
from tests.comparing.listed import at_the_carrier, buy, compare, orphan_of
from tests.factories import complete_row, make_job, row_of
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(sandbox: SandboxProcess) -> Job:
    """A running job of three rows that nobody works on."""
    return make_job(3, status=JobStatus.running)


def ordered(job: Job) -> Comparison:
    JobService().compare(job.pk)
    return Comparison.objects.get(job=job)


def test_a_charge_that_no_row_owns_is_written_down(job: Job) -> None:
    purchase = buy(job, 2)
    comparison = compare(job)

    assert (comparison.status, comparison.listed, comparison.counts) == (ComparisonStatus.done, 1, {"orphan": 1})
    orphan = orphan_of(job, 2)
    assert (orphan.purchase_id, orphan.reference, orphan.attempt) == (purchase.purchase_id, purchase.reference, 1)
    assert (orphan.tracking_number, orphan.cost_cents, orphan.currency) == (
        purchase.tracking_number,
        purchase.cost_cents,
        purchase.currency,
    )
    assert orphan.bought_at == purchase.bought_at
    assert orphan.row == row_of(job, 2)


def test_nothing_is_changed_but_the_list_of_orphans(job: Job, sandbox: SandboxProcess) -> None:
    buy(job, 2)
    before = list(Row.objects.values()), list(Job.objects.values()), sandbox.stats()
    compare(job)
    assert (list(Row.objects.values()), list(Job.objects.values()), sandbox.stats()) == before


def test_books_that_agree_have_no_orphans(job: Job) -> None:
    assert compare(job).status == ComparisonStatus.done
    assert not Orphan.objects.exists()


def test_it_leaves_who_ordered_it_and_what_it_found_in_the_history(job: Job, clerk: User) -> None:
    buy(job, 2)
    JobService().compare(job.pk, actor=clerk)
    work.compare(Comparison.objects.get().pk)
    ordered_by, compared = Event.objects.filter(job=job).order_by("pk")
    assert (ordered_by.kind, ordered_by.actor) == (EventKind.comparison_ordered, clerk)
    assert (compared.kind, compared.actor, compared.details["listed"]) == (EventKind.compared, None, 1)
    assert compared.details["message"] == "Purchases listed: 1. Differences: 1."


def test_a_second_comparison_finds_the_same_orphan_once(job: Job) -> None:
    buy(job, 2)
    compare(job)
    first = orphan_of(job, 2)
    compare(job)
    again = orphan_of(job, 2)
    assert (again.pk, again.found_at, again.found_in) == (first.pk, first.found_at, 2)


def test_an_orphan_whose_label_is_recorded_meanwhile_is_settled_by_itself(job: Job) -> None:
    purchase = buy(job, 2)
    compare(job)
    with transaction.atomic():
        locked = Job.objects.lock(job.pk)
        settle_bought(locked, row_of(job, 2), 1, purchase, answers=False)
        locked.save()
    assert not Orphan.objects.open().exists(), "at once, without another comparison"
    compare(job)
    assert Orphan.objects.get().outcome == OrphanOutcome.recorded


def test_an_orphan_that_the_carrier_took_back_is_settled_and_comes_back_when_the_refund_is_refused(
    job: Job, sandbox: SandboxProcess
) -> None:
    purchase = buy(job, 2)
    compare(job)
    get_carrier("sandbox").void(purchase.purchase_id, timeout=10)
    compare(job)
    assert Orphan.objects.get().outcome == OrphanOutcome.gone
    sandbox.decide_refunds("rejected")
    compare(job)
    assert orphan_of(job, 2).outcome == OrphanOutcome.open


def test_an_entry_that_can_not_be_read_this_time_does_not_settle_its_orphan(job: Job, sandbox: SandboxProcess) -> None:
    purchase = buy(job, 2)
    compare(job)
    at_the_carrier(sandbox, "UPDATE charges SET refund_status = 'odd' WHERE shipment_id = ?", purchase.purchase_id)
    comparison = compare(job)
    assert comparison.counts == {"unreadable": 1}
    assert orphan_of(job, 2).purchase_id == purchase.purchase_id


def test_a_row_in_review_whose_purchase_is_listed_is_an_orphan_until_somebody_decides(job: Job) -> None:
    purchase = buy(job, 2)
    Row.objects.filter(job=job, number=2).update(
        status=RowStatus.needs_review, handle=purchase.purchase_id, claims=1, due=0.0
    )
    compare(job)
    assert orphan_of(job, 2).purchase_id == purchase.purchase_id


def test_a_purchase_that_is_in_the_air_is_no_orphan(job: Job) -> None:
    purchase = buy(job, 2)
    Row.objects.filter(job=job, number=2).update(
        status=RowStatus.in_flight, handle=purchase.purchase_id, claims=1, due=0.0
    )
    assert compare(job).counts == {"awaited": 1}
    assert not Orphan.objects.exists()


def test_other_differences_are_kept_in_sentences(job: Job) -> None:
    complete_row(row_of(job, 1))
    comparison = compare(job)
    assert comparison.counts == {"unknown_label": 1}
    (other,) = comparison.others
    assert "the carrier does not know it" in other["fact"]


def test_orphans_of_one_job_are_not_those_of_another(job: Job) -> None:
    other = make_job(1, sender=job.sender, status=JobStatus.running)
    buy(other, 1)
    assert compare(job).listed == 0
    assert not Orphan.objects.exists()


def test_a_charge_under_a_row_that_the_job_has_not_is_an_orphan_without_a_row(job: Job) -> None:
    buy(job, 3)
    Row.objects.filter(job=job, number=3).delete()
    compare(job)
    assert Orphan.objects.open().get().row is None


def test_it_says_that_it_could_not_be_compared_and_keeps_what_it_found(job: Job, sandbox: SandboxProcess) -> None:
    buy(job, 2)
    compare(job)
    sandbox.faults([{"on": "lookup", "action": "error", "status": 503}])
    comparison = compare(job)
    assert comparison.status == ComparisonStatus.failed
    assert comparison.problem.startswith("The carrier could not be asked for its list:")
    assert orphan_of(job, 2), "what could not be looked for is not gone"


def test_a_carrier_that_is_no_longer_configured_is_said_to_be_so(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(carrier="pigeon")
    comparison = compare(job)
    assert comparison.status == ComparisonStatus.failed
    assert "'pigeon'" in comparison.problem


def test_orphans_are_written_down_a_chunk_at_a_time(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "FINDINGS_A_CHUNK", 1)
    for number in (1, 2, 3):
        buy(job, number)
    written: list[int] = []
    write_down = work.Turn._write_down

    def counted(turn: work.Turn, findings: Sequence[Finding]) -> None:
        written.append(len(findings))
        write_down(turn, findings)

    monkeypatch.setattr(work.Turn, "_write_down", counted)
    compare(job)
    assert written == [1, 1, 1]
    assert Orphan.objects.open().count() == 3


# --- One owner, and none for ever ------------------------------------------------------------------------


def test_it_is_ordered_once_until_it_is_over(job: Job) -> None:
    assert JobService().compare(job.pk)
    assert not JobService().compare(job.pk)
    assert DBTaskResult.objects.count() == 1
    work.compare(Comparison.objects.get().pk)
    assert JobService().compare(job.pk)


def test_a_second_ticket_does_nothing(job: Job) -> None:
    comparison = ordered(job)
    assert work.compare(comparison.pk) == "done"
    assert work.compare(comparison.pk) == "not taken"
    assert work.compare(999) == "not taken"


def test_while_one_is_at_it_another_does_not_begin(job: Job) -> None:
    comparison = ordered(job)
    assert work.Turn.take(comparison.pk, lambda: False) is not None
    assert work.compare(comparison.pk) == "not taken"
    assert liveness.worker_alive(), "who compares beats"


@pytest.mark.parametrize("notices_while_asking", [True, False])
def test_whose_turn_was_taken_over_writes_nothing_more(job: Job, notices_while_asking: bool) -> None:
    buy(job, 2)
    comparison = ordered(job)
    slow = work.Turn.take(comparison.pk, lambda: False)
    assert slow is not None
    Comparison.objects.update(beat=book_now() - 3600)
    other = work.Turn.take(comparison.pk, lambda: False)
    assert other is not None
    if not notices_while_asking:
        slow._audit.before_asking = lambda: None
    with pytest.raises(work.TakenOver):
        slow.work()
    assert not Orphan.objects.exists()
    assert other.work() == ComparisonStatus.done
    assert Orphan.objects.get().found_in == 2


def test_a_worker_that_is_told_to_end_hands_it_back(job: Job) -> None:
    comparison = ordered(job)
    DBTaskResult.objects.all().delete()
    assert work.compare(comparison.pk, stopping=lambda: True) == "handed back"
    comparison.refresh_from_db()
    assert (comparison.status, comparison.beat, comparison.takes) == (ComparisonStatus.ordered, None, 0)
    assert DBTaskResult.objects.count() == 1, "a ticket for the next"
    assert work.compare(comparison.pk) == "done"


def test_a_ticket_that_was_lost_is_queued_again_once_a_lease(job: Job) -> None:
    ordered(job)
    DBTaskResult.objects.all().delete()
    assert look_after_comparisons() == 0, "it may still come"
    Comparison.objects.update(queued=book_now() - 3600)
    assert look_after_comparisons() == 1
    assert look_after_comparisons() == 0
    assert DBTaskResult.objects.count() == 1


def test_a_ticket_that_waits_its_turn_is_not_queued_again(job: Job) -> None:
    ordered(job)
    Comparison.objects.update(queued=book_now() - 3600)
    assert look_after_comparisons() == 0
    assert DBTaskResult.objects.count() == 1


def test_work_that_is_cut_off_again_and_again_is_given_up_and_can_be_ordered_anew(job: Job) -> None:
    comparison = ordered(job)
    Comparison.objects.update(takes=work.MOST_TAKES)
    assert work.compare(comparison.pk) == "not taken"
    comparison.refresh_from_db()
    assert (comparison.status, comparison.problem) == (
        ComparisonStatus.failed,
        f"The comparison was cut off {work.MOST_TAKES} times.",
    )
    assert compare(job).status == ComparisonStatus.done


def test_an_error_of_ours_leaves_it_to_be_taken_up_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = ordered(job)

    def broken(*_args: Any) -> None:
        raise RuntimeError("A mistake.")

    with monkeypatch.context() as patched:
        patched.setattr(work.Turn, "_settle_unseen", broken)
        with pytest.raises(RuntimeError):
            work.compare(comparison.pk)
    Comparison.objects.update(beat=book_now() - 3600)
    assert work.compare(comparison.pk) == "done"
