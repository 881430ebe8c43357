"""Looking again: answered only when something has moved, and given up when nothing will."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Job, Row
from shipping.models.clock import NEVER
from shipping.services import JobService
from shipping.states import JobStatus, VoidRequest
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    make_sender,
    row_of,
    set_aside,
)
from tests.views.reading import HTMX, tags, text

pytestmark = pytest.mark.django_db


def _next_look(response: Any, identity: str) -> str:
    """Where the part of the page asks again; "" when it does not."""
    parts = [*tags(response, "section"), *tags(response, "div")]
    return next((each.get("hx-get", "") for each in parts if each.get("id") == identity), "")


def _shipping_job(rows: int = 5) -> Job:
    job = make_job(rows, status=JobStatus.running)
    make_live_run(job)
    return job


def test_a_page_that_shows_the_present_gets_no_answer(browser: Client) -> None:
    job = _shipping_job()
    look = _next_look(browser.get(f"/jobs/{job.pk}/"), "live")

    unchanged = browser.get(look, headers=HTMX)

    assert unchanged.status_code == 204
    assert unchanged.content == b""


def test_each_thing_that_moves_is_news(browser: Client) -> None:
    job = _shipping_job()
    run = job.runs.get()
    look = _next_look(browser.get(f"/jobs/{job.pk}/"), "live")
    for move in (
        lambda: claim_row(row_of(job, 1), run),
        lambda: complete_row(row_of(job, 1)),
        lambda: fail_row(row_of(job, 2)),
        lambda: claim_row(row_of(job, 3), make_dead_run(job)),
        lambda: set_aside(row_of(job, 4)),
        lambda: JobService().pause(job.pk),
        lambda: JobService().start(job.pk),
    ):
        move()
        news = browser.get(look, headers=HTMX)
        assert news.status_code == 200
        assert _next_look(news, "live") != look
        look = _next_look(news, "live")
        assert browser.get(look, headers=HTMX).status_code == 204


def test_the_address_to_look_at_again_does_not_grow(browser: Client) -> None:
    job = _shipping_job()
    look = _next_look(browser.get(f"/jobs/{job.pk}/?after=2&status=pending"), "live")
    complete_row(row_of(job, 1))

    again = _next_look(browser.get(look, headers=HTMX), "live")

    assert look.startswith(f"/jobs/{job.pk}/?after=2&status=pending&seen=")
    assert again.startswith(f"/jobs/{job.pk}/?after=2&status=pending&seen=")
    assert len(again) == len(look)


def test_a_button_does_not_lead_away_from_the_rows_that_are_open(browser: Client) -> None:
    job = _shipping_job()
    opened = f"http://testserver/jobs/{job.pk}/?after=2"

    fragment = browser.post(f"/jobs/{job.pk}/pause/", headers={**HTMX, "HX-Current-URL": opened})

    assert _next_look(fragment, "live").startswith(f"/jobs/{job.pk}/?after=2&seen=")


def test_while_rows_are_bought_the_table_of_rows_is_left_alone(browser: Client) -> None:
    job = _shipping_job()
    look = _next_look(browser.get(f"/jobs/{job.pk}/"), "live")
    complete_row(row_of(job, 1))

    assert 'id="tables"' not in text(browser.get(look, headers=HTMX))


def test_what_can_be_taken_from_a_job_keeps_up_with_what_was_bought(browser: Client) -> None:
    job = _shipping_job()
    page = browser.get(f"/jobs/{job.pk}/")
    assert "No label is bought yet." in text(page)
    complete_row(row_of(job, 1))

    news = browser.get(_next_look(page, "live"), headers=HTMX)

    exports = [each for each in tags(news, "section") if each.get("id") == "exports"]
    assert [each.get("hx-swap-oob") for each in exports] == ["true"]
    assert "No label is bought yet." not in text(news)
    assert "Print labels" in text(news)


def test_a_job_with_nothing_left_but_doubts_does_not_claim_to_be_buying(browser: Client) -> None:
    job = _shipping_job(2)
    assert "A worker is buying labels now." in text(browser.get(f"/jobs/{job.pk}/"))
    complete_row(row_of(job, 1))
    claim_row(row_of(job, 2))

    page = text(browser.get(f"/jobs/{job.pk}/"))

    assert "a worker asks the carrier about those" in page
    assert "A worker is buying labels now." not in page


def test_when_the_job_comes_to_rest_the_tables_come_with_the_news_and_the_looking_ends(browser: Client) -> None:
    job = _shipping_job(1)
    look = _next_look(browser.get(f"/jobs/{job.pk}/"), "live")
    complete_row(row_of(job, 1))
    JobService().update_status(job.pk, JobStatus.completed)

    news = browser.get(look, headers=HTMX)

    assert 'id="tables" hx-swap-oob="true"' in text(news)
    assert "ORDER-1" in text(news)
    assert _next_look(news, "live") == ""


def test_the_answer_about_a_row_in_doubt_shows_by_itself_also_when_the_job_is_interrupted(browser: Client) -> None:
    job = make_interrupted_job(3, completed=1)
    claim_row(row_of(job, 2), job.runs.get(), due_in=-100)
    look = _next_look(browser.post(f"/jobs/{job.pk}/check/", headers=HTMX), "live")
    assert browser.get(look, headers=HTMX).status_code == 204

    complete_row(row_of(job, 2), adopted=True)
    news = browser.get(look, headers=HTMX)

    assert "2 of 3" in text(news)
    assert "94000" in text(news)
    assert _next_look(news, "live") == ""


def test_a_row_in_review_is_waited_for_only_once_the_carrier_is_to_be_asked(browser: Client) -> None:
    job = make_job(1, status=JobStatus.running)
    set_aside(row_of(job, 1))
    Row.objects.filter(job=job).update(ask_after=NEVER)
    JobService().update_status(job.pk, JobStatus.cancelled)
    assert _next_look(browser.get(f"/jobs/{job.pk}/"), "live") == ""

    assert _next_look(browser.post(f"/jobs/{job.pk}/check/", headers=HTMX), "live")


def test_voids_on_their_way_are_waited_for(browser: Client) -> None:
    job = make_job(1, status=JobStatus.cancelled)
    label = complete_row(row_of(job, 1))
    assert _next_look(browser.get(f"/jobs/{job.pk}/"), "live") == ""

    with transaction.atomic():
        Job.objects.lock(job.pk)
        label.void_requested = VoidRequest.only
        label.save()

    assert _next_look(browser.get(f"/jobs/{job.pk}/"), "live")


def test_the_list_is_answered_only_when_one_of_its_jobs_has_moved(browser: Client) -> None:
    job = _shipping_job()
    look = _next_look(browser.get("/?status=running"), "jobs")
    assert look.startswith("/?status=running&seen=")
    assert browser.get(look, headers=HTMX).status_code == 204

    complete_row(row_of(job, 1))
    news = browser.get(look, headers=HTMX)

    assert "<html" not in text(news)
    assert "1 of 5 bought" in text(news)
    assert browser.get(_next_look(news, "jobs"), headers=HTMX).status_code == 204


def test_a_new_job_and_one_that_leaves_the_filter_are_news(browser: Client) -> None:
    job = _shipping_job()
    look = _next_look(browser.get("/"), "jobs")
    filtered = _next_look(browser.get("/?status=running"), "jobs")

    make_job(1, name="The new one")
    JobService().pause(job.pk)

    assert "The new one" in text(browser.get(look, headers=HTMX))
    assert "No job has this status." in text(browser.get(filtered, headers=HTMX))


def test_a_list_of_jobs_at_rest_does_not_look_again(browser: Client) -> None:
    make_interrupted_job(2)
    make_job(1, status=JobStatus.cancelled)

    assert _next_look(browser.get("/"), "jobs") == ""


def test_looking_again_costs_the_same_for_any_number_of_rows_and_jobs(browser: Client) -> None:
    small, large = _shipping_job(5), _shipping_job(300)
    counts = []
    for job in (small, large):
        look = _next_look(browser.get(f"/jobs/{job.pk}/"), "live")
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(look, headers=HTMX).status_code == 204
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] <= 20

    sender = make_sender()
    counts = []
    for more in (1, 15):
        for _each in range(more):
            make_live_run(make_job(1, status=JobStatus.running, sender=sender))
        look = _next_look(browser.get("/"), "jobs")
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(look, headers=HTMX).status_code == 204
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_session_that_has_ended_is_sent_to_sign_in() -> None:
    job = _shipping_job()

    response = Client().get(f"/jobs/{job.pk}/?seen=abc", headers=HTMX)

    assert response["HX-Redirect"].startswith("/login/?next=")
