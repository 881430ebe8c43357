"""The recovery page keeps itself up to date, and never takes away what somebody is filling in."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.liveness import this_process
from shipping.models import Job, Worker
from shipping.models.clock import book_now
from shipping.runs import record
from shipping.services import JobService
from shipping.states import EventKind, RowStatus
from tests.factories import (
    claim_row,
    complete_row,
    halt_job,
    make_dead_run,
    make_interrupted_job,
    row_of,
    set_aside,
)
from tests.views.reading import HTMX, hidden, tags, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(db: None) -> Job:
    """4 of 12 bought, row 5 in doubt."""
    job = make_interrupted_job(12, completed=4)
    claim_row(row_of(job, 5), job.runs.get())
    return Job.objects.get(pk=job.pk)


def _poll_address(response: Any) -> str:
    (element,) = [each for each in tags(response, "div") if each.get("id") == "report"]
    assert (element["hx-trigger"], element["hx-swap"]) == ("every 2s", "outerHTML")
    return element["hx-get"]


def _look(browser: Client, address: str) -> Any:
    return browser.get(address, headers=HTMX)


def _a_worker_comes() -> None:
    process = this_process()
    Worker.objects.create(
        name="w", host=process.host, pid=process.pid, pid_start_ticks=process.start_ticks, beat=book_now()
    )


def _carrier_answers(job: Job, number: int) -> None:
    label = complete_row(row_of(job, number), tracking_number="9400FOUND", adopted=True)
    record(job, EventKind.adopted, row=row_of(job, number), tracking_number=str(label), cost_cents=750)


def test_while_nothing_has_changed_there_is_no_answer(browser: Client, job: Job) -> None:
    address = _poll_address(browser.get(f"/recovery/{job.pk}/"))

    assert _look(browser, address).status_code == 204


def test_an_answer_of_the_carrier_shows_by_itself_with_what_the_choices_would_do_now(browser: Client, job: Job) -> None:
    page = browser.get(f"/recovery/{job.pk}/")
    _carrier_answers(job, 5)

    news = _look(browser, _poll_address(page))

    assert news.status_code == 200
    assert "5 of 12 bought" in text(news)
    assert "9400FOUND" in text(news)
    assert "No purchase is in doubt" in text(news)
    assert '<ul id="restart-plan" hx-swap-oob="true"><li>Buys 5 labels again' in text(news)
    assert "The facts have changed" not in text(news)
    assert _look(browser, _poll_address(news)).status_code == 204


@pytest.mark.parametrize(
    "change",
    [
        lambda _job: _a_worker_comes(),
        lambda job: set_aside(row_of(job, 9)),
        lambda job: job.rows.filter(number=5).update(answer="Not so far.", answered_at=job.created_at),
        lambda job: record(job, EventKind.check_requested, rows=1),
        make_dead_run,
    ],
    ids=["a worker came", "a row needs a decision", "an answer", "a question", "a run"],
)
def test_whatever_the_report_tells_makes_it_news(browser: Client, job: Job, change: Any) -> None:
    address = _poll_address(browser.get(f"/recovery/{job.pk}/"))
    change(job)

    news = _look(browser, address)

    assert news.status_code == 200
    assert _look(browser, _poll_address(news)).status_code == 204


def test_no_form_of_a_choice_is_ever_part_of_what_looks_again(browser: Client, job: Job) -> None:
    address = _poll_address(browser.get(f"/recovery/{job.pk}/"))
    _carrier_answers(job, 5)
    set_aside(row_of(job, 9))

    news = _look(browser, address)

    actions = {each.get("action") for each in tags(news, "form")}
    assert actions == {f"/recovery/{job.pk}/check/", f"/recovery/{job.pk}/comparison/"}
    assert not [each for each in tags(news, "input") if each.get("name") == "reason"]


def test_when_the_choices_shown_would_be_refused_the_page_says_so_once_and_leaves_them(
    browser: Client, job: Job
) -> None:
    address = _poll_address(browser.get(f"/recovery/{job.pk}/"))
    halt_job(row_of(job, 6))

    news = _look(browser, address)

    assert "The facts have changed since these choices were shown" in text(news)
    assert f'href="/recovery/{job.pk}/">Show the choices as they are now</a>' in text(news)
    assert "resume-plan" not in text(news)
    set_aside(row_of(job, 9))
    later = _look(browser, _poll_address(news))
    assert later.status_code == 200
    # It stands on the page already; put there again, it would be read out again.
    assert "The facts have changed" not in text(later)
    assert "resume-plan" not in text(later)


def test_the_choices_it_warns_of_are_refused_indeed_and_those_shown_anew_are_not(browser: Client, job: Job) -> None:
    page = browser.get(f"/recovery/{job.pk}/")
    old = hidden(page, "confirmation", action=f"/recovery/{job.pk}/resume/")
    halt_job(row_of(job, 6))

    assert browser.post(f"/recovery/{job.pk}/resume/", {"confirmation": old}).status_code == 409
    new = hidden(browser.get(f"/recovery/{job.pk}/"), "confirmation", action=f"/recovery/{job.pk}/resume/")
    assert browser.post(f"/recovery/{job.pk}/resume/", {"confirmation": new}).status_code == 302


def test_somebody_elses_choice_is_told_with_who_and_leads_on(browser: Client, colleague: User, job: Job) -> None:
    address = _poll_address(browser.get(f"/recovery/{job.pk}/"))
    JobService().resume(job.pk, actor=colleague)

    news = _look(browser, address)

    assert news.status_code == 200
    assert "it waits for a worker to take it up. colleague chose “resumed”" in text(news)
    assert f'href="/jobs/{job.pk}/"' in text(news)
    assert "hx-trigger" not in text(news)
    assert "The job has moved on: these choices would be refused." in text(news)


def test_check_again_answers_htmx_with_the_report_so_that_nothing_typed_is_lost(browser: Client, job: Job) -> None:
    page = browser.get(f"/recovery/{job.pk}/")
    offers = hidden(page, "offers", action=f"/recovery/{job.pk}/check/")

    answer = browser.post(f"/recovery/{job.pk}/check/", {"offers": offers}, headers=HTMX)

    assert not answer.has_header("HX-Redirect")
    assert _poll_address(answer)
    assert "The carrier will be asked about 1 row." in text(answer)
    assert "The facts have changed" not in text(answer)
    assert row_of(job, 5).status == RowStatus.in_flight


def test_looking_costs_few_queries_and_no_more_for_a_longer_job(browser: Client) -> None:
    counts = []
    for rows, completed in ((6, 3), (300, 200)):
        job = make_interrupted_job(rows, completed=completed)
        claim_row(row_of(job, completed + 1), job.runs.get())
        address = _poll_address(browser.get(f"/recovery/{job.pk}/"))
        for look in (address, address.replace("seen=", "seen=x")):
            with CaptureQueriesContext(connection) as queries:
                _look(browser, look)
            counts.append(len(queries))

    assert counts[:2] == counts[2:]
    assert counts[0] <= 22


def test_the_desk_keeps_itself_up_to_date_too(browser: Client, job: Job) -> None:
    (desk,) = [each for each in tags(browser.get("/recovery/"), "div") if each.get("id") == "desk"]
    address = desk["hx-get"]
    assert _look(browser, address).status_code == 204

    make_interrupted_job(3, name="One more")

    news = _look(browser, address)
    assert "One more" in text(news)
    assert "<html" not in text(news)
