"""A worker is killed, and a person decides: resume, restart, cancel."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from shipping.models import Job, Row
from shipping.services import JobService
from shipping.states import EventKind, JobStatus
from tests.browser.conftest import NewWindow
from tests.browser.shipping import (
    count_of,
    fresh,
    hurry,
    kill_with_purchases_in_the_air,
    stalling,
    wait_until_completed,
)
from tests.factories import make_interrupted_job, make_job
from tests.support.ledger import assert_books_equal_ledger, assert_one_charge_per_completed_row
from tests.support.processes import worker
from tests.support.sandbox import SandboxProcess

ROWS = 24


@pytest.fixture
def started(sandbox: SandboxProcess, clerk: User) -> Job:
    """A job that gets six labels and then no answer any more, begun and waiting for a worker."""
    sandbox.faults(stalling(6))
    job = make_job(ROWS, created_by=clerk)
    JobService().start(job.pk)
    return job


def test_resume_buys_what_is_left_and_nothing_twice(page: Page, started: Job, sandbox: SandboxProcess) -> None:
    with worker(sandbox.url) as process:
        kill_with_purchases_in_the_air(started, process)
    page.goto(f"/recovery/{started.pk}/")
    hurry(sandbox)
    with worker(sandbox.url):
        page.get_by_role("button", name="Resume the job").click()
        expect(page).to_have_url(re.compile(rf"/jobs/{started.pk}/"))
        wait_until_completed(started)
        expect(page.locator("#live")).to_contain_text("24 of 24")

    assert sandbox.stats()["charges"] == ROWS
    assert_books_equal_ledger(started, sandbox)
    assert_one_charge_per_completed_row(started, sandbox)


def test_a_stale_restart_is_refused_and_shown_anew_and_then_buys_exactly_what_it_named(
    page: Page, new_window: NewWindow, colleague: User, started: Job, sandbox: SandboxProcess
) -> None:
    with worker(sandbox.url) as process:
        kill_with_purchases_in_the_air(started, process)
    page.goto(f"/recovery/{started.pk}/")
    page.get_by_role("link", name="Restart…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    first = fresh(started).successful_rows

    elsewhere = new_window(colleague)
    elsewhere.goto(f"/recovery/{started.pk}/")
    elsewhere.get_by_role("button", name="Resume the job").click()
    expect(elsewhere).to_have_url(re.compile(rf"/jobs/{started.pk}/"))
    sandbox.faults(stalling(3))
    with worker(sandbox.url) as process:
        kill_with_purchases_in_the_air(started, process, bought=first + 3)

    dialog.get_by_label("Type the number").fill(str(first))
    dialog.get_by_role("button", name=re.compile("^Buy .* again$")).click()
    expect(dialog.get_by_role("alert").filter(has_text="Nothing has been changed")).to_be_visible()
    assert count_of(started, EventKind.restarted) == 0

    named = fresh(started).successful_rows
    expect(dialog).to_contain_text(f"{named} rows already have labels")
    dialog.get_by_label("Type the number").fill(str(named))
    dialog.get_by_role("button", name=f"Buy {named} labels again").click()
    expect(page).to_have_url(re.compile(rf"/jobs/{started.pk}/"))
    hurry(sandbox)
    with worker(sandbox.url):
        wait_until_completed(started)
        expect(page.locator("#live")).to_contain_text("24 of 24")

    assert count_of(started, EventKind.restarted) == 1
    assert Row.objects.filter(job=started, attempt=2).count() == named
    assert sandbox.stats()["charges"] == ROWS + named
    assert_books_equal_ledger(started, sandbox)
    assert_one_charge_per_completed_row(started, sandbox)


def test_cancel_keeps_what_was_bought_and_still_asks_about_the_doubts(
    page: Page, started: Job, sandbox: SandboxProcess
) -> None:
    with worker(sandbox.url) as process:
        kill_with_purchases_in_the_air(started, process)
    page.goto(f"/recovery/{started.pk}/")
    page.get_by_role("button", name="Cancel the job").click()

    expect(page.locator("#messages")).to_contain_text("no further rows will be processed")
    assert fresh(started).status == JobStatus.cancelled
    hurry(sandbox)
    with worker(sandbox.url):
        expect(page.locator("#live")).not_to_contain_text("In doubt")
    assert fresh(started).successful_rows == sandbox.stats()["charges"]
    assert_books_equal_ledger(started, sandbox)


def test_a_choice_that_a_colleague_made_first_is_said_and_not_made_twice(
    page: Page, new_window: NewWindow, colleague: User
) -> None:
    job = make_interrupted_job(5, completed=2)
    elsewhere = new_window(colleague)
    for window in (page, elsewhere):
        window.goto(f"/recovery/{job.pk}/")
    elsewhere.get_by_role("button", name="Resume the job").click()
    expect(elsewhere).to_have_url(re.compile(rf"/jobs/{job.pk}/"))
    page.get_by_role("button", name="Cancel the job").click()

    expect(page.get_by_role("alert").filter(has_text="colleague")).to_be_visible()
    assert fresh(job).status == JobStatus.running
    assert count_of(job, EventKind.resumed) == 1
    assert count_of(job, EventKind.cancelled) == 0
