"""The page of one row."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from recovery.corrections import correct
from shipping.models import Job, Row
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus
from tests.engine.letters import answer, claim_letter, purchase
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    make_interrupted_job,
    make_job,
    make_live_run,
    row_of,
    set_aside,
    skip_row,
)
from tests.views.conftest import browser_of
from tests.views.reading import hidden, tags, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> JobService:
    return JobService()


def page_of(browser: Client, job: Job, number: int) -> str:
    return text(browser.get(f"/jobs/{job.pk}/rows/{number}/"))


def buttons(browser: Client, job: Job, number: int) -> set[str]:
    """The decisions that the page offers."""
    page = browser.get(f"/jobs/{job.pk}/rows/{number}/")
    return {button["value"] for button in tags(page, "button") if button.get("name") == "decision"}


def test_it_shows_the_order_as_it_is_sent_and_what_was_kept(browser: Client) -> None:
    job = make_job(3)
    Row.objects.filter(job=job, number=2).update(extra={"Gift note": "With <love>"})

    page = page_of(browser, job, 2)

    for part in ("Row 2: Recipient 2", "2 Market Street", "80202", "ORDER-2", "Gift note", "With &lt;love&gt;"):
        assert part in page
    assert job.reference(2, 1) in page


def test_it_shows_every_label_with_its_cost(browser: Client) -> None:
    job = make_interrupted_job(3)
    label = complete_row(row_of(job, 1), cost_cents=812)

    page = page_of(browser, job, 1)

    assert label.tracking_number in page
    assert "$8.12" in page
    assert f"/labels/{label.pk}/" in page


def test_what_is_settled_is_not_followed_by_an_older_doubt(browser: Client) -> None:
    job = make_job(2, status=JobStatus.running)
    for number in (1, 2):
        set_aside(row_of(job, number), answer="The carrier was down.")
    complete_row(row_of(job, 1))

    assert "The carrier was down." not in page_of(browser, job, 1)
    assert "The carrier was down." in page_of(browser, job, 2)


def test_the_history_tells_what_was_changed_and_by_whom(browser: Client, clerk: User) -> None:
    job = make_interrupted_job(3)
    fail_row(row_of(job, 2))
    correct(row_of(job, 2), {"to_street1": "9 <Larimer> Street"}, actor=clerk, reason="By telephone")

    page = page_of(browser, job, 2)

    assert "Order corrected" in page
    assert "by clerk" in page
    assert "By telephone" in page
    assert "<del>2 Market Street</del>" in page
    assert "<ins>9 &lt;Larimer&gt; Street</ins>" in page


def test_a_label_of_the_order_as_it_was_before_says_so(browser: Client, clerk: User) -> None:
    job = make_interrupted_job(2)
    claim_row(row_of(job, 1))
    fail_row(row_of(job, 1))
    late = claim_letter(row_of(job, 1))
    Row.objects.filter(job=job, number=1).update(handle=None)
    correct(row_of(job, 1), {"to_street1": "9 Larimer Street"}, actor=clerk)
    answer(late, purchase(late))

    page = page_of(browser, job, 1)

    assert "Bought at attempt 1, before the row was bought again or its order changed." in page
    assert "Label recorded late" in page


def _waiting(row: Row) -> None:
    assert row.status == RowStatus.pending


def _in_doubt(row: Row) -> None:
    claim_row(row)


def _being_bought(row: Row) -> None:
    claim_row(row, make_live_run(row.job))


def _too_early(row: Row) -> None:
    set_aside(row, due_in=3600.0)


@pytest.mark.parametrize(
    ("becomes", "offered", "may_ask", "may_correct", "said"),
    [
        (_waiting, set(), False, True, "It waits for its turn."),
        (_being_bought, set(), False, False, "A worker waits for the carrier's answer right now."),
        (_in_doubt, set(), True, False, "only asking the carrier helps"),
        (set_aside, {"record_bought", "send_again", "skip", "void_bought"}, True, False, "could not say"),
        (_too_early, {"record_bought", "void_bought"}, True, False, "can't be said before"),
        (fail_row, {"send_again", "skip"}, False, True, "The address was not found."),
        (skip_row, set(), False, False, "It was left out"),
        (complete_row, set(), False, False, "only a restart buys it again"),
    ],
)
def test_it_offers_what_can_be_done_and_nothing_else(
    browser: Client, *, becomes: Any, offered: set[str], may_ask: bool, may_correct: bool, said: str
) -> None:
    job = make_interrupted_job(4)
    becomes(row_of(job, 2))

    page = page_of(browser, job, 2)

    assert said in page
    assert buttons(browser, job, 2) == offered
    assert (f"/recovery/{job.pk}/review/ask/" in page) == may_ask
    assert (f"/recovery/{job.pk}/rows/2/order/" in page) == may_correct


def test_in_a_job_that_is_over_a_failed_row_can_only_be_left_out(browser: Client, service: JobService) -> None:
    job = make_interrupted_job(3)
    fail_row(row_of(job, 2))
    service.cancel(job.pk)

    assert buttons(browser, job, 2) == {"skip"}
    assert "The job is over" in page_of(browser, job, 2)


def test_a_decision_leads_back_to_the_row(browser: Client) -> None:
    job = make_interrupted_job(3)
    fail_row(row_of(job, 2))
    shown = hidden(browser.get(f"/jobs/{job.pk}/rows/2/"), "shown", action=f"/recovery/{job.pk}/rows/2/")

    form = {"shown": shown, "decision": "send_again", "back": "row"}
    page = browser.post(f"/recovery/{job.pk}/rows/2/", form, follow=True)

    assert page.redirect_chain == [(f"/jobs/{job.pk}/rows/2/", 302)]
    assert "Row 2 will be bought." in text(page)
    assert row_of(job, 2).status == RowStatus.pending


def test_a_row_that_is_not_there_is_not_found(browser: Client) -> None:
    job = make_job(2)
    for address in (
        f"/jobs/{job.pk}/rows/3/",
        "/jobs/999/rows/1/",
        f"/jobs/{job.pk}/rows/{'9' * 30}/",
        f"/jobs/{'9' * 30}/rows/1/",
    ):
        assert browser.get(address).status_code == 404


def test_who_may_only_look_is_offered_nothing(viewer: User) -> None:
    job = make_interrupted_job(3)
    set_aside(row_of(job, 2))

    page = page_of(browser_of(viewer), job, 2)

    assert "Row 2: Recipient 2" in page
    assert '<button name="decision"' not in page
    assert "/order/" not in page


def test_the_queries_do_not_grow_with_the_rows_or_their_history(browser: Client, clerk: User) -> None:
    counts = []
    for rows, corrections in ((2, 1), (60, 5)):
        job = make_job(rows, status=JobStatus.running)
        make_live_run(job)
        for number in range(1, corrections + 1):
            correct(row_of(job, 1), {"to_street2": f"Floor {number}"}, actor=clerk)
        with CaptureQueriesContext(connection) as captured:
            browser.get(f"/jobs/{job.pk}/rows/1/")
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 20


def test_a_get_changes_nothing(browser: Client) -> None:
    job = make_interrupted_job(3)
    set_aside(row_of(job, 2))
    before = (list(Row.objects.order_by("pk").values()), list(Job.objects.values()), job.events.count())

    page_of(browser, job, 2)

    assert (list(Row.objects.order_by("pk").values()), list(Job.objects.values()), job.events.count()) == before
