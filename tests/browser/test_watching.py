"""The watch over the windows sees what it is there for."""

import re

import pytest
from playwright.sync_api import Page

from tests.browser.accessibility import assert_accessible, assert_fits
from tests.browser.watching import Watch

INLINE = """
    const script = document.createElement("script");
    script.textContent = "1";
    document.body.append(script);
"""


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("console.error('a bug')", "console error at .*: a bug"),
        ("setTimeout(() => { throw new Error('a bug') })", "uncaught error: .*a bug"),
        (INLINE, "Content Security Policy"),
        ("new Image().src = 'http://elsewhere.example/pixel'", "Content Security Policy"),
        ("location.href = 'http://elsewhere.example/'", "a request left the host: http://elsewhere.example/"),
        ("fetch('/nowhere/')", "404 in answer to GET .*/nowhere/"),
    ],
)
def test_it_notices(page: Page, watch: Watch, deed: str, said: str) -> None:
    page.goto("/")
    page.evaluate(f"() => {{ {deed} }}")
    for _turn in range(100):
        if any(re.search(said, trouble) for trouble in watch.troubles):
            break
        page.wait_for_timeout(50)

    troubles = "\n".join(watch.troubles)
    watch.troubles.clear()
    assert re.search(said, troubles)


def test_axe_finds_what_is_wrong(page: Page) -> None:
    page.goto("/")
    page.evaluate("document.querySelector('h1').outerHTML = '<p><img src=\"/static/icon.svg\">Jobs</p>'")

    with pytest.raises(AssertionError, match="image-alt"):
        assert_accessible(page)


def test_a_page_that_scrolls_sideways_is_named(page: Page) -> None:
    page.goto("/")
    page.evaluate("document.querySelector('h1').style.minWidth = '3000px'")

    with pytest.raises(AssertionError, match="wider than its window"):
        assert_fits(page)
