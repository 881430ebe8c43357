"""The list of interrupted jobs, and the banner that counts them."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Row
from shipping.states import JobStatus
from tests.factories import (
    claim_row,
    complete_row,
    halt_job,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    make_sender,
    row_of,
    set_aside,
)
from tests.views.reading import text

pytestmark = pytest.mark.django_db


def test_it_shows_how_far_each_job_came_its_doubts_and_why(browser: Client) -> None:
    job = make_interrupted_job(10, completed=4, cost_cents=1000, name="Torn off")
    claim_row(row_of(job, 5), job.runs.get())
    claim_row(row_of(job, 6), job.runs.get())
    set_aside(row_of(job, 7))

    page = text(browser.get("/recovery/"))

    assert "Torn off" in page
    assert "<dd>4 of 10</dd>" in page
    assert "In doubt: 2" in page
    assert "Need a decision: 1" in page
    assert "$40.00" in page
    assert "Last label: row 4, Recipient 4" in page
    assert "Its worker stopped in the middle" in page


def test_it_shows_the_error_that_halted_a_job(browser: Client) -> None:
    job = make_interrupted_job(3)
    halt_job(row_of(job, 1), message="No such street.")

    assert "It stopped at an error: No such street." in text(browser.get("/recovery/"))


def test_it_shows_a_job_that_was_set_to_run_without_a_run(browser: Client) -> None:
    make_job(3, status=JobStatus.running)

    assert "nobody was asked to work on it" in text(browser.get("/recovery/"))


def test_jobs_that_somebody_works_on_are_not_there(browser: Client) -> None:
    make_live_run(make_job(3, name="In good hands", status=JobStatus.running))

    page = text(browser.get("/recovery/"))

    assert "No job is interrupted" in page
    assert "In good hands" not in page


def test_it_says_when_no_worker_runs(browser: Client) -> None:
    make_interrupted_job(3)
    assert "No worker is running." in text(browser.get("/recovery/"))

    make_live_run(make_job(3, status=JobStatus.running))
    assert "No worker is running." not in text(browser.get("/recovery/"))


def test_more_interrupted_jobs_cost_no_more_queries(browser: Client) -> None:
    sender = make_sender()
    counts = []
    for more in (2, 15):
        for _number in range(more):
            make_dead_run(make_job(3, status=JobStatus.running, sender=sender))
        with CaptureQueriesContext(connection) as queries:
            browser.get("/recovery/")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_jobs_that_have_only_rows_in_review_left_stand_apart_and_lead_to_them(browser: Client) -> None:
    job = make_job(3, name="Only the odd ones", status=JobStatus.running)
    complete_row(row_of(job, 1))
    for number in (2, 3):
        set_aside(row_of(job, number))

    page = text(browser.get("/recovery/"))

    assert "No job is interrupted" in page
    assert "There is nothing to decide here." not in page
    waiting = page.split("Waiting for a person")[1]
    assert "Only the odd ones" in waiting
    assert f'href="/recovery/{job.pk}/review/">Decide 2 rows</a>' in waiting


@pytest.mark.parametrize("change", [claim_row, halt_job], ids=["in doubt", "halted"])
def test_a_job_with_more_to_do_than_rows_in_review_does_not_only_wait_for_a_person(
    browser: Client, change: Callable[[Row], object]
) -> None:
    job = make_job(2, status=JobStatus.running)
    set_aside(row_of(job, 1))
    change(row_of(job, 2))

    page = text(browser.get("/recovery/"))

    assert "Waiting for a person" not in page
    assert "See what happened and decide" in page


def test_it_leads_to_all_rows_that_need_a_decision(browser: Client) -> None:
    assert 'href="/recovery/review/"' in text(browser.get("/recovery/"))
