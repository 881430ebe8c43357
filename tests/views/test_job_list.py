"""The list of jobs."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.states import JobStatus
from tests.factories import make_dead_run, make_interrupted_job, make_job, make_sender
from tests.views.reading import text

pytestmark = pytest.mark.django_db


def test_it_shows_the_newest_job_first_with_how_it_stands(browser: Client) -> None:
    first = make_job(3, name="First")
    second = make_interrupted_job(4, completed=2, cost_cents=1050, name="Second")

    page = text(browser.get("/"))

    assert page.index("Second") < page.index("First")
    assert f'<button type="button" id="job-badge-{second.pk}" class="badge interrupted"' in page
    assert f'<button type="button" id="job-badge-{first.pk}" class="badge not_started"' in page
    assert "2 of 4 bought" in page
    assert "$21.00" in page


def test_without_jobs_it_says_how_to_import_one(browser: Client) -> None:
    page = text(browser.get("/"))

    assert "No jobs yet" in page
    assert "manage.py import_orders" in page


def test_it_shows_the_jobs_of_one_status(browser: Client) -> None:
    make_job(1, name="Waiting one")
    make_job(1, name="Stopped one", status=JobStatus.cancelled)

    page = text(browser.get("/?status=cancelled"))

    assert "Stopped one" in page
    assert "Waiting one" not in page


def test_it_comes_in_pages(browser: Client) -> None:
    sender = make_sender()
    for number in range(26):
        make_job(1, name=f"Job number {number}", sender=sender)

    first, second = text(browser.get("/")), text(browser.get("/?page=2"))

    assert "Page 1 of 2" in first
    assert "Job number 0<" not in first
    assert "Job number 0<" in second


@pytest.mark.parametrize(
    "query", ["?page=abc", "?page=0", "?page=-1", "?page=" + "9" * 40, "?status=nonsense", "?page="]
)
def test_a_bad_query_string_shows_some_page(browser: Client, query: str) -> None:
    make_job(1, name="The only one")

    response = browser.get(f"/{query}")

    assert response.status_code == 200
    assert "The only one" in text(response)


def test_more_jobs_cost_no_more_queries(browser: Client) -> None:
    sender = make_sender()
    counts = []
    for more in (2, 20):
        for _number in range(more):
            make_dead_run(make_job(2, status=JobStatus.running, sender=sender))
        with CaptureQueriesContext(connection) as queries:
            browser.get("/")
        counts.append(len(queries))

    assert counts[0] == counts[1]
