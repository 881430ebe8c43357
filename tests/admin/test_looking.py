"""The admin shows everything and edits nothing."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Event, Job, Label, Orphan, Row, Run, Sender
from shipping.runs import record
from shipping.services import JobService
from shipping.states import EventKind, JobStatus
from tests.factories import (
    claim_row,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    make_orphan,
    make_sender,
    row_of,
)
from tests.views.conftest import browser_of, grant
from tests.views.reading import attributes_used, tags, text

pytestmark = pytest.mark.django_db

MODELS = (Job, Row, Event, Label, Orphan, Run, Sender)


@pytest.fixture
def browser(db: None) -> Client:
    return browser_of(User.objects.create_superuser("admin", password="admin"))


@pytest.fixture
def job(db: None) -> Job:
    job = make_interrupted_job(3, completed=2, name="Torn off")
    record(job, EventKind.created)
    make_orphan(row_of(job, 3))
    return job


@pytest.mark.parametrize("model", MODELS)
def test_nobody_adds_changes_or_deletes_anything(browser: Client, job: Job, model: type) -> None:
    base = f"/admin/shipping/{model.__name__.lower()}"
    first = model.objects.order_by("pk")[0]  # type: ignore[attr-defined]

    assert browser.get(f"{base}/add/").status_code == 403
    assert browser.post(f"{base}/add/", {}).status_code == 403
    assert browser.get(f"{base}/{first.pk}/change/").status_code == 200
    assert browser.post(f"{base}/{first.pk}/change/", {"name": "changed"}).status_code == 403
    assert browser.get(f"{base}/{first.pk}/delete/").status_code == 403
    assert browser.post(f"{base}/{first.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in text(browser.get(f"{base}/"))
    assert model.objects.filter(pk=first.pk).exists()  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", MODELS)
def test_delete_selected_is_refused_even_when_it_is_posted(browser: Client, job: Job, model: type) -> None:
    first = model.objects.order_by("pk")[0]  # type: ignore[attr-defined]
    form = {"action": "delete_selected", "_selected_action": [first.pk], "post": "yes"}

    browser.post(f"/admin/shipping/{model.__name__.lower()}/", form)

    assert model.objects.filter(pk=first.pk).exists()  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", [Row, Event, Label, Orphan, Run])
def test_things_of_a_job_are_found_by_job(browser: Client, job: Job, model: type) -> None:
    other = make_interrupted_job(3, completed=2, name="Another job")
    record(other, EventKind.created)
    make_orphan(row_of(other, 3))
    JobService().cancel(other.pk)  # the banner on every page names jobs that are interrupted

    page = text(browser.get(f"/admin/shipping/{model.__name__.lower()}/?job__exact={job.pk}"))

    assert "Torn off" in page
    assert "Another job" not in page


def test_a_jobs_page_leads_to_its_things(browser: Client, job: Job) -> None:
    links = [each.get("href") for each in tags(browser.get(f"/admin/shipping/job/{job.pk}/change/"), "a")]

    for model in ("row", "label", "run", "event", "orphan"):
        assert f"/admin/shipping/{model}/?job__exact={job.pk}" in links
    assert f"/jobs/{job.pk}/" in links


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"Torn off", "At work", "Stopped"}),
        ("?interrupted=yes", {"Torn off"}),
        ("?interrupted=no", {"At work", "Stopped"}),
        ("?status__exact=cancelled", {"Stopped"}),
        ("?carrier=sandbox", {"Torn off", "At work", "Stopped"}),
        ("?q=torn", {"Torn off"}),
        ("?q=nothing-like-it", set()),
        ("?interrupted=nonsense", {"Torn off", "At work", "Stopped"}),
    ],
)
def test_jobs_are_filtered_and_searched(browser: Client, job: Job, query: str, shown: set[str]) -> None:
    make_live_run(make_job(2, name="At work", status=JobStatus.running))
    make_job(2, name="Stopped", status=JobStatus.cancelled)

    page = text(browser.get(f"/admin/shipping/job/{query}"))

    assert {name for name in ("Torn off", "At work", "Stopped") if f">{name}</a>" in page} == shown


def test_a_job_is_found_by_its_code_and_shows_how_it_stands(browser: Client, job: Job) -> None:
    page = text(browser.get(f"/admin/shipping/job/?q={job.code}"))

    assert ">Torn off</a>" in page
    assert '<td class="field-standing">Interrupted</td>' in page
    assert "$15.00" in page


def test_more_jobs_cost_no_more_queries(browser: Client) -> None:
    sender = make_sender()
    counts = []
    for more in (2, 20):
        for _number in range(more):
            make_dead_run(make_job(2, status=JobStatus.running, sender=sender))
        with CaptureQueriesContext(connection) as queries:
            browser.get("/admin/shipping/job/")
        counts.append(len(queries))

    assert counts[0] == counts[1]


PAGES = ("/admin/", "/admin/shipping/row/", "/admin/auth/user/", "/admin/password_change/")


@pytest.mark.parametrize("address", PAGES)
def test_every_page_counts_the_interrupted_jobs(browser: Client, job: Job, address: str) -> None:
    make_interrupted_job(2, name="Torn off, too")

    page = browser.get(address)

    assert "2 jobs are interrupted and wait for a decision" in text(page)
    assert len([each for each in tags(page, "a") if each.get("href") == "/recovery/"]) == 1
    assert "/static/admin_banner.css" in [each.get("href") for each in tags(page, "link")]
    assert "Django administration" in text(page)


def test_the_banner_is_only_for_those_who_may_view_jobs(db: None, job: Job) -> None:
    staff = User.objects.create_user("other", password="other", is_staff=True)

    for client in (Client(), browser_of(staff)):
        page = client.get("/admin/", follow=True)
        assert page.status_code == 200
        assert "interrupted" not in text(page)


def test_the_banner_costs_as_many_queries_for_many_jobs(browser: Client) -> None:
    sender = make_sender()
    counts = []
    for more in (1, 20):
        for _number in range(more):
            make_dead_run(make_job(2, status=JobStatus.running, sender=sender))
        with CaptureQueriesContext(connection) as queries:
            browser.get("/admin/")
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("model", MODELS)
def test_its_pages_work_under_the_strict_content_security_policy(browser: Client, job: Job, model: type) -> None:
    response = browser.get(f"/admin/shipping/{model.__name__.lower()}/")

    assert "script-src 'self'" in response["Content-Security-Policy"]
    executable = [each for each in tags(response, "script") if each.get("type") != "application/json"]
    assert all(each.get("src") for each in executable)
    assert not {name for name in attributes_used(response) if name == "style" or name.startswith("on")}


def test_staff_who_may_view_only_get_no_actions(db: None, job: Job) -> None:
    staff = grant(User.objects.create_user("staff", password="staff", is_staff=True), "view_job")

    page = text(browser_of(staff).get("/admin/shipping/job/"))

    assert "Torn off" in page
    assert 'name="action"' not in page


def test_clerks_who_are_not_staff_stay_outside(clerk: User) -> None:
    assert browser_of(clerk).get("/admin/shipping/job/").status_code == 302


def test_the_admin_for_jobs_is_the_one_that_knows_interrupted_ones() -> None:
    assert type(admin.site.get_model_admin(Job)).__module__ == "recovery.admin"


@pytest.mark.parametrize("model", ["row", "event", "label", "orphan", "run", "sender"])
def test_numbers_that_no_column_can_hold_are_no_server_error(browser: Client, model: str) -> None:
    make_interrupted_job(2)
    assert browser.get(f"/admin/shipping/{model}/?job__exact=9999999999999999999", follow=True).status_code == 200


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?q=ORDER-2", 2),
        ("?q=order 2", 2),
        ("?q=ORDER", 0),
        ("?q=2", 0),
        ("?q=2&job__exact={job}", 1),
        ("?status__exact=in_flight", 1),
        ("?status__exact=in_flight&job__exact={job}", 1),
        ("?status__exact=completed", 4),
        ("?q=%23%23", 0),
    ],
)
def test_rows_are_sought_by_reference_and_in_a_job_by_number(browser: Client, job: Job, query: str, shown: int) -> None:
    make_interrupted_job(3, completed=2)
    claim_row(row_of(job, 3))

    page = browser.get(f"/admin/shipping/row/{query.format(job=job.pk)}")

    assert len([cell for cell in tags(page, "th") if cell.get("class") == "field-number"]) == shown


@pytest.mark.parametrize("sought", ["tracking_number", "purchase_id"])
def test_labels_are_found_by_their_numbers_in_full(browser: Client, job: Job, sought: str) -> None:
    number = getattr(Label.objects.get(row=row_of(job, 2)), sought)

    def found(term: str) -> int:
        page = browser.get("/admin/shipping/label/", {"q": term})
        return len([cell for cell in tags(page, "th") if cell.get("class") == "field-tracking_number"])

    assert found(number) == 1
    assert found(number[:-1]) == 0


def test_a_list_of_rows_is_counted_and_paged_only_so_far(
    browser: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipping.admin_lists.COUNTED", 30)
    make_job(100)

    last = browser.get("/admin/shipping/row/?p=2")

    assert "30 rows" in text(last)
    assert len([cell for cell in tags(last, "th") if cell.get("class") == "field-number"]) == 5
