"""One decision about many rows: those that were ticked, and all of a list."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from recovery import review_many
from recovery.review import JobOver, send_again
from recovery.review_many import Decided, ManyDecision, decide_list, decide_rows
from recovery.shown import Reason, RowList, ShownList, ShownRow, read_list, read_row, sign_row, sums_of
from shipping.liveness import Condition
from shipping.models import Event, Job, Row
from shipping.services import FactsMoved, JobService, Refused
from shipping.states import EventKind, JobStatus, RowStatus
from tests.factories import fail_row, make_interrupted_job, make_job, row_of, set_aside
from tests.support.ledger import assert_counters_equal_rows

pytestmark = pytest.mark.django_db

WHY = "Asked by telephone"


def shown(*rows: Row) -> list[ShownRow]:
    """The rows as a page shows them now."""
    return [note for row in rows if (note := read_row(sign_row(row)))]


def listed(job: Job, status: RowStatus, reason: Reason | None = None) -> ShownList:
    """The list as a page shows it now."""
    rows = RowList(job.pk, status, reason)
    note = read_list(ShownList(rows, sums_of(rows.rows())).signed())
    assert note is not None
    return note


def failed_job(rows: int, *, message: str = "No such street.") -> Job:
    """An interrupted job of which all rows but the first failed."""
    job = make_interrupted_job(rows, completed=1)
    for number in range(2, rows + 1):
        fail_row(row_of(job, number), message=message)
    return job


def numbers(job: Job, status: RowStatus) -> list[int]:
    return list(job.rows.filter(status=status).order_by("number").values_list("number", flat=True))


def test_ticked_rows_are_decided_each_with_an_event(clerk: User) -> None:
    job = failed_job(4)
    ticked = shown(row_of(job, 2), row_of(job, 4))

    decided = decide_rows(job.pk, ticked, ManyDecision.send_again, actor=clerk, reason=WHY)

    assert (decided.done, decided.refused) == (2, {})
    assert numbers(job, RowStatus.pending) == [2, 4]
    assert numbers(job, RowStatus.failed) == [3]
    events = Event.objects.filter(job=job, kind=EventKind.resolved)
    assert [event.row.number for event in events if event.row] == [2, 4]
    assert all(event.actor == clerk and event.details["reason"] == WHY for event in events)
    assert events[0].details["shown"] == {"status": "failed", "answer": "", "error": "No such street."}
    assert_counters_equal_rows(job)


def test_a_row_that_moved_is_refused_singly_and_the_others_are_done(clerk: User) -> None:
    job = make_interrupted_job(4)
    rows = [set_aside(row_of(job, number)) for number in (1, 2, 3)]
    early = set_aside(row_of(job, 4), due_in=20.0)
    ticked = shown(*rows, early)
    send_again(rows[1])

    decided = decide_rows(job.pk, ticked, ManyDecision.skip, actor=clerk, reason=WHY)

    assert numbers(job, RowStatus.skipped) == [1, 3]
    assert numbers(job, RowStatus.pending) == [2]
    assert numbers(job, RowStatus.needs_review) == [4]
    assert (decided.done, decided.refused_count) == (2, 2)
    assert decided.sentences() == [
        "1 × has changed since you were shown it (row 2).",
        "1 × its request may still be on its way, so it is too early to decide (row 4).",
    ]
    assert_counters_equal_rows(job)


def test_the_same_rows_ticked_in_two_tabs_are_decided_once(clerk: User) -> None:
    job = failed_job(3)
    ticked = shown(row_of(job, 2), row_of(job, 3))

    decide_rows(job.pk, [*ticked, *ticked], ManyDecision.send_again, actor=clerk, reason=WHY)
    again = decide_rows(job.pk, ticked, ManyDecision.send_again, actor=clerk, reason=WHY)

    assert (again.done, again.refused_count) == (0, 2)
    assert Event.objects.filter(job=job, kind=EventKind.resolved).count() == 2


def test_rows_of_another_job_are_left_alone(clerk: User) -> None:
    job, other = failed_job(2), failed_job(2)

    decided = decide_rows(job.pk, shown(row_of(other, 2)), ManyDecision.skip, actor=clerk, reason=WHY)

    assert (decided.done, decided.sentences()) == (0, ["1 × is no row of this job."])
    assert numbers(other, RowStatus.failed) == [2]


def test_a_form_can_not_tick_without_end(clerk: User, monkeypatch: pytest.MonkeyPatch) -> None:
    job = failed_job(3)
    monkeypatch.setattr(review_many, "MOST_TICKED", 1)
    with pytest.raises(Refused, match="At most 1 rows"):
        decide_rows(job.pk, shown(row_of(job, 2), row_of(job, 3)), ManyDecision.skip, actor=clerk, reason=WHY)


def test_a_job_that_only_waited_is_taken_up_once(service: JobService, clerk: User) -> None:
    job = make_interrupted_job(3, completed=1)
    rows = [set_aside(row_of(job, number)) for number in (2, 3)]
    assert service.condition(job) == Condition.waiting_for_person

    decide_rows(job.pk, shown(*rows), ManyDecision.send_again, actor=clerk, reason=WHY)

    fresh = Job.objects.get(pk=job.pk)
    assert service.condition(fresh) == Condition.waiting_for_worker
    assert fresh.epoch == job.epoch + 1
    assert fresh.runs.issued().count() == 1


def test_leaving_out_the_last_open_rows_completes_the_job(clerk: User) -> None:
    job = make_interrupted_job(3, completed=1)
    rows = [set_aside(row_of(job, number)) for number in (2, 3)]

    decide_rows(job.pk, shown(*rows), ManyDecision.skip, actor=clerk, reason=WHY)

    assert Job.objects.get(pk=job.pk).status == JobStatus.completed
    assert_counters_equal_rows(job)


def test_nothing_is_sent_for_a_job_that_is_over(service: JobService, clerk: User) -> None:
    job = failed_job(2)
    ticked, whole = shown(row_of(job, 2)), listed(job, RowStatus.failed)
    service.cancel(job.pk)

    with pytest.raises(JobOver):
        decide_rows(job.pk, ticked, ManyDecision.send_again, actor=clerk, reason=WHY)
    with pytest.raises(JobOver):
        decide_list(whole, ManyDecision.send_again, Decided(), actor=clerk, reason=WHY)

    assert numbers(job, RowStatus.failed) == [2]


def test_all_that_failed_for_one_reason_are_tried_again(clerk: User) -> None:
    job = failed_job(4)
    Row.objects.filter(job=job, number=3).update(error_message="The ZIP code is not known.")
    reason = Reason("ADDRESS.INVALID", "No such street.")

    decided = decide_list(
        listed(job, RowStatus.failed, reason), ManyDecision.send_again, Decided(), actor=clerk, reason=WHY
    )

    assert (decided.done, decided.left) == (2, None)
    assert numbers(job, RowStatus.pending) == [2, 4]
    assert numbers(job, RowStatus.failed) == [3]
    assert_counters_equal_rows(job)


def _one_joins(job: Job) -> None:
    fail_row(row_of(job, 5))


def _one_leaves(job: Job) -> None:
    send_again(row_of(job, 2))


def _one_was_sent_once_more(job: Job) -> None:
    Row.objects.filter(job=job, number=2).update(claims=7)


@pytest.mark.parametrize("moves", [_one_joins, _one_leaves, _one_was_sent_once_more])
def test_a_list_that_moved_is_refused_as_a_whole(clerk: User, moves: Any) -> None:
    job = make_interrupted_job(5, completed=1)
    for number in (2, 3, 4):
        fail_row(row_of(job, number))
    seen = listed(job, RowStatus.failed)
    moves(job)
    before = list(job.rows.order_by("number").values())

    with pytest.raises(FactsMoved, match="The list has changed"):
        decide_list(seen, ManyDecision.skip, Decided(), actor=clerk, reason=WHY)

    assert list(job.rows.order_by("number").values()) == before


def test_a_row_that_joins_the_list_while_it_is_worked_on_is_left_alone(
    clerk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_many, "CHUNK_ROWS", 2)
    job = make_interrupted_job(6, completed=1)
    for number in (2, 3, 4):
        set_aside(row_of(job, number))
    joins = iter([5])
    monkeypatch.setattr(
        "recovery.review_many.time.sleep", lambda _: [set_aside(row_of(job, number)) for number in joins]
    )

    decided = decide_list(listed(job, RowStatus.needs_review), ManyDecision.skip, Decided(), actor=clerk, reason=WHY)

    assert (decided.done, decided.refused, decided.left) == (3, {}, None)
    assert numbers(job, RowStatus.skipped) == [2, 3, 4]
    assert row_of(job, 5).status == RowStatus.needs_review
    assert row_of(job, 5).due is not None, "its answer is still owed"


def test_a_list_longer_than_one_request_looks_at_goes_on(clerk: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_many, "ROWS_A_REQUEST", 2)
    job = failed_job(6)
    left: ShownList | None = listed(job, RowStatus.failed)
    requests = 0

    while left is not None:
        left = decide_list(left, ManyDecision.skip, Decided(), actor=clerk, reason=WHY).left
        requests += 1

    assert (requests, numbers(job, RowStatus.skipped)) == (3, [2, 3, 4, 5, 6])


def test_a_long_list_goes_on_with_the_next_request(clerk: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_many, "CHUNK_ROWS", 2)
    monkeypatch.setattr(review_many, "SECONDS_A_REQUEST", -1.0)
    job = failed_job(6)
    decided, requests = Decided(), 0
    left: ShownList | None = listed(job, RowStatus.failed)

    while left is not None:
        note = read_list(left.signed())
        assert note is not None
        decided = decide_list(note, ManyDecision.skip, Decided.read(decided.signed()), actor=clerk, reason=WHY)
        left, requests = decided.left, requests + 1

    assert (decided.done, requests) == (5, 3)
    assert numbers(job, RowStatus.skipped) == [2, 3, 4, 5, 6]
    assert Event.objects.filter(job=job, kind=EventKind.skipped).count() == 5
    assert_counters_equal_rows(job)


def test_what_was_done_before_a_kill_stands_and_the_rest_is_still_listed(
    clerk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_many, "CHUNK_ROWS", 2)
    monkeypatch.setattr(review_many, "SECONDS_A_REQUEST", -1.0)
    job = failed_job(6)
    first = listed(job, RowStatus.failed)
    decide_list(first, ManyDecision.skip, Decided(), actor=clerk, reason=WHY)

    with pytest.raises(FactsMoved):
        decide_list(first, ManyDecision.skip, Decided(), actor=clerk, reason=WHY)
    monkeypatch.setattr(review_many, "SECONDS_A_REQUEST", 5.0)
    decided = decide_list(listed(job, RowStatus.failed), ManyDecision.skip, Decided(), actor=clerk, reason=WHY)

    assert decided.done == 3
    assert numbers(job, RowStatus.skipped) == [2, 3, 4, 5, 6]
    assert_counters_equal_rows(job)


def test_rows_that_are_refused_do_not_keep_a_list_from_ending(clerk: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_many, "CHUNK_ROWS", 1)
    job = make_interrupted_job(3)
    set_aside(row_of(job, 1), due_in=20.0)
    for number in (2, 3):
        set_aside(row_of(job, number))

    decided = decide_list(listed(job, RowStatus.needs_review), ManyDecision.skip, Decided(), actor=clerk, reason=WHY)

    assert (decided.done, decided.refused_count, decided.left) == (2, 1, None)
    assert numbers(job, RowStatus.needs_review) == [1]


def test_a_chunk_costs_the_same_statements_however_many_rows(clerk: User) -> None:
    job = make_interrupted_job(8, completed=1)
    waiting = [set_aside(row_of(job, number)) for number in range(2, 9)]
    queries = []
    for rows in (shown(*waiting[:2]), shown(*waiting[2:6])):
        with CaptureQueriesContext(connection) as captured:
            decide_rows(job.pk, rows, ManyDecision.skip, actor=clerk, reason=WHY)
        queries.append(len(captured))

    assert queries[0] == queries[1] <= 16


@pytest.mark.parametrize("note", ["", "forged", "eyJhIjoxfQ:1abc:xyz"])
def test_forged_notes_are_nobodys(note: str) -> None:
    assert read_row(note) is None
    assert read_list(note) is None
    assert Decided.read(note) == Decided()


def test_a_jobs_last_row_in_a_job_of_one(clerk: User) -> None:
    job = make_job(1, status=JobStatus.running)
    row = set_aside(row_of(job, 1))

    decided = decide_rows(job.pk, shown(row), ManyDecision.skip, actor=clerk, reason=WHY)

    assert decided.done == 1
    assert Job.objects.get(pk=job.pk).status == JobStatus.completed
