"""Rows that a person decides: in review by hand, one and many; an order that is fixed and tried again."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from shipping.carriers.registry import get_carrier
from shipping.models import Job, Label, Row
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus
from tests.browser.shipping import count_of, fresh, wait_until_completed
from tests.factories import carrier_order, fail_row, make_dead_run, make_interrupted_job, make_job, row_of, set_aside
from tests.support.ledger import assert_books_equal_ledger
from tests.support.processes import worker
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def in_review(clerk: User, sandbox: SandboxProcess) -> Job:
    """Three rows in review: of the first, the carrier sold a label that our books have missed; of the others none."""
    job = make_job(3, status=JobStatus.running, created_by=clerk)
    make_dead_run(job)
    carrier = get_carrier("sandbox")
    for number in (1, 2, 3):
        row = row_of(job, number)
        order = carrier_order(row, job)
        prepared = carrier.prepare(order, timeout=5)
        if number == 1:
            carrier.buy(order, prepared.handle, prepared.details, timeout=5)
        Row.objects.filter(pk=row.pk).update(handle=prepared.handle)
        set_aside(row)
    return job


def _card(page: Page, number: int) -> Locator:
    return page.locator(f"#row-{number}")


def test_each_row_in_review_is_decided_by_hand_and_the_job_goes_on(
    page: Page, in_review: Job, sandbox: SandboxProcess
) -> None:
    page.goto(f"/jobs/{in_review.pk}/")
    page.locator("main").get_by_role("link", name=re.compile("decide", re.IGNORECASE)).first.click()
    _card(page, 1).get_by_role("button", name="It was bought: ask the carrier, record it").click()
    expect(_card(page, 1).get_by_role("status")).to_be_focused()
    assert row_of(in_review, 1).status == RowStatus.completed

    _card(page, 2).get_by_role("button", name="Leave it out").click()
    expect(_card(page, 2).get_by_role("status")).to_be_focused()
    _card(page, 3).get_by_label(re.compile("^Reason")).fill("Looked it up: it is not there")
    _card(page, 3).get_by_role("button", name="It was not bought: buy it").click()
    expect(_card(page, 3).get_by_role("status")).to_be_focused()
    with worker(sandbox.url):
        wait_until_completed(in_review)

    statuses = [row_of(in_review, number).status for number in (1, 2, 3)]
    assert statuses == [RowStatus.completed, RowStatus.skipped, RowStatus.completed]
    assert Label.objects.get(row__number=1).adopted
    assert sandbox.stats()["charges"] == 2
    assert in_review.events.filter(kind=EventKind.resolved, details__reason__startswith="Looked").count() == 1
    assert_books_equal_ledger(in_review, sandbox)


def test_what_was_not_bought_is_not_recorded_on_a_guess(page: Page, in_review: Job) -> None:
    page.goto(f"/recovery/{in_review.pk}/review/")
    _card(page, 2).get_by_role("button", name="It was bought: ask the carrier, record it").click()

    expect(_card(page, 2).get_by_role("alert")).to_be_focused()
    assert row_of(in_review, 2).status == RowStatus.needs_review
    assert not Label.objects.exists()


def test_two_tabs_decide_a_row_once(page: Page, in_review: Job) -> None:
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"/recovery/{in_review.pk}/review/")
    _card(page, 2).get_by_role("button", name="Leave it out").click()
    expect(_card(page, 2).get_by_role("status")).to_be_visible()
    _card(other, 2).get_by_role("button", name="It was not bought: buy it").click()

    expect(other.locator("main")).to_contain_text("othing has been changed")
    assert row_of(in_review, 2).status == RowStatus.skipped
    assert fresh(in_review).epoch == in_review.epoch


def test_an_order_that_the_carrier_refused_is_fixed_and_bought(
    page: Page, clerk: User, sandbox: SandboxProcess
) -> None:
    job = make_job(4, created_by=clerk)
    row = row_of(job, 2)
    row.order = {**row.order, "to_street1": "REFUSE AT BUY"}
    row.save()
    JobService().start(job.pk)
    with worker(sandbox.url, "--until-idle") as process:
        assert process.wait(60) == 0
    page.goto("/recovery/")
    page.locator("main").get_by_role("link", name=re.compile(job.name)).first.click()
    page.goto(f"/jobs/{job.pk}/rows/2/")
    page.get_by_role("link", name="Change the order…").click()
    page.get_by_label("Street and number").fill("2 Market Street")
    page.get_by_label(re.compile("^Reason")).fill("The clerk of the shop corrected it")
    page.get_by_role("button", name="Save and have it bought").click()
    expect(page).to_have_url(re.compile(rf"/jobs/{job.pk}/rows/2/"))
    assert count_of(job, EventKind.corrected) == 1

    page.goto(f"/recovery/{job.pk}/")
    page.get_by_role("button", name="Resume the job").click()
    expect(page).to_have_url(re.compile(rf"/jobs/{job.pk}/$"))
    with worker(sandbox.url):
        wait_until_completed(job)
        expect(page.locator("#live")).to_contain_text("4 of 4")
    page.goto(f"/jobs/{job.pk}/rows/2/")
    expect(page.locator("main")).to_contain_text("REFUSE AT BUY")
    assert row_of(job, 2).attempt == 2
    assert_books_equal_ledger(job, sandbox)


def test_all_that_failed_for_the_same_reason_are_tried_again_at_once(page: Page) -> None:
    job = make_interrupted_job(6, completed=1)
    for number in (2, 3, 4):
        fail_row(row_of(job, number))
    fail_row(row_of(job, 5), code="SHIPMENT.POSTAGE.FAILURE", message="No account.")
    page.goto(f"/recovery/{job.pk}/review/?status=failed")
    page.get_by_text("Decide about these 3 rows").click()
    page.get_by_label("Reason", exact=True).and_(page.locator(":visible")).first.fill("The carrier's desk mended it")
    page.get_by_role("button", name="Try these 3 again").click()
    expect(page.locator("#messages")).not_to_be_empty()

    statuses = [row_of(job, number).status for number in (2, 3, 4, 5)]
    assert statuses == [RowStatus.pending] * 3 + [RowStatus.failed]
