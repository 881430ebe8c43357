"""The page where a person decides rows in review, and failed ones."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from shipping.models import Job
from shipping.states import EventKind, JobStatus, RowStatus
from tests.factories import claim_row, fail_row, make_interrupted_job, make_job, row_of, set_aside
from tests.views.conftest import browser_of
from tests.views.reading import HTMX, hidden, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(db: None) -> Job:
    """Row 2 is in review; row 3 failed."""
    job = make_interrupted_job(4, completed=1)
    set_aside(row_of(job, 2), answer="No such shipment on record.")
    fail_row(row_of(job, 3), message="No such street.")
    return job


def _shown(browser: Client, job: Job, number: int, query: str = "") -> str:
    page = browser.get(f"/recovery/{job.pk}/review/{query}")
    return hidden(page, "shown", action=f"/recovery/{job.pk}/rows/{number}/")


def test_it_shows_what_was_sent_and_what_the_carrier_said(browser: Client, job: Job) -> None:
    page = text(browser.get(f"/recovery/{job.pk}/review/"))

    assert "Row 2: Recipient 2" in page
    assert str(row_of(job, 2).handle) in page
    assert "No such shipment on record." in page
    assert "Recipient 3" not in page


def test_failed_rows_have_their_own_list(browser: Client, job: Job) -> None:
    page = text(browser.get(f"/recovery/{job.pk}/review/?status=failed"))

    assert "Row 3: Recipient 3" in page
    assert "No such street." in page
    assert "record_bought" not in page


@pytest.mark.parametrize(("decision", "status"), [("send_again", RowStatus.pending), ("skip", RowStatus.skipped)])
def test_a_decision_is_carried_out_and_remembered(
    browser: Client, clerk: User, job: Job, decision: str, status: RowStatus
) -> None:
    form = {"shown": _shown(browser, job, 2), "decision": decision, "reason": "Asked by telephone"}

    page = browser.post(f"/recovery/{job.pk}/rows/2/", form, follow=True)

    assert page.redirect_chain == [(f"/recovery/{job.pk}/review/", 302)]
    assert row_of(job, 2).status == status
    event = job.events.get(kind__in=[EventKind.resolved, EventKind.skipped])
    assert (event.actor, event.details["reason"]) == (clerk, "Asked by telephone")


def test_a_failed_row_can_be_tried_again(browser: Client, job: Job) -> None:
    form = {"shown": _shown(browser, job, 3, "?status=failed"), "decision": "send_again"}

    browser.post(f"/recovery/{job.pk}/rows/3/", form)

    assert row_of(job, 3).status == RowStatus.pending


def test_htmx_is_redirected(browser: Client, job: Job) -> None:
    form = {"shown": _shown(browser, job, 2), "decision": "skip"}

    response = browser.post(f"/recovery/{job.pk}/rows/2/", form, headers=HTMX)

    assert response["HX-Redirect"] == f"/recovery/{job.pk}/review/"
    assert row_of(job, 2).status == RowStatus.skipped


def test_a_row_that_moved_meanwhile_is_left_alone(browser: Client, job: Job) -> None:
    shown = _shown(browser, job, 2)
    browser.post(f"/recovery/{job.pk}/rows/2/", {"shown": shown, "decision": "send_again"})

    page = browser.post(f"/recovery/{job.pk}/rows/2/", {"shown": shown, "decision": "skip"}, follow=True)

    assert "has changed since you were shown it" in text(page)
    assert row_of(job, 2).status == RowStatus.pending


def test_too_early_is_said_and_nothing_is_changed(browser: Client) -> None:
    job = make_interrupted_job(2)
    set_aside(row_of(job, 1), due_in=20.0)
    form = {"shown": _shown(browser, job, 1), "decision": "send_again"}

    page = text(browser.post(f"/recovery/{job.pk}/rows/1/", form, follow=True))

    assert "may still be on its way" in page
    assert row_of(job, 1).status == RowStatus.needs_review


@pytest.mark.parametrize(
    "fields", [{}, {"decision": "skip"}, {"decision": "skip", "shown": "forged"}, {"decision": "x"}]
)
def test_a_form_that_is_not_ours_changes_nothing(browser: Client, job: Job, fields: dict[str, str]) -> None:
    page = browser.post(f"/recovery/{job.pk}/rows/2/", fields, follow=True)

    assert "Nothing has been changed" in text(page)
    assert row_of(job, 2).status == RowStatus.needs_review


def test_what_was_shown_of_one_row_is_no_good_for_another(browser: Client, job: Job) -> None:
    set_aside(row_of(job, 4))
    shown = _shown(browser, job, 2)

    browser.post(f"/recovery/{job.pk}/rows/4/", {"shown": shown, "decision": "skip"})

    assert row_of(job, 4).status == RowStatus.needs_review


def test_who_may_not_decide_may_look(viewer: User, job: Job) -> None:
    client = browser_of(viewer)

    page = text(client.get(f"/recovery/{job.pk}/review/"))

    assert "You may look, but not decide." in page
    assert "<button name=" not in page
    assert client.post(f"/recovery/{job.pk}/rows/2/").status_code == 403


def test_a_row_that_is_not_there_is_not_found(browser: Client, job: Job) -> None:
    assert browser.post(f"/recovery/{job.pk}/rows/99/").status_code == 404


def test_rows_come_in_pages(browser: Client) -> None:
    job = make_job(25, status=JobStatus.running)
    for number in range(1, 26):
        fail_row(row_of(job, number))

    first = text(browser.get(f"/recovery/{job.pk}/review/?status=failed"))
    second = text(browser.get(f"/recovery/{job.pk}/review/?status=failed&after=20"))

    assert "Recipient 20<" in first
    assert "Recipient 21<" not in first
    assert "Recipient 21<" in second


def test_a_row_in_doubt_is_not_for_a_person_yet(browser: Client) -> None:
    job = make_interrupted_job(2)
    claim_row(row_of(job, 1), job.runs.get())

    assert "There are no such rows." in text(browser.get(f"/recovery/{job.pk}/review/"))
