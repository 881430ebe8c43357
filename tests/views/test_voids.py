"""The pages of voids and refunds."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from shipping.models import Job, Label
from shipping.states import EventKind, RefundState, VoidRequest
from tests.factories import make_interrupted_job, row_of
from tests.views.conftest import browser_of
from tests.views.reading import hidden, tags, text

pytestmark = pytest.mark.django_db


def label_of(job: Job, number: int = 1) -> Label:
    label = row_of(job, number).label
    assert label is not None
    return label


def change(label: Label, **fields: Any) -> None:
    Label.objects.filter(pk=label.pk).update(**fields)


def confirm(browser: Client, address: str, **sent: str) -> Any:
    """Look at the question and answer it."""
    token = hidden(browser.get(address), "confirmation")
    return browser.post(address, {"confirmation": token, "reason": "Sold out", "agreed": "on", **sent}, follow=True)


def test_one_label_is_voided_after_the_question(browser: Client, clerk: User) -> None:
    job = make_interrupted_job(2, completed=2)
    label = label_of(job)
    address = f"/labels/{label.pk}/void/"
    asked = text(browser.get(address))
    assert "1 label is to be voided; it cost $7.50." in asked
    assert "can be voided until" in asked
    response = confirm(browser, address)
    assert "The void of 1 label is ordered" in text(response)
    assert "The void is ordered; the carrier has not confirmed it yet." in text(response)
    event = job.events.get(kind=EventKind.void_requested)
    assert (event.actor, event.details["reason"]) == (clerk, "Sold out")
    assert Label.objects.void_owed().get() == label


@pytest.mark.parametrize(
    ("missing", "says"), [({"reason": ""}, "Write why the labels are voided."), ({"agreed": ""}, "Tick the box")]
)
def test_without_reason_or_tick_nothing_is_voided(browser: Client, missing: dict[str, str], says: str) -> None:
    label = label_of(make_interrupted_job(1, completed=1))
    response = confirm(browser, f"/labels/{label.pk}/void/", **missing)
    assert response.status_code == 409
    assert says in text(response)
    assert not Label.objects.void_owed().exists()


def test_pressing_twice_orders_once(browser: Client) -> None:
    job = make_interrupted_job(2, completed=2)
    address = f"/labels/{label_of(job).pk}/void/"
    token = hidden(browser.get(address), "confirmation")
    sent = {"confirmation": token, "reason": "Sold out", "agreed": "on"}
    browser.post(address, sent)
    response = browser.post(address, sent, follow=True)
    assert "was voided meanwhile, or its void is on its way" in text(response)
    assert job.events.filter(kind=EventKind.void_requested).count() == 1


def test_a_confirmation_is_for_the_labels_it_was_shown_with(browser: Client) -> None:
    job, other = make_interrupted_job(2, completed=2), make_interrupted_job(1, completed=1)
    address = f"/jobs/{job.pk}/voids/new/?rows=1-2"
    token = hidden(browser.get(address), "confirmation")
    change(label_of(job, 2), void_requested=VoidRequest.only)
    sent = {"confirmation": token, "reason": "Sold out", "agreed": "on"}
    response = browser.post(address, sent)
    assert response.status_code == 409
    assert "Nothing has been changed." in text(response)
    assert "1 label is to be voided" in text(response), "shown anew"
    response = browser.post(f"/labels/{label_of(other).pk}/void/", sent)
    assert "does not belong to what is shown" in text(response)
    assert Label.objects.void_owed().count() == 1
    assert not job.events.filter(kind=EventKind.void_requested).exists()


def test_ticked_labels_and_rows_are_voided_together(browser: Client) -> None:
    job = make_interrupted_job(6, completed=5)
    ticked = "&".join(f"label={label_of(job, number).pk}" for number in (1, 3))
    confirm(browser, f"/jobs/{job.pk}/voids/new/?{ticked}")
    confirm(browser, f"/jobs/{job.pk}/voids/new/?rows=3-4")
    confirm(browser, f"/jobs/{job.pk}/voids/new/?row=4&row=5")
    ordered = Label.objects.void_owed().order_by("row__number").values_list("row__number", flat=True)
    assert list(ordered) == [1, 3, 4, 5]


@pytest.mark.parametrize("query", ["", "?rows=abc", "?label=x", "?label=99999999999999999999", "?rows=5"])
def test_a_choice_of_nothing_leads_back_to_the_list(browser: Client, query: str) -> None:
    job = make_interrupted_job(5, completed=1)
    response = browser.get(f"/jobs/{job.pk}/voids/new/{query}", follow=True)
    assert response.redirect_chain[-1][0] == f"/jobs/{job.pk}/voids/"
    assert len(tags(response, "h1")) == 1


def test_after_the_carriers_time_it_may_still_be_asked_for(browser: Client) -> None:
    label = label_of(make_interrupted_job(1, completed=1))
    change(label, bought_at=timezone.now() - timedelta(days=31))
    asked = text(browser.get(f"/labels/{label.pk}/void/"))
    assert "For 1 label the carrier’s time for voids is over." in asked
    confirm(browser, f"/labels/{label.pk}/void/")
    assert Label.objects.void_owed().exists()


def test_the_list_says_how_each_void_and_refund_stands(browser: Client) -> None:
    job = make_interrupted_job(5, completed=5)
    now = timezone.now()
    change(label_of(job, 2), void_requested=VoidRequest.only)
    change(label_of(job, 3), voided_at=now, refund_state=RefundState.submitted, refund_at=now)
    change(label_of(job, 4), voided_at=now, refund_state=RefundState.refunded, refund_at=now)
    change(label_of(job, 5), refund_state=RefundState.refused, refund_at=now, void_answer="Scanned already.")
    page = text(browser.get(f"/jobs/{job.pk}/voids/"))
    for said in (
        "can be voided until",
        "The void is ordered; the carrier has not confirmed it yet.",
        "The refund is asked for; the carrier decides within days or weeks.",
        "Voided; the carrier refunded it on",
        "the label is paid for. Scanned already.",
    ):
        assert said in page
    for state, number in (("paid", 1), ("ordered", 2), ("submitted", 3), ("refunded", 4), ("refused", 5)):
        response = browser.get(f"/jobs/{job.pk}/voids/?state={state}")
        assert label_of(job, number).tracking_number in text(response)
        if state != "paid":
            assert label_of(job, 1).tracking_number not in text(response)


def test_the_list_goes_on_page_by_page_with_a_fixed_number_of_queries(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipping.views.voids.LABELS_ON_A_PAGE", 4)
    counts = []
    for rows in (2, 12):
        job = make_interrupted_job(rows, completed=rows)
        browser.get(f"/jobs/{job.pk}/voids/")
        with CaptureQueriesContext(connection) as queries:
            response = browser.get(f"/jobs/{job.pk}/voids/")
        counts.append(len(queries))
    assert counts[0] == counts[1]
    (following,) = [link["href"] for link in tags(response, "a") if link.get("rel") == "next"]
    response = browser.get(f"/jobs/{job.pk}/voids/{following}")
    assert label_of(job, 5).tracking_number in text(response)
    assert label_of(job, 4).tracking_number not in text(response)


def test_looking_needs_one_right_and_voiding_another(viewer: User, outsider: User) -> None:
    job = make_interrupted_job(1, completed=1)
    label = label_of(job)
    looking = browser_of(viewer)
    page = text(looking.get(f"/jobs/{job.pk}/voids/"))
    assert label.tracking_number in page
    assert "Void…" not in page
    for address in (f"/labels/{label.pk}/void/", f"/jobs/{job.pk}/voids/new/?rows=1"):
        assert looking.get(address).status_code == 403
        assert looking.post(address).status_code == 403
    assert browser_of(outsider).get(f"/jobs/{job.pk}/voids/").status_code == 403


def test_the_jobs_page_tells_what_can_be_taken_away(browser: Client) -> None:
    job = make_interrupted_job(3, completed=2)
    change(label_of(job, 1), printed_at=timezone.now())
    change(label_of(job, 2), voided_at=timezone.now(), refund_state=RefundState.submitted)
    links = {link.get("id"): link["href"] for link in tags(browser.get(f"/jobs/{job.pk}/"), "a") if "href" in link}
    assert links["to-labels"] == f"/jobs/{job.pk}/labels/"
    assert links["to-results"] == f"/jobs/{job.pk}/results.csv"
    assert links["to-voids"] == f"/jobs/{job.pk}/voids/"
    assert "to-failed-results" not in links
