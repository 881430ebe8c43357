"""Coming in, and going out."""

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewWindow
from tests.factories import make_job


def test_a_stranger_signs_in_by_keyboard_and_comes_to_the_page_that_was_asked_for(
    new_window: NewWindow, clerk: User
) -> None:
    job = make_job(3)
    page = new_window()
    page.goto(f"/jobs/{job.pk}/")
    expect(page).to_have_title("Sign in · Onceship")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("clerk")
    page.keyboard.press("Tab")
    page.keyboard.type("clerk")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text(job.name)


def test_who_signs_out_is_out_in_every_tab(page: Page) -> None:
    other = page.context.new_page()
    other.goto("/")
    page.goto("/")
    page.locator("header summary", has_text="clerk").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · Onceship")

    other.reload()
    expect(other).to_have_title("Sign in · Onceship")
