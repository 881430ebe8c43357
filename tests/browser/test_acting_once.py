"""A double click, the way back and a second tab do nothing twice."""

import re

from playwright.sync_api import Page, expect

from shipping.states import EventKind, JobStatus
from tests.browser.shipping import count_of, fresh
from tests.browser.watching import Watch
from tests.factories import make_interrupted_job, make_job


def test_a_double_click_on_start_starts_once(page: Page) -> None:
    job = make_job(5)
    page.goto(f"/jobs/{job.pk}/")
    page.get_by_role("button", name="Start: buy 5 labels").dblclick()

    expect(page.locator("#messages")).not_to_be_empty()
    page.wait_for_load_state("networkidle")
    assert fresh(job).status == JobStatus.running
    assert count_of(job, EventKind.started) == 1
    assert job.runs.count() == 1


def test_a_double_click_on_resume_resumes_once(page: Page) -> None:
    job = make_interrupted_job(5, completed=2)
    page.goto(f"/recovery/{job.pk}/")
    page.get_by_role("button", name="Resume the job").dblclick()

    expect(page).to_have_url(re.compile(rf"/jobs/{job.pk}/"))
    assert count_of(job, EventKind.resumed) == 1
    assert fresh(job).epoch == job.epoch + 1


def test_a_double_click_on_the_last_button_of_a_restart_restarts_once(page: Page) -> None:
    job = make_interrupted_job(5, completed=2)
    page.goto(f"/recovery/{job.pk}/restart/")
    page.get_by_label("Type the number").fill("2")
    page.get_by_role("button", name="Buy 2 labels again").dblclick()

    expect(page).to_have_url(re.compile(rf"/jobs/{job.pk}/"))
    assert count_of(job, EventKind.restarted) == 1
    assert fresh(job).epoch == job.epoch + 1


def test_going_back_after_a_choice_shows_how_things_stand_and_repeats_nothing(page: Page) -> None:
    job = make_interrupted_job(5, completed=2)
    page.goto(f"/jobs/{job.pk}/")
    page.get_by_role("link", name="See what happened and decide").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#live")).to_contain_text("Cancelled")

    page.go_back()
    expect(page.get_by_role("button", name="Cancel the job")).to_have_count(0)
    page.go_back()
    page.go_forward()
    page.reload()
    assert count_of(job, EventKind.cancelled) == 1
    assert fresh(job).epoch == job.epoch + 1


def test_two_tabs_make_one_choice_and_the_second_is_told_what_the_first_did(page: Page) -> None:
    job = make_interrupted_job(5, completed=2)
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"/recovery/{job.pk}/")
    page.get_by_role("button", name="Resume the job").click()
    expect(page).to_have_url(re.compile(rf"/jobs/{job.pk}/"))
    other.get_by_role("button", name="Resume the job").click()

    said = other.get_by_role("status").filter(has_text="You chose this already")
    expect(said).to_be_focused()
    assert count_of(job, EventKind.resumed) == 1


def test_two_tabs_start_a_job_once(page: Page, watch: Watch) -> None:
    job = make_job(5)
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"/jobs/{job.pk}/")
    for tab in (page, other):
        tab.get_by_role("button", name="Start: buy 5 labels").click()
        expect(tab.locator("#messages")).not_to_be_empty()

    assert count_of(job, EventKind.started) == 1
    assert job.runs.count() == 1
