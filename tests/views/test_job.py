"""The page of one job."""

import re
from pathlib import Path

import django_htmx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Job, Row
from shipping.services import JobService
from shipping.states import JobStatus
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    row_of,
)
from tests.views.conftest import browser_of
from tests.views.figures import numbers
from tests.views.reading import HTMX, tags, text

pytestmark = pytest.mark.django_db


def _shipping_job(rows: int = 5) -> Job:
    job = make_job(rows, name="On its way", status=JobStatus.running)
    make_live_run(job)
    return job


def _polls(response: object) -> bool:
    return any("every" in section.get("hx-trigger", "") for section in tags(response, "section"))


def test_it_tells_how_far_the_job_is_in_rows_and_money(browser: Client) -> None:
    job = _shipping_job(5)
    complete_row(row_of(job, 1), cost_cents=1234)
    fail_row(row_of(job, 2))

    page = text(browser.get(f"/jobs/{job.pk}/"))

    assert numbers(page)["Bought"] == "1 of 5"
    assert numbers(page)["Failed"] == "1"
    assert numbers(page)["Remaining"] == "3"
    assert "$12.34" in page
    assert "A worker is buying labels now." in page


def test_it_looks_again_every_two_seconds_while_a_worker_is_on_it(browser: Client) -> None:
    job = _shipping_job()

    live = next(each for each in tags(browser.get(f"/jobs/{job.pk}/?after=2"), "section") if each.get("id") == "live")

    assert live["hx-trigger"] == "every 2s"
    assert live["hx-get"].startswith(f"/jobs/{job.pk}/?after=2&seen=")


def test_htmx_gets_only_the_part_that_moves(browser: Client) -> None:
    job = _shipping_job()

    response = browser.get(f"/jobs/{job.pk}/", headers=HTMX)

    assert "<html" not in text(response)
    assert "ORDER-1" not in text(response)
    assert _polls(response)
    assert "HX-Request" in response["Vary"]


@pytest.mark.parametrize("status", [JobStatus.cancelled, JobStatus.completed, JobStatus.failed])
def test_it_stops_looking_once_the_job_is_over(browser: Client, status: JobStatus) -> None:
    job = make_job(2, status=status)

    assert not _polls(browser.get(f"/jobs/{job.pk}/"))
    assert not _polls(browser.get(f"/jobs/{job.pk}/", headers=HTMX))


def test_it_stops_looking_once_the_job_is_interrupted_and_leads_to_the_decision(browser: Client) -> None:
    job = make_interrupted_job(3, completed=1)

    fragment = browser.get(f"/jobs/{job.pk}/", headers=HTMX)

    assert not _polls(fragment)
    assert f'href="/recovery/{job.pk}/"' in text(fragment)


def test_the_last_look_brings_the_tables_as_they_are_then(browser: Client) -> None:
    job = make_interrupted_job(3, completed=1)

    fragment = browser.get(f"/jobs/{job.pk}/", headers=HTMX)

    assert any(each.get("hx-swap-oob") == "true" and each.get("id") == "tables" for each in tags(fragment, "div"))
    assert "Recipient 1" in text(fragment)


def test_without_script_there_is_a_link_to_reload(browser: Client) -> None:
    job = _shipping_job()

    assert f'href="/jobs/{job.pk}/?after=2">Reload</a>' in text(browser.get(f"/jobs/{job.pk}/?after=2&seen=abc"))


def test_a_row_whose_answer_nobody_waits_for_is_called_in_doubt(browser: Client) -> None:
    job = make_job(2, status=JobStatus.running)
    live, dead = make_live_run(job), make_dead_run(job)
    claim_row(row_of(job, 1), live)
    claim_row(row_of(job, 2), dead)

    page = text(browser.get(f"/jobs/{job.pk}/"))

    assert numbers(page)["Being bought now"] == "1"
    assert numbers(page)["In doubt"] == "1"
    assert page.count('class="badge row-in_flight"') == 1
    assert page.count('class="badge row-in_doubt"') == 1


def _row_numbers(response: object) -> list[int]:
    return [int(number) for number in re.findall(r"ORDER-(\d+)", text(response))]


def test_rows_come_in_pages_by_their_number(browser: Client) -> None:
    job = make_job(120)

    assert _row_numbers(browser.get(f"/jobs/{job.pk}/")) == list(range(1, 51))
    assert _row_numbers(browser.get(f"/jobs/{job.pk}/?after=50")) == list(range(51, 101))
    assert _row_numbers(browser.get(f"/jobs/{job.pk}/?after=100")) == list(range(101, 121))
    assert _row_numbers(browser.get(f"/jobs/{job.pk}/?before=101")) == list(range(51, 101))


def test_the_links_between_pages_of_rows_lead_to_all_of_them(browser: Client) -> None:
    job = make_job(120)
    seen: list[int] = []
    address = f"/jobs/{job.pk}/"
    while address:
        page = browser.get(address)
        seen += _row_numbers(page)
        address = next((each["href"] for each in tags(page, "a") if each.get("rel") == "next"), "")

    assert seen == list(range(1, 121))


def test_rows_of_one_status_can_be_picked(browser: Client) -> None:
    job = make_job(6)
    fail_row(row_of(job, 2))
    fail_row(row_of(job, 5))

    assert _row_numbers(browser.get(f"/jobs/{job.pk}/?status=failed")) == [2, 5]
    assert _row_numbers(browser.get(f"/jobs/{job.pk}/?status=failed&after=2")) == [5]


@pytest.mark.parametrize(
    "query",
    ["?after=-1", "?after=abc", f"?after={'9' * 30}", f"?before={'9' * 18}", "?before=0", "?status=nonsense",
     "?events_before=x", f"?runs_before={'9' * 18}", "?events_before=1&runs_before=1", "?after=%00"],
)  # fmt: skip
def test_a_bad_query_string_shows_some_page(browser: Client, query: str) -> None:
    job = make_job(3)

    assert browser.get(f"/jobs/{job.pk}/{query}").status_code == 200


def test_it_tells_who_worked_on_it_and_how_that_ended(browser: Client) -> None:
    job = make_interrupted_job(2)

    assert "Stopped answering: its process died" in text(browser.get(f"/jobs/{job.pk}/"))


def test_only_staff_see_the_process_behind_a_run(browser: Client, colleague: User) -> None:
    job = make_interrupted_job(2)
    colleague.is_staff = True
    colleague.save()

    assert "process " in text(browser_of(colleague).get(f"/jobs/{job.pk}/")).split("Who worked on it")[1]
    assert job.runs.get().host not in text(browser.get(f"/jobs/{job.pk}/"))


def test_its_history_names_who_did_what_and_why(browser: Client, clerk: User) -> None:
    job = make_job(2)
    JobService().cancel(job.pk, actor=clerk, reason="Wrong file")

    page = text(browser.get(f"/jobs/{job.pk}/"))

    assert "by clerk" in page
    assert "Wrong file" in page


def test_names_from_files_are_shown_as_text(browser: Client) -> None:
    job = make_job(1, name="<script>alert(1)</script>")
    Row.objects.filter(job=job).update(recipient="<img src=x onerror=alert(2)>")

    page = text(browser.get(f"/jobs/{job.pk}/"))

    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_more_rows_cost_no_more_queries(browser: Client, headers: dict[str, str]) -> None:
    small, large = make_interrupted_job(5, completed=3), make_interrupted_job(300, completed=100)
    counts = []
    for job in (small, large):
        with CaptureQueriesContext(connection) as queries:
            browser.get(f"/jobs/{job.pk}/", headers=headers)
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[0] < 40


def test_a_job_that_is_not_there_is_not_found(browser: Client) -> None:
    assert browser.get("/jobs/999/").status_code == 404
    assert browser.get(f"/jobs/{'9' * 40}/").status_code == 404


def test_the_page_stays_light_however_mixed_its_rows_are(browser: Client) -> None:
    job = make_job(600, name="N" * 200, status=JobStatus.running)
    for number in range(1, 601, 20):
        fail_row(row_of(job, number), message="The carrier does not know this address. " * 3)
    for number in range(2, 51, 2):
        complete_row(row_of(job, number))
    Row.objects.filter(job=job).update(recipient="Recipient of a long name, care of somebody else")
    for _each in range(15):
        make_dead_run(job)
    for _each in range(20):
        JobService().check_again(job.pk)

    html = browser.get(f"/jobs/{job.pk}/").content

    parts = ["static/site.css", "static/site.js"]
    htmx = Path(django_htmx.__file__).parent / "static/django_htmx/htmx-2.min.js"
    others = sum(path.stat().st_size for path in (*(settings.BASE_DIR / each for each in parts), htmx))
    assert len(html) + others < 150_000, (len(html), others)
