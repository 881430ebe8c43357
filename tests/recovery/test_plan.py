"""What each choice would do, in rows and money."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from recovery.confirmation import BadConfirmation, RecoveryChoice, confirmed_facts
from recovery.forms import ResumeForm
from recovery.plan import plan_cancel, plan_choice, plan_restart, plan_resume
from shipping.models import Job
from shipping.services import JobService
from shipping.states import Sweep
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    halt_job,
    make_dead_run,
    make_interrupted_job,
    make_job,
    row_of,
    set_aside,
    skip_row,
)

pytestmark = pytest.mark.django_db


def mixed_job() -> Job:
    """12 rows: 6 bought at $7.50, one in doubt, in review, skipped and failed (there it halted), 2 waiting."""
    job = make_interrupted_job(12, completed=6)
    claim_row(row_of(job, 7))
    set_aside(row_of(job, 8))
    skip_row(row_of(job, 9))
    halt_job(row_of(job, 10))
    job.refresh_from_db()
    return job


def test_resume_goes_on_with_what_is_left(service: JobService) -> None:
    plan = plan_resume(mixed_job(), service)
    assert (plan.pending_rows, plan.retried_rows, plan.doubt_rows, plan.review_rows) == (2, 1, 1, 1)
    assert (plan.halted_row_number, plan.halted_recipient) == (10, "Recipient 10")
    assert plan.estimated_cents == 3 * 750
    assert plan.sentences() == [
        "Buys 3 remaining rows, for about $22.50.",
        "Does not buy the 6 labels again that there already are.",
        "Tries row 10 (Recipient 10) again, at which it stopped.",
        "The carrier is asked first about 1 row in doubt.",
        "1 row stays in review for a person to decide.",
    ]


def test_resume_leaves_rows_that_failed_without_halting(service: JobService) -> None:
    job = make_job(4, stop_on_error=False)
    service.start(job.pk)
    job.runs.all().delete()
    make_dead_run(job)
    fail_row(row_of(job, 1))
    job.refresh_from_db()
    plan = plan_resume(job, service)
    assert (plan.retried_rows, plan.failed_rows, plan.estimated_cents) == (0, 1, None)
    assert plan.sentences() == ["Buys 3 remaining rows.", "1 failed row stays failed."]


def test_resume_says_when_it_carries_a_restart_on(service: JobService) -> None:
    job = make_interrupted_job(5, completed=3)
    job.sweep, job.sweep_mark = Sweep.restart, service.facts(job).mark
    job.save()
    plan = plan_resume(job, service)
    assert (plan.again_rows, plan.again_cents) == (3, 2250)
    assert any("up to 3 labels bought before are bought again, for about $22.50" in line for line in plan.sentences())


def test_restart_names_what_it_buys_again(service: JobService) -> None:
    plan = plan_restart(mixed_job(), service)
    assert (plan.labelled_rows, plan.labelled_cents, plan.again_cents) == (6, 4500, 4500)
    assert [row.number for row in plan.first_rows] == [1, 2, 3, 4, 5]
    assert plan.first_rows[0].recipient == "Recipient 1"
    assert plan.sentences() == [
        "Buys 6 labels again that cost $45.00, for about $45.00.",
        "Buys 3 rows that have no label yet, 1 of them failed before.",
        "The carrier is asked first about 1 row in doubt.",
        "1 row stays in review for a person to decide.",
        "1 row stays skipped.",
    ]


def test_cancel_says_what_stays_bought(service: JobService) -> None:
    plan = plan_cancel(mixed_job(), service)
    assert (plan.voidable_rows, plan.voidable_cents) == (6, 4500)
    assert plan.sentences() == [
        "Buys nothing more: 2 rows will not be processed.",
        "The carrier is still asked about 1 row in doubt; what was bought shows.",
        "1 row stays in review.",
        "6 labels for $45.00 stay bought and can be voided afterwards.",
    ]


def test_a_confirmation_carries_the_facts_of_its_plan(service: JobService) -> None:
    job = mixed_job()
    for choice in RecoveryChoice:
        plan = plan_choice(choice, job, service)
        assert plan.choice is choice
        assert confirmed_facts(choice, job.pk, plan.confirmation) == plan.facts


def test_a_confirmation_of_another_job_or_choice_or_a_changed_one_is_refused(service: JobService) -> None:
    job, other = make_interrupted_job(3, completed=1), make_interrupted_job(3, completed=1)
    token = plan_restart(job, service).confirmation
    with pytest.raises(BadConfirmation, match="another job"):
        confirmed_facts(RecoveryChoice.restart, other.pk, token)
    with pytest.raises(BadConfirmation):
        confirmed_facts(RecoveryChoice.resume, job.pk, token)
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for bad in (changed, token[3:], "", "x", "a:b:c", "ü"):
        with pytest.raises(BadConfirmation, match="not valid"):
            confirmed_facts(RecoveryChoice.restart, job.pk, bad)


def test_the_number_of_queries_does_not_grow_with_the_job(service: JobService, django_assert_num_queries: Any) -> None:
    small, large = make_interrupted_job(5, completed=2), make_interrupted_job(300, completed=40)
    for choice in RecoveryChoice:
        with CaptureQueriesContext(connection) as captured:
            plan_choice(choice, small, service)
        with django_assert_num_queries(len(captured)):
            plan_choice(choice, large, service)


def test_resume_speaks_of_the_row_that_stopped_the_job_only_while_it_can_be_tried_again(service: JobService) -> None:
    job = mixed_job()
    Job.objects.filter(pk=job.pk).update(error_row_number=7)
    claimed = row_of(job, 7)
    assert plan_resume(Job.objects.get(pk=job.pk), service).halted_row_number is None
    complete_row(claimed, adopted=True)
    plan = plan_resume(Job.objects.get(pk=job.pk), service)
    assert plan.halted_row_number is None
    assert not any("at which it stopped" in sentence for sentence in plan.sentences())
    assert "halting_row" not in ResumeForm.shown_with(plan).fields
