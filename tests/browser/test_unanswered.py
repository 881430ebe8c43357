"""What a page says when the server fails: about a click until the next one, about looking again until that works."""

from playwright.sync_api import Page, expect

from shipping.states import JobStatus
from tests.browser.shipping import fresh
from tests.browser.watching import Watch
from tests.factories import make_job, make_live_run

CERTAIN = "it will show whether your last click was carried out"
STALE = "What this page shows may be out of date"


def _forgive_htmx(watch: Watch) -> None:
    """htmx writes failed requests to the console; they are what these tests are about."""
    watch.troubles[:] = [trouble for trouble in watch.troubles if "Response Status Error Code" not in trouble]


def test_what_a_click_met_with_stays_while_the_page_looks_again(page: Page, watch: Watch) -> None:
    watch.expect(503)
    job = make_job(5, status=JobStatus.running)
    make_live_run(job)
    page.goto(f"/jobs/{job.pk}/")
    page.route(f"**/jobs/{job.pk}/pause/", lambda route: route.fulfill(status=503))
    page.get_by_role("button", name="Pause").click()
    problem = page.locator("#problem")
    expect(problem).to_contain_text(CERTAIN)

    for _look in range(2):
        with page.expect_response(lambda response: f"/jobs/{job.pk}/?" in response.url and response.ok):
            pass
    expect(problem).to_contain_text(CERTAIN)

    page.unroute(f"**/jobs/{job.pk}/pause/")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#messages")).not_to_be_empty()
    expect(problem).to_be_empty()
    assert fresh(job).status == JobStatus.paused
    _forgive_htmx(watch)


def test_a_look_that_fails_says_nothing_of_clicks_and_is_taken_back_by_one_that_works(page: Page, watch: Watch) -> None:
    watch.expect(503)
    job = make_job(5, status=JobStatus.running)
    make_live_run(job)
    page.goto(f"/jobs/{job.pk}/")
    looks = f"**/jobs/{job.pk}/?seen=*"
    page.route(looks, lambda route: route.fulfill(status=503))
    problem = page.locator("#problem")
    expect(problem).to_contain_text(STALE)
    expect(problem).not_to_contain_text("click")

    page.unroute(looks)
    expect(problem).to_be_empty()
    _forgive_htmx(watch)
