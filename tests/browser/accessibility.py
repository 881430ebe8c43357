"""Whether a page can be used by everybody: axe-core's rules, and no sideways scrolling."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# WCAG 2.0 to 2.2, levels A and AA, and axe-core's best practices.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_AXE = Axe()


def assert_accessible(page: Page) -> None:
    """axe-core finds nothing on the page as it stands. Its script comes through the browser's debugging interface,
    which the page's policy doesn't concern; so the policy needs no exception, and its violations are still seen.
    """
    options = {"runOnly": {"type": "tag", "values": _RULES}, "resultTypes": ["violations"]}
    found = _AXE.run(page, options=options).response["violations"]
    said = [
        f"{violation['id']}: {violation['help']}\n  {node['html']}\n  {node['failureSummary']}"
        for violation in found
        for node in violation["nodes"]
    ]
    assert not said, "\n".join([page.url, *said])


def assert_fits(page: Page) -> None:
    """The page is no wider than its window."""
    too_wide = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            const wide = [...document.querySelectorAll("body *")].filter((each) => {
                const box = each.getBoundingClientRect();
                return box.width && box.right > width + 1;
            });
            return wide.slice(0, 5).map((each) => each.outerHTML.slice(0, 200));
        }"""
    )
    assert not too_wide, "\n".join([f"{page.url} is wider than its window:", *too_wide])
