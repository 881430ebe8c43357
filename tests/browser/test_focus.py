"""By keyboard alone, and where the focus is after every dialog."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from shipping.models import Job
from tests.browser.shipping import fresh
from tests.factories import complete_row, make_interrupted_job, make_job, row_of


@pytest.fixture
def job() -> Job:
    """Interrupted after two of five labels."""
    return make_interrupted_job(5, completed=2)


def _reach(page: Page, target: Locator, *, key: str = "Tab", at_most: int = 60) -> None:
    """Press the key until the target has the focus; something that is focused can be seen."""
    for _press in range(at_most):
        page.keyboard.press(key)
        if target.evaluate("element => element === document.activeElement"):
            expect(target).to_be_in_viewport()
            return
    raise AssertionError(f"{key} does not lead to {target}")


def _open_restart(page: Page, job: Job) -> Locator:
    page.goto(f"/recovery/{job.pk}/")
    _reach(page, page.locator("#restart"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def test_the_first_tab_leads_past_the_header_to_the_content(page: Page, job: Job) -> None:
    page.goto(f"/jobs/{job.pk}/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


@pytest.mark.parametrize("way_out", ["Escape", "button"])
def test_a_dialog_takes_the_focus_and_gives_it_back(page: Page, job: Job, way_out: str) -> None:
    dialog = _open_restart(page, job)
    assert dialog.evaluate("element => element.contains(document.activeElement)")
    if way_out == "button":
        _reach(page, dialog.get_by_role("button", name="Back, change nothing"))
        page.keyboard.press("Enter")
    else:
        page.keyboard.press("Escape")

    expect(dialog).to_have_count(0)
    expect(page.locator("#restart")).to_be_focused()
    assert fresh(job).epoch == job.epoch


def test_the_focus_can_not_leave_an_open_dialog_for_the_page_behind(page: Page, job: Job) -> None:
    dialog = _open_restart(page, job)
    for _press in range(15):
        page.keyboard.press("Tab")
        assert dialog.evaluate(
            "element => element.contains(document.activeElement) || document.activeElement === document.body"
        )


def test_a_wrong_number_leaves_the_focus_in_its_field_with_its_error(page: Page, job: Job) -> None:
    dialog = _open_restart(page, job)
    field = dialog.get_by_label("Type the number")
    _reach(page, field)
    page.keyboard.type("7")
    page.keyboard.press("Enter")

    expect(dialog.get_by_role("alert").filter(has_text="You typed “7”, but it is 2.")).to_be_visible()
    expect(field).to_be_focused()
    described = field.get_attribute("aria-describedby")
    assert described
    assert "error" in described
    assert fresh(job).epoch == job.epoch


def test_a_refused_restart_brings_the_focus_to_what_is_new_and_then_back_to_the_page(page: Page, job: Job) -> None:
    dialog = _open_restart(page, job)
    complete_row(row_of(job, 3))
    _reach(page, dialog.get_by_label("Type the number"))
    page.keyboard.type("3")
    page.keyboard.press("Enter")

    expect(dialog.get_by_role("alert").first).to_be_visible()
    assert dialog.evaluate("element => element.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(page.locator("#restart")).to_be_focused()
    assert fresh(job).epoch == job.epoch


def test_a_job_is_started_by_keyboard_and_the_focus_is_where_it_is_told(page: Page) -> None:
    job = make_job(5)
    page.goto(f"/jobs/{job.pk}/")
    _reach(page, page.get_by_role("button", name="Start: buy 5 labels"))
    page.keyboard.press("Enter")

    expect(page.locator("#messages")).not_to_be_empty()
    expect(page.locator("#messages")).to_be_focused()


def test_a_choice_by_keyboard_ends_on_the_page_of_the_job(page: Page, job: Job) -> None:
    page.goto(f"/recovery/{job.pk}/")
    _reach(page, page.get_by_role("button", name="Resume the job"))
    page.keyboard.press("Space")

    expect(page).to_have_url(re.compile(rf"/jobs/{job.pk}/"))
    expect(page.locator("#messages")).to_contain_text("Resuming")
