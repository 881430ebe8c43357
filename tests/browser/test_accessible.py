"""axe-core finds nothing on any page in any state, and no page is wider than its window."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.browser.accessibility import assert_accessible, assert_fits
from tests.browser.conftest import LAPTOP, PHONE, NewWindow
from tests.browser.states import addresses, make_jobs
from tests.browser.watching import Watch
from tests.factories import make_interrupted_job

LOOKS = [
    pytest.param({"viewport": LAPTOP, "color_scheme": "light"}, id="laptop-light"),
    pytest.param({"viewport": PHONE, "color_scheme": "dark"}, id="phone-dark"),
]
NARROW = {"width": 320, "height": 640}


def _complaints(page: Page, paths: list[str]) -> list[str]:
    """What is wrong with each page, all of it at once."""
    found = []
    for path in paths:
        page.goto(path)
        for check in (assert_accessible, assert_fits):
            try:
                check(page)
            except AssertionError as complaint:
                found.append(str(complaint))
    return found


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_is_wrong_with_any_page_in_any_state(
    new_window: NewWindow, clerk: User, watch: Watch, look: dict[str, Any]
) -> None:
    watch.expect(404)
    jobs = make_jobs(clerk)
    complaints = _complaints(new_window(clerk, **look), list(addresses(jobs)))
    assert not complaints, "\n\n".join(complaints)


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_is_wrong_for_somebody_who_may_only_look_or_not_even_that(
    new_window: NewWindow, clerk: User, viewer: User, outsider: User, watch: Watch, look: dict[str, Any]
) -> None:
    watch.expect(403)
    job = make_interrupted_job(6, completed=2, created_by=clerk)
    looking = [f"/jobs/{job.pk}/", f"/recovery/{job.pk}/", f"/recovery/{job.pk}/review/", f"/jobs/{job.pk}/cancel/"]
    complaints = [
        *_complaints(new_window(viewer, **look), looking),
        *_complaints(new_window(outsider, **look), ["/"]),
        *_complaints(new_window(None, **look), ["/login/", "/recovery/"]),
    ]
    assert not complaints, "\n\n".join(complaints)


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_is_wrong_with_the_dialogs(new_window: NewWindow, clerk: User, look: dict[str, Any]) -> None:
    job = make_interrupted_job(6, completed=2, created_by=clerk)
    page = new_window(clerk, **look)
    page.goto(f"/recovery/{job.pk}/")
    page.locator("#restart").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    dialog.get_by_label("Type the number").fill("99")
    dialog.get_by_role("button", name="Buy 2 labels again").click()
    expect(dialog.get_by_role("alert").filter(has_text="99")).to_be_visible()
    assert_accessible(page)


def test_the_pages_fit_a_window_of_320_pixels(new_window: NewWindow, clerk: User, watch: Watch) -> None:
    """As WCAG 2.2 asks (1.4.10): as narrow as a window of 1280 pixels at a zoom of 400 %."""
    watch.expect(404)
    jobs = make_jobs(clerk)
    page = new_window(clerk, viewport=NARROW)
    complaints = []
    for path in addresses(jobs):
        page.goto(path)
        try:
            assert_fits(page)
        except AssertionError as complaint:
            complaints.append(str(complaint))
    assert not complaints, "\n\n".join(complaints)
