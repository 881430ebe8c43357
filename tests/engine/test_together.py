"""Many rows in one statement: each goes by its own guard, and what is not plain is settled one by one."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from shipping.carriers.port import Prepared, Rejected
from shipping.engine import books
from shipping.engine.letters import Claim, Inbox, Ready, Reply
from shipping.engine.settle import settle_purchase
from shipping.engine.together import InFlight, LockedJob, complete_rows
from shipping.models import Job, Label, Row
from shipping.models.search_key import reference_key, reversed_key
from shipping.rows import IllegalRowMove
from shipping.states import EventKind, RowStatus
from tests.engine.letters import answer, claim, purchase, reserve, started_run, tick
from tests.factories import make_job, row_of
from tests.support.ledger import assert_counters_equal_rows

pytestmark = pytest.mark.django_db


def test_of_rows_that_are_claimed_together_those_that_moved_stay_behind() -> None:
    job = make_job(rows=4)
    run = started_run(job)
    reserved = reserve(run, 4)
    Row.objects.filter(job=job, number=1).update(attempt=2)
    Row.objects.filter(job=job, number=2).update(status=RowStatus.skipped)
    Row.objects.filter(job=job, number=3).update(handle="shp_pinned")
    ready = [Ready(preparation=each, prepared=Prepared(handle=f"shp_{each.number}")) for each in reserved]
    claims = [letter for letter in tick(run, ready=ready) if isinstance(letter, Claim)]
    assert [(each.number, each.claim, each.handle) for each in claims] == [(4, 1, "shp_4")]
    assert [row.handle for row in job.rows.order_by("number")] == [None, None, "shp_pinned", "shp_4"]
    assert Row.objects.owed().filter(job=job).count() == 1


def test_answers_of_all_kinds_that_come_together_are_each_settled_as_they_would_be_alone() -> None:
    job = make_job(rows=6, stop_on_error=False)
    other = make_job(rows=1, name="Earlier orders")
    (elsewhere,) = claim(started_run(other))
    answer(elsewhere, purchase(elsewhere, purchase_id="shp_elsewhere"))
    letters = claim(started_run(job), 6)
    plain, plain_too, twice, foreign, refused, late = letters
    Row.objects.filter(pk=late.row_id).update(claims=2)
    replies = [
        Reply(plain, purchase(plain, cost_cents=100)),
        Reply(plain_too, purchase(plain_too, cost_cents=200)),
        Reply(twice, purchase(twice, cost_cents=300)),
        Reply(twice, purchase(twice, purchase_id="shp_again", cost_cents=400)),
        Reply(foreign, purchase(foreign, purchase_id="shp_elsewhere")),
        Reply(refused, Rejected("R", "no")),
        Reply(late, purchase(late, cost_cents=500)),
    ]
    books.tick(job.pk, Inbox(purchases=replies), books.Wishes())
    completed, failed, review = RowStatus.completed, RowStatus.failed, RowStatus.needs_review
    found = [row.status for row in job.rows.order_by("number")]
    assert found == [completed, completed, completed, review, failed, completed]
    job.refresh_from_db()
    assert (job.cost_cents, job.replaced_cents) == (1100, 400)
    kinds = list(job.events.values_list("kind", flat=True))
    assert kinds.count(EventKind.second_charge) == kinds.count(EventKind.label_conflict) == 1
    # The label of an earlier claim is no answer to the later one.
    assert row_of(job, 6).due is not None
    assert Label.objects.filter(job=job).count() == 5
    assert_counters_equal_rows(job)


def test_one_purchase_that_is_told_for_two_rows_at_once_completes_only_one() -> None:
    job = make_job(rows=2)
    first, second = claim(started_run(job), 2)
    replies = [Reply(each, purchase(each, purchase_id="shp_same")) for each in (first, second)]
    books.tick(job.pk, Inbox(purchases=replies), books.Wishes())
    assert [row_of(job, number).status for number in (1, 2)] == [RowStatus.completed, RowStatus.needs_review]
    assert_counters_equal_rows(job)


def test_rows_are_completed_all_or_none() -> None:
    job = make_job(rows=2)
    letters = claim(started_run(job), 2)
    for letter in letters:
        answer(letter, purchase(letter))
    label = Label.objects.filter(job=job).first()
    assert label is not None
    rows = [InFlight(row.pk, row.number, row.account, row.attempt, row.claims, None) for row in job.rows.all()]
    with pytest.raises(IllegalRowMove):
        complete_rows(Job.objects.get(pk=job.pk), [(row, label.pk) for row in rows])


def test_what_is_recorded_together_is_what_it_would_be_alone() -> None:
    job = make_job(rows=2)
    together, alone = claim(started_run(job), 2)
    answer(together, purchase(together))
    with transaction.atomic():
        locked = Job.objects.lock(job.pk)
        settle_purchase(locked, row_of(job, 2), alone.attempt, alone.claim, purchase(alone))
        locked.save()
    one, other = Label.objects.filter(job=job).order_by("row")
    names = {"id", "row_id", "purchase_id", "tracking_number", "tracking_key", "tracking_end_key"}
    times = {"bought_at", "recorded_at"}
    alike = {field.attname for field in Label._meta.concrete_fields} - names - times
    assert {name: getattr(one, name) for name in alike} == {name: getattr(other, name) for name in alike}
    for label in (one, other):
        assert label.tracking_key == reference_key(label.tracking_number)
        assert label.tracking_end_key == reversed_key(label.tracking_number)
        assert label.bought_at is not None
        assert timezone.now() - label.recorded_at < timedelta(minutes=5)
    first, second = row_of(job, 1), row_of(job, 2)
    assert (first.label_id, second.label_id) == (one.pk, other.pk)
    kept = ("status", "claims", "run_id", "due", "crashes", "questions_failed", "error_code", "failed_epoch", "answer")
    assert [getattr(first, name) for name in kept] == [getattr(second, name) for name in kept]
    assert_counters_equal_rows(job)


def test_whatever_a_carrier_calls_things_is_recorded_as_it_says() -> None:
    job = make_job(rows=2)
    claims = claim(started_run(job), 2)
    for each in claims:
        bought = purchase(each, purchase_id=f"""{each.row_id} "it's" {{0}} %s \\ \u00fc \u2028""")
        odd = replace(bought, service='"Größe" \\n {wanted} %s', tracking_number="94 00'", bought_at=timezone.now())
        answer(each, odd)
        label = row_of(job, each.number).label
        assert label is not None
        assert (label.purchase_id, label.service) == (odd.purchase_id, odd.service)
        assert (label.tracking_number, label.tracking_key, label.bought_at) == ("94 00'", "9400", odd.bought_at)


def test_of_a_locked_job_only_what_was_changed_is_written() -> None:
    job = make_job(rows=1)
    Job.objects.filter(pk=job.pk).update(ended_at=timezone.now(), error_row_number=7)
    names = ("stop_on_error", "status", "sender", "processed_rows", "error_row_number", "ended_at")
    with transaction.atomic():
        locked = LockedJob(job.pk, names)
        found = Job.objects.get(pk=job.pk)
        assert locked.job == found
        assert {name: getattr(locked.job, name) for name in names} == {name: getattr(found, name) for name in names}
        with CaptureQueriesContext(connection) as nothing:
            locked.save()
        locked.job.processed_rows = 1
        locked.job.ended_at = None
        with CaptureQueriesContext(connection) as something:
            locked.save()
    assert not nothing.captured_queries
    assert [query["sql"].partition(" WHERE ")[0] for query in something.captured_queries] == [
        "UPDATE shipping_job SET processed_rows = 1, ended_at = NULL"
    ]
    found.refresh_from_db()
    assert (found.processed_rows, found.ended_at, found.error_row_number) == (1, None, 7)


def test_a_job_that_there_is_not_is_not_locked() -> None:
    with pytest.raises(Job.DoesNotExist), transaction.atomic():
        LockedJob(0, ["status"])
