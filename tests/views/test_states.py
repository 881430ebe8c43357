"""What a job's page says in each state: what it means, what to do next, and who may do what."""

import re

import pytest
from django.contrib.auth.models import User
from django.template.loader import get_template
from django.test import Client

from shipping.conditions import JOB_EXPLANATIONS, ROW_EXPLANATIONS, ROW_NAMES, RUN_EXPLANATIONS, RUN_NAMES
from shipping.liveness import Condition, this_process
from shipping.models import Job, Worker
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus, RunEnd
from tests.factories import (
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
)
from tests.views.conftest import browser_of
from tests.views.reading import tags, text

pytestmark = pytest.mark.django_db


def test_every_condition_row_state_and_end_of_a_run_is_explained() -> None:
    assert set(JOB_EXPLANATIONS) == set(Condition)
    assert set(ROW_EXPLANATIONS) == set(ROW_NAMES) == {*RowStatus.values, "in_doubt"}
    assert set(RUN_EXPLANATIONS) == set(RUN_NAMES) >= set(RunEnd.values)
    for condition in Condition:
        get_template(f"shipping/conditions/{condition.value}.html")


def test_every_badge_opens_an_explanation_that_is_there_and_does_not_poll(browser: Client) -> None:
    job = make_interrupted_job(6, completed=1)
    claim_row(row_of(job, 2), job.runs.get())
    fail_row(row_of(job, 3))
    set_aside(row_of(job, 4))
    make_live_run(make_job(1, status=JobStatus.running))

    for address in ("/", f"/jobs/{job.pk}/"):
        response = browser.get(address)
        explanations = {each["id"] for each in tags(response, "div") if "popover" in each}
        opened = [
            each["popovertarget"]
            for each in tags(response, "button")
            if "popovertarget" in each and each.get("popovertargetaction") != "hide"
        ]
        assert opened
        assert set(opened) <= explanations
        assert text(response).index('class="explanation"') > text(response).index("</main>")


def test_a_row_in_doubt_and_one_in_review_lead_to_help(browser: Client) -> None:
    job = make_job(1)
    page = text(browser.get(f"/jobs/{job.pk}/"))

    doubt = page.split('id="why-row-in_doubt"')[1].split("</div>", maxsplit=1)[0]
    assert "It may or may not have been bought." in doubt
    assert 'href="/help/doubt/"' in doubt


def _beating_worker() -> None:
    process = this_process()
    Worker.objects.create(
        name="here", host=process.host, pid=process.pid, pid_start_ticks=process.start_ticks, beat=book_now()
    )


def test_a_job_that_waits_says_whether_a_worker_is_there(browser: Client) -> None:
    job = make_job(2)
    JobService().start(job.pk)

    assert "No worker is running." in text(browser.get(f"/jobs/{job.pk}/"))
    _beating_worker()
    page = text(browser.get(f"/jobs/{job.pk}/"))
    assert "No worker is running." not in page
    assert "A worker will take it up in a moment." in page


def test_a_job_without_rows_says_so_and_offers_no_start(browser: Client) -> None:
    page = text(browser.get(f"/jobs/{make_job(0).pk}/"))

    assert "This job has no rows" in page
    assert 'id="start"' not in page


def test_a_job_that_is_done_says_what_comes_next(browser: Client) -> None:
    job = make_job(1, status=JobStatus.completed)
    complete_row(row_of(job, 1))

    page = text(browser.get(f"/jobs/{job.pk}/"))

    assert "Every row is done." in page
    assert f'href="/jobs/{job.pk}/labels/">print the labels</a>' in page
    assert f'href="/jobs/{job.pk}/results.csv">download the results</a>' in page


def test_what_a_person_may_not_do_is_shown_with_who_may(viewer: User, clerk: User) -> None:
    job = make_interrupted_job(3, completed=1)
    claim_row(row_of(job, 2), job.runs.get())
    running = make_job(3, status=JobStatus.running)
    make_live_run(running)
    browser = browser_of(viewer)

    page = text(browser.get(f"/jobs/{running.pk}/"))

    for label in ("Pause", "Cancel…"):
        assert f'<button type="button" disabled>{label}</button>' in page
    assert "Needs the right “Can cancel a job”. Ask clerk." in page
    assert "Ask clerk." in text(browser.get(f"/jobs/{job.pk}/")).split("Check again with the carrier")[1]


def test_nobody_who_may_is_said_too(viewer: User) -> None:
    page = text(browser_of(viewer).get(f"/jobs/{make_job(3).pk}/"))

    assert "which nobody has yet; an administrator can give it." in page


def test_rows_can_be_picked_by_what_stands_above_them(browser: Client) -> None:
    job = make_job(4, status=JobStatus.running)
    live, dead = make_live_run(job), make_dead_run(job)
    claim_row(row_of(job, 1), live)
    claim_row(row_of(job, 2), dead)
    fail_row(row_of(job, 3))

    filters = dict(
        re.findall(
            r'\?status=(\w+)#rows-heading">[^<]*<span class="count">(\d+)<', text(browser.get(f"/jobs/{job.pk}/"))
        )
    )

    assert filters == {"in_flight": "2", "in_doubt": "1", "failed": "1", "pending": "1"}
    for status, count in filters.items():
        shown = text(browser.get(f"/jobs/{job.pk}/?status={status}"))
        assert len(re.findall(r"ORDER-\d", shown)) == int(count), status
    assert "ORDER-2" in text(browser.get(f"/jobs/{job.pk}/?status=in_doubt"))
    assert "No rows to show here." in text(browser.get(f"/jobs/{job.pk}/?status=skipped"))


def test_a_run_tells_what_it_bought(browser: Client) -> None:
    job = make_interrupted_job(3, completed=1)
    job.runs.update(bought_rows=12, lowest_row=3, highest_row=1_020)

    assert "12 labels bought, between rows 3 and 1,020" in text(browser.get(f"/jobs/{job.pk}/"))


def test_a_job_that_an_error_stopped_says_where_and_why(browser: Client) -> None:
    job = make_interrupted_job(3)
    halt_job(row_of(job, 2))
    assert "Stopped at row 2: The address was not found." in text(browser.get(f"/jobs/{job.pk}/"))

    Job.objects.filter(pk=job.pk).update(error_row_number=None, error_message="", error_code="CARRIER.UNAVAILABLE")
    assert "Stopped by an error: CARRIER.UNAVAILABLE" in text(browser.get(f"/jobs/{job.pk}/"))
