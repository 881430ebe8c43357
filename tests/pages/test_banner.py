"""The banner of interrupted jobs: on every page, kept up to date by asking quietly."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recovery import banner
from shipping.models import Job, Run
from shipping.services import JobService
from shipping.states import JobStatus
from tests.factories import make_interrupted_job, make_job, make_live_run
from tests.support.processes import wait_until, worker
from tests.support.sandbox import SandboxProcess
from tests.views.conftest import browser_of
from tests.views.reading import HTMX, tags, text

pytestmark = pytest.mark.django_db


def _poll_address(response: Any) -> str:
    (element,) = [each for each in tags(response, "div") if each.get("id") == "banner-now"]
    assert element["hx-trigger"] == "every 5s"
    return element["hx-get"]


@pytest.mark.parametrize("address", ["/", "/recovery/", "/jobs/999/"])
def test_every_page_names_the_newest_and_counts_the_others(browser: Client, address: str) -> None:
    assert "interrupted and wait" not in text(browser.get(address))
    make_interrupted_job(2, name="First")
    page = browser.get(address)
    assert "1 job is interrupted and waits for a decision" in text(page)
    assert "more</span>" not in text(page)
    newest = make_interrupted_job(2, name="Second")
    page = browser.get(address)
    assert "2 jobs are interrupted and wait for a decision" in text(page)
    assert f'href="/recovery/{newest.pk}/">“Second”</a> and 1 more' in text(page)


def test_it_counts_no_further_than_it_has_to_and_names_the_one_that_was_interrupted_last(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(banner, "MOST_COUNTED", 2)
    first, second = (make_interrupted_job(2, name=name) for name in ("First", "Second"))
    Run.objects.filter(job=first).update(beat_at=timezone.now())
    Run.objects.filter(job=second).update(beat_at=timezone.now() - timedelta(hours=1))
    page = browser.get("/")
    assert "2 jobs are interrupted and wait" in text(page)
    assert f'href="/recovery/{first.pk}/">“First”</a> and 1 more' in text(page)

    third = make_interrupted_job(2, name="Third")
    Run.objects.filter(job=third).update(beat_at=timezone.now() - timedelta(hours=2))
    page = browser.get("/")
    assert "More than 2 jobs are interrupted and wait for a decision" in text(page)
    assert f'href="/recovery/{first.pk}/">“First”</a> and many more' in text(page)
    assert '<span class="count" id="nav-interrupted">2+</span>' in text(page)
    news = browser.get("/recovery/banner/", headers=HTMX)
    assert '<span class="count" id="nav-interrupted" hx-swap-oob="true">2+</span>' in text(news)
    desk = browser.get("/recovery/")
    assert "More than 2 jobs are interrupted" in text(desk)
    assert all(job.name in text(desk).split("<main")[1] for job in (first, second, third))
    assert browser.get(_poll_address(desk), headers=HTMX).status_code == 204


def test_it_looks_again_by_itself_and_gets_no_answer_while_nothing_has_changed(browser: Client) -> None:
    address = _poll_address(browser.get("/"))

    assert browser.get(address, headers=HTMX).status_code == 204

    job = make_interrupted_job(2, name="Torn off")
    news = browser.get(address, headers=HTMX)
    assert news.status_code == 200
    assert "<html" not in text(news)
    assert "“Torn off”" in text(news)
    assert '<span class="count" id="nav-interrupted" hx-swap-oob="true">1</span>' in text(news)
    assert browser.get(_poll_address(news), headers=HTMX).status_code == 204

    JobService().cancel(job.pk)
    over = browser.get(_poll_address(news), headers=HTMX)
    assert over.status_code == 200
    assert "interrupted and wait" not in text(over)
    assert _poll_address(over) == address


def test_the_region_that_is_read_out_stays_and_only_its_inside_is_replaced(browser: Client) -> None:
    page = browser.get("/")
    (region,) = [each for each in tags(page, "div") if each.get("id") == "banner"]
    assert region == {"id": "banner", "role": "status"}
    assert '<div id="banner" role="status"> <div id="banner-now"' in text(page)
    news = browser.get("/recovery/banner/", headers=HTMX)
    assert 'role="status"' not in text(news)


def test_an_expired_session_is_not_sent_to_sign_in_by_a_poll(browser: Client) -> None:
    address = _poll_address(browser.get("/"))
    make_interrupted_job(2)
    browser.logout()

    response = browser.get(address, headers=HTMX)

    assert (response.status_code, response.content) == (204, b"")
    assert not response.has_header("HX-Redirect")


def test_whoever_signs_in_again_elsewhere_sees_it_again(browser: Client, clerk: User) -> None:
    address = _poll_address(browser.get("/"))
    make_interrupted_job(2)
    browser.logout()
    browser.force_login(clerk)

    assert "1 job is interrupted" in text(browser.get(address, headers=HTMX))


def test_who_may_not_view_jobs_is_told_nothing_and_does_not_ask(outsider: User) -> None:
    make_interrupted_job(2)
    client = browser_of(outsider)

    page = text(client.get("/"))

    assert "interrupted" not in page
    assert "recovery/banner" not in page
    assert client.get("/recovery/banner/", headers=HTMX).status_code == 204


def test_a_right_that_was_taken_away_takes_the_banner_from_the_polls(browser: Client, clerk: User) -> None:
    make_interrupted_job(2)
    clerk.user_permissions.remove(Permission.objects.get(codename="view_job"))

    assert browser.get("/recovery/banner/?seen=x", headers=HTMX).status_code == 204


def test_strangers_are_told_nothing() -> None:
    make_interrupted_job(2)
    page = text(Client().get("/login/"))
    assert "interrupted" not in page
    assert "recovery/banner" not in page


def test_opened_as_a_page_it_leads_to_the_desk(browser: Client) -> None:
    assert browser.get("/recovery/banner/")["Location"] == "/recovery/"
    assert Client().get("/recovery/banner/", follow=True).redirect_chain[-1][0] == "/login/?next=/recovery/"


def test_a_poll_is_never_kept_by_a_cache(browser: Client) -> None:
    for seen in ("", "x"):
        response = browser.get(f"/recovery/banner/?seen={seen}", headers=HTMX)
        assert "no-store" in response["Cache-Control"]
        assert "HX-Request" in response["Vary"]


def test_more_jobs_and_more_rows_cost_no_more_queries(browser: Client) -> None:
    counts = []
    make_interrupted_job(2)
    for rows in (3, 60):
        make_interrupted_job(rows, completed=rows - 1)
        make_live_run(make_job(rows, status=JobStatus.running))
        with CaptureQueriesContext(connection) as queries:
            browser.get("/recovery/banner/?seen=x", headers=HTMX)
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[0] <= 10


@pytest.mark.django_db(transaction=True)
def test_it_appears_without_a_reload_once_a_real_worker_is_killed(browser: Client, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": 0.5}])
    job = make_job(40, name="Torn off")
    JobService().start(job.pk)
    address = _poll_address(browser.get("/"))
    with worker(sandbox.url) as process:
        wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows >= 2, what="2 rows bought")
        assert browser.get(address, headers=HTMX).status_code == 204
        process.kill()

    assert "“Torn off”" in text(browser.get(address, headers=HTMX))
