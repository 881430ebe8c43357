"""axe-core finds nothing on any page in any state, and no page is wider than its window."""

from functools import partial

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.accessibility import assert_accessible, assert_fits
from tests.browser.conftest import LAPTOP, PHONE, NewWindow
from tests.browser.gallery import addresses
from tests.browser.watching import Watch
from tests.factories import make_interrupted_job
from tests.support.states import make_jobs, make_uploads

LOOKS = [
    pytest.param({"viewport": LAPTOP, "color_scheme": "light"}, id="laptop-light"),
    pytest.param({"viewport": PHONE, "color_scheme": "dark"}, id="phone-dark"),
]
NARROW: ViewportSize = {"width": 320, "height": 640}


@pytest.fixture(params=LOOKS)
def looks_in(new_window: NewWindow, request: pytest.FixtureRequest) -> NewWindow:
    """Open a window of one of the looks."""
    return partial(new_window, **request.param)


def _complaints(page: Page, paths: list[str]) -> list[str]:
    """What is wrong with each page, all of it at once; a phone's also as narrow as can be."""
    found = []
    for path in paths:
        page.goto(path)
        checks = [assert_accessible, assert_fits]
        if page.viewport_size == PHONE:
            checks.append(_assert_fits_at_400_percent)
        for check in checks:
            try:
                check(page)
            except AssertionError as complaint:
                found.append(str(complaint))
    return found


def _assert_fits_at_400_percent(page: Page) -> None:
    """WCAG 2.2, 1.4.10: 320 pixels are a window of 1280 pixels at a zoom of 400 %."""
    page.set_viewport_size(NARROW)
    assert_fits(page)
    page.set_viewport_size(PHONE)


def test_nothing_is_wrong_with_any_page_in_any_state(looks_in: NewWindow, clerk: User, watch: Watch) -> None:
    watch.expect(404)
    paths = list(addresses(make_jobs(clerk), make_uploads(clerk)))
    complaints = _complaints(looks_in(clerk), paths)
    assert not complaints, "\n\n".join(complaints)


def test_nothing_is_wrong_for_somebody_who_may_only_look_or_not_even_that(
    looks_in: NewWindow, clerk: User, viewer: User, outsider: User, watch: Watch
) -> None:
    watch.expect(403)
    job = make_interrupted_job(6, completed=2, created_by=clerk)
    looking = [f"/jobs/{job.pk}/", f"/recovery/{job.pk}/", f"/recovery/{job.pk}/review/", f"/jobs/{job.pk}/cancel/"]
    complaints = [
        *_complaints(looks_in(viewer), looking),
        *_complaints(looks_in(outsider), ["/"]),
        *_complaints(looks_in(), ["/login/", "/recovery/"]),
    ]
    assert not complaints, "\n\n".join(complaints)


def test_nothing_is_wrong_with_the_dialogs(looks_in: NewWindow, clerk: User) -> None:
    job = make_interrupted_job(6, completed=2, created_by=clerk)
    page = looks_in(clerk)
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
