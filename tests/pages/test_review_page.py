"""The page where a person decides rows in review, and failed ones."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from recovery import review_many
from recovery.review import skip
from recovery.shown import sign_row
from shipping.carriers.port import Purchase
from shipping.carriers.registry import get_carrier
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.wire import Wire
from shipping.models import Job
from shipping.models.clock import NEVER
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus
from tests.factories import carrier_order, claim_row, fail_row, make_interrupted_job, make_job, row_of, set_aside
from tests.support.ledger import assert_counters_equal_rows
from tests.support.processes import wait_until
from tests.support.sandbox import SandboxProcess
from tests.views.conftest import browser_of
from tests.views.reading import HTMX, hidden, tags, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(db: None) -> Job:
    """Row 2 is in review; row 3 failed."""
    job = make_interrupted_job(4, completed=1)
    set_aside(row_of(job, 2), answer="No such shipment on record.")
    fail_row(row_of(job, 3), message="No such street.")
    return job


def _shown(browser: Client, job: Job, number: int, query: str = "") -> str:
    page = browser.get(f"/recovery/{job.pk}/review/{query}")
    return hidden(page, "shown", action=f"/recovery/{job.pk}/rows/{number}/")


def _bought_at_the_carrier(job: Job, number: int) -> Purchase:
    """The real sandbox sold a row's label under its handle, and our books do not know."""
    row = row_of(job, number)
    order = carrier_order(row, job)
    carrier = get_carrier("sandbox")
    prepared = carrier.prepare(order, timeout=5)
    job.rows.filter(pk=row.pk).update(handle=prepared.handle)
    return carrier.buy(order, prepared.handle, prepared.details, timeout=5)


def test_it_shows_what_was_sent_and_what_the_carrier_said(browser: Client, job: Job) -> None:
    page = text(browser.get(f"/recovery/{job.pk}/review/"))

    assert "Row 2: Recipient 2" in page
    assert str(row_of(job, 2).handle) in page
    assert "No such shipment on record." in page
    assert "Recipient 3" not in page


def test_failed_rows_have_their_own_list(browser: Client, job: Job) -> None:
    page = text(browser.get(f"/recovery/{job.pk}/review/?status=failed"))

    assert "Row 3: Recipient 3" in page
    assert "No such street." in page
    assert "record_bought" not in page


@pytest.mark.parametrize(("decision", "status"), [("send_again", RowStatus.pending), ("skip", RowStatus.skipped)])
def test_a_decision_is_carried_out_and_remembered(
    browser: Client, clerk: User, job: Job, decision: str, status: RowStatus
) -> None:
    form = {"shown": _shown(browser, job, 2), "decision": decision, "reason": "Asked by telephone"}

    page = browser.post(f"/recovery/{job.pk}/rows/2/", form, follow=True)

    assert page.redirect_chain == [(f"/recovery/{job.pk}/review/", 302)]
    assert row_of(job, 2).status == status
    event = job.events.get(kind__in=[EventKind.resolved, EventKind.skipped])
    assert (event.actor, event.details["reason"]) == (clerk, "Asked by telephone")


def test_a_failed_row_can_be_tried_again(browser: Client, job: Job) -> None:
    form = {"shown": _shown(browser, job, 3, "?status=failed"), "decision": "send_again"}

    browser.post(f"/recovery/{job.pk}/rows/3/", form)

    assert row_of(job, 3).status == RowStatus.pending


def test_htmx_gets_the_row_as_it_is_then_with_word_of_what_was_done(browser: Client, job: Job) -> None:
    form = {"shown": _shown(browser, job, 2), "decision": "skip", "back": "status=needs_review"}

    response = browser.post(f"/recovery/{job.pk}/rows/2/", form, headers=HTMX)

    page = text(response)
    assert row_of(job, 2).status == RowStatus.skipped
    assert "Row 2 is left out." in page
    assert [each["id"] for each in tags(response, "article")] == ["row-2"]
    assert "autofocus" in next(each for each in tags(response, "p") if "message" in each.get("class", ""))
    swapped = {each["id"] for name in ("nav", "div") for each in tags(response, name) if "hx-swap-oob" in each}
    assert swapped == {"review-tabs", "review-news"}
    assert not [each for each in tags(response, "button") if each.get("name") == "decision"]


def test_a_refusal_comes_back_to_htmx_with_the_row_as_it_is(browser: Client, job: Job) -> None:
    shown = _shown(browser, job, 2)
    skip(row_of(job, 2))

    page = text(
        browser.post(
            f"/recovery/{job.pk}/rows/2/", {"shown": shown, "decision": "send_again", "reason": "x"}, headers=HTMX
        )
    )

    assert "has changed since you were shown it" in page
    assert "Nothing has been changed." in page
    assert 'role="alert"' in page
    assert "Skipped" in page


def test_a_row_that_moved_meanwhile_is_left_alone(browser: Client, job: Job) -> None:
    shown = _shown(browser, job, 2)
    browser.post(f"/recovery/{job.pk}/rows/2/", {"shown": shown, "decision": "send_again", "reason": "No label"})

    page = browser.post(f"/recovery/{job.pk}/rows/2/", {"shown": shown, "decision": "skip"}, follow=True)

    assert "has changed since you were shown it" in text(page)
    assert row_of(job, 2).status == RowStatus.pending


def test_too_early_is_said_and_nothing_is_changed(browser: Client) -> None:
    job = make_interrupted_job(2)
    set_aside(row_of(job, 1), due_in=20.0)
    form = {"shown": _shown(browser, job, 1), "decision": "send_again", "reason": "No label"}

    page = text(browser.post(f"/recovery/{job.pk}/rows/1/", form, follow=True))

    assert "may still be on its way" in page
    assert row_of(job, 1).status == RowStatus.needs_review


@pytest.mark.parametrize(
    "fields", [{}, {"decision": "skip"}, {"decision": "skip", "shown": "forged"}, {"decision": "x"}]
)
def test_a_form_that_is_not_ours_changes_nothing(browser: Client, job: Job, fields: dict[str, str]) -> None:
    page = browser.post(f"/recovery/{job.pk}/rows/2/", fields, follow=True)

    assert "Nothing has been changed" in text(page)
    assert row_of(job, 2).status == RowStatus.needs_review


def test_what_was_shown_of_one_row_is_no_good_for_another(browser: Client, job: Job) -> None:
    set_aside(row_of(job, 4))
    shown = _shown(browser, job, 2)

    browser.post(f"/recovery/{job.pk}/rows/4/", {"shown": shown, "decision": "skip"})

    assert row_of(job, 4).status == RowStatus.needs_review


def test_who_may_not_decide_may_look(viewer: User, job: Job) -> None:
    client = browser_of(viewer)

    page = text(client.get(f"/recovery/{job.pk}/review/"))

    assert "You may look, but not decide." in page
    assert "<button name=" not in page
    assert client.post(f"/recovery/{job.pk}/rows/2/").status_code == 403


def test_a_row_that_is_not_there_is_not_found(browser: Client, job: Job) -> None:
    assert browser.post(f"/recovery/{job.pk}/rows/99/").status_code == 404


def test_rows_come_in_pages(browser: Client) -> None:
    job = make_job(25, status=JobStatus.running)
    for number in range(1, 26):
        fail_row(row_of(job, number))

    first = text(browser.get(f"/recovery/{job.pk}/review/?status=failed"))
    second = text(browser.get(f"/recovery/{job.pk}/review/?status=failed&after=10"))

    assert "Recipient 10<" in first
    assert "Recipient 11<" not in first
    assert "Recipient 11<" in second


def test_a_row_in_doubt_is_nobodys_to_decide_only_to_ask_about(browser: Client) -> None:
    job = make_interrupted_job(2)
    claim_row(row_of(job, 1), job.runs.get())

    response = browser.get(f"/recovery/{job.pk}/review/")

    page = text(response)
    assert "Rows in doubt" in page
    assert "nothing is decided about them by guess" in page
    assert not [each for each in tags(response, "button") if each.get("name") == "decision"]
    assert "Ask the carrier again" in page


@pytest.mark.parametrize("decision", ["record_bought", "void_bought", "send_again", "skip"])
def test_no_form_decides_a_row_in_doubt(browser: Client, decision: str) -> None:
    job = make_interrupted_job(2)
    row = claim_row(row_of(job, 1), job.runs.get(), due_in=-3600.0)
    form = {"shown": sign_row(row), "decision": decision, "reason": "Sure"}

    page = text(browser.post(f"/recovery/{job.pk}/rows/1/", form, follow=True))

    assert "Nothing has been changed" in page
    assert row_of(job, 1).status == RowStatus.in_flight


# --- Asking again --------------------------------------------------------------------------------------------


def _asked(job: Job) -> list[int]:
    """The numbers of the rows that a worker is to ask about now."""
    return list(
        job.rows.filter(ask_after__gt=0, ask_after__lt=NEVER).order_by("number").values_list("number", flat=True)
    )


def test_one_row_is_asked_about_and_its_history_says_so(browser: Client, clerk: User, job: Job) -> None:
    set_aside(row_of(job, 4))
    form = {"row": sign_row(row_of(job, 2)), "only_ticked": "1", "back": "row"}

    response = browser.post(f"/recovery/{job.pk}/review/ask/", form, headers=HTMX)

    assert "The carrier will be asked about 1 row." in text(response)
    assert _asked(job) == [2]
    event = job.events.get(kind=EventKind.check_requested)
    assert (event.row, event.actor) == (row_of(job, 2), clerk)


def test_ticked_rows_are_asked_about_or_all(browser: Client, job: Job) -> None:
    set_aside(row_of(job, 4))
    notes = [sign_row(row_of(job, number)) for number in (2, 4)]

    page = browser.post(f"/recovery/{job.pk}/review/ask/", {"row": notes[1:], "only_ticked": "1"}, follow=True)
    assert "asked about 1 row" in text(page)
    assert _asked(job) == [4]

    page = browser.post(f"/recovery/{job.pk}/review/ask/", {"row": notes}, follow=True)
    assert "asked about 2 rows" in text(page)
    assert _asked(job) == [2, 4]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"only_ticked": "1"}, "No row is ticked."),
        ({"only_ticked": "1", "row": "forged"}, "Nothing has been changed."),
    ],
)
def test_asking_about_nothing_says_so(browser: Client, job: Job, fields: dict[str, str], said: str) -> None:
    assert said in text(browser.post(f"/recovery/{job.pk}/review/ask/", fields, follow=True))
    assert _asked(job) == []


def test_asking_a_real_carrier_settles_the_row_and_the_page_tells(
    browser: Client, job: Job, sandbox: SandboxProcess
) -> None:
    bought = _bought_at_the_carrier(job, 2)
    address = f"/recovery/{job.pk}/review/?status=needs_review"
    seen = next(each for each in tags(browser.get(address), "div") if each.get("id") == "review-news")["hx-get"]
    assert browser.get(seen, headers=HTMX).status_code == 204

    browser.post(f"/recovery/{job.pk}/review/ask/", {"row": sign_row(row_of(job, 2)), "only_ticked": "1"})
    housekeeper = Housekeeper(Wire(2))
    # On a busy machine the first question may come to nothing; then it is asked again.
    wait_until(lambda: (housekeeper.round(), row_of(job, 2).label_id)[1], 60, what="the carrier's answer")

    assert "These rows have moved" in text(browser.get(seen, headers=HTMX))
    assert bought.tracking_number in text(browser.get(f"/jobs/{job.pk}/rows/2/"))


def test_a_reason_that_no_database_keeps_is_kept_without_what_it_can_not_keep(browser: Client, job: Job) -> None:
    fields = {"row": sign_row(row_of(job, 2)), "only_ticked": "1", "reason": "on\x00ce more"}
    assert browser.post(f"/recovery/{job.pk}/review/ask/", fields).status_code == 302
    assert job.events.get(kind=EventKind.check_requested).details["reason"] == "once more"


# --- Reasons, rights and what the carrier confirms -------------------------------------------------------------


@pytest.mark.parametrize("decision", ["send_again", "void_bought"])
def test_what_may_cost_money_needs_a_reason(browser: Client, job: Job, decision: str) -> None:
    form = {"shown": _shown(browser, job, 2), "decision": decision}

    page = text(browser.post(f"/recovery/{job.pk}/rows/2/", form, follow=True))

    assert "Please say why" in page
    assert row_of(job, 2).status == RowStatus.needs_review


def test_voiding_needs_its_own_right(clerk: User, job: Job) -> None:
    clerk.user_permissions.remove(*clerk.user_permissions.filter(codename="void_job"))
    browser = browser_of(User.objects.get(pk=clerk.pk))
    form = {"shown": _shown(browser, job, 2), "decision": "void_bought", "reason": "Not wanted"}

    assert 'value="void_bought"' not in text(browser.get(f"/recovery/{job.pk}/review/"))
    page = text(browser.post(f"/recovery/{job.pk}/rows/2/", form, follow=True))

    assert "Can void labels" in page
    assert row_of(job, 2).status == RowStatus.needs_review


def test_a_tracking_number_that_is_not_the_carriers_is_refused(
    browser: Client, job: Job, sandbox: SandboxProcess
) -> None:
    bought = _bought_at_the_carrier(job, 2)
    form = {"shown": _shown(browser, job, 2), "decision": "record_bought", "tracking_number": "9400"}

    page = text(browser.post(f"/recovery/{job.pk}/rows/2/", form, follow=True))
    assert f"You typed the tracking number 9400, but for row 2 the carrier sold {bought.tracking_number}." in page
    assert row_of(job, 2).status == RowStatus.needs_review

    browser.post(f"/recovery/{job.pk}/rows/2/", {**form, "tracking_number": bought.tracking_number})
    assert row_of(job, 2).status == RowStatus.completed


# --- Many rows -------------------------------------------------------------------------------------------------


def _many(browser: Client, job: Job, query: str, **fields: Any) -> Any:
    """Send the form for several rows as the page has it."""
    page = browser.get(f"/recovery/{job.pk}/review/?{query}")
    # The forms of single reasons stand before it.
    note = [each["value"] for each in tags(page, "input") if each.get("name") == "list"][-1]
    form = {"list": note, "scope": "all", "reason": "Street renamed", "back": query, **fields}
    return browser.post(f"/recovery/{job.pk}/review/many/", form, follow=True)


def test_ticked_rows_are_decided_and_the_others_stay(browser: Client, clerk: User, job: Job) -> None:
    fail_row(row_of(job, 4))
    ticked = [sign_row(row_of(job, 4))]

    page = _many(browser, job, "status=failed", scope="ticked", decision="send_again", row=ticked)

    assert "1 row will be bought." in text(page)
    assert page.redirect_chain == [(f"/recovery/{job.pk}/review/?status=failed", 302)]
    assert [row_of(job, number).status for number in (3, 4)] == [RowStatus.failed, RowStatus.pending]


def test_a_whole_list_is_decided_with_a_reason(browser: Client, clerk: User, job: Job) -> None:
    fail_row(row_of(job, 4))

    assert "Please say why" in text(_many(browser, job, "status=failed", decision="skip", reason=""))
    page = _many(browser, job, "status=failed", decision="skip")

    assert "2 rows are left out." in text(page)
    assert job.rows.filter(status=RowStatus.skipped).count() == 2
    assert_counters_equal_rows(job)


def test_rows_that_failed_for_the_same_reason_are_tried_again_together(browser: Client, job: Job) -> None:
    fail_row(row_of(job, 4), message="No such street.")
    page = browser.get(f"/recovery/{job.pk}/review/?status=failed")
    assert "<strong>2 rows</strong>: No such street." in text(page)

    note = hidden(page, "list", action=f"/recovery/{job.pk}/review/many/")
    form = {"list": note, "scope": "all", "decision": "send_again", "reason": "Street renamed"}
    assert "2 rows will be bought." in text(browser.post(f"/recovery/{job.pk}/review/many/", form, follow=True))
    assert [row_of(job, number).status for number in (3, 4)] == [RowStatus.pending, RowStatus.pending]


def test_the_rows_that_failed_like_another_have_a_list_of_their_own(browser: Client, job: Job) -> None:
    fail_row(row_of(job, 4), message="No such city.")

    page = text(browser.get(f"/recovery/{job.pk}/review/?status=failed&like=4"))

    assert "Row 4: Recipient 4" in page
    assert "Row 3: Recipient 3" not in page
    assert "These rows failed for the same reason: No such city." in page


def test_a_long_list_goes_on_by_itself_and_without_javascript(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_many, "CHUNK_ROWS", 2)
    monkeypatch.setattr(review_many, "SECONDS_A_REQUEST", -1.0)
    job = make_job(6, status=JobStatus.running)
    for number in range(1, 6):
        fail_row(row_of(job, number))

    page = _many(browser, job, "status=failed", decision="skip")

    requests = 1
    while "data-goes-on" in text(page):
        fields = {each["name"]: each["value"] for each in tags(page, "input") if each.get("type") == "hidden"}
        page = browser.post(f"/recovery/{job.pk}/review/many/", fields, follow=True)
        requests += 1
    assert requests == 3
    assert "5 rows are left out." in text(page)
    assert_counters_equal_rows(job)


@pytest.mark.parametrize(
    "fields",
    [
        {"list": "forged", "scope": "all", "decision": "skip", "reason": "x"},
        {"list": "", "scope": "all", "decision": "skip", "reason": "x"},
        {"scope": "ticked", "decision": "skip", "reason": "x"},
        {"scope": "ticked", "decision": "skip", "reason": "x", "row": "forged"},
        {"scope": "all", "decision": "restart", "reason": "x"},
    ],
)
def test_a_form_for_many_that_is_not_ours_changes_nothing(browser: Client, job: Job, fields: dict[str, str]) -> None:
    page = browser.get(f"/recovery/{job.pk}/review/?status=failed")
    note = hidden(page, "list", action=f"/recovery/{job.pk}/review/many/")

    answer = browser.post(f"/recovery/{job.pk}/review/many/", {"list": note, **fields}, follow=True)

    assert "Nothing has been changed." in text(answer)
    assert row_of(job, 3).status == RowStatus.failed


def test_the_list_of_one_job_is_no_good_for_another(browser: Client, job: Job) -> None:
    other = make_interrupted_job(2)
    note = hidden(
        browser.get(f"/recovery/{job.pk}/review/?status=failed"), "list", action=f"/recovery/{job.pk}/review/many/"
    )
    form = {"list": note, "scope": "all", "decision": "skip", "reason": "x"}

    browser.post(f"/recovery/{other.pk}/review/many/", form)

    assert row_of(job, 3).status == RowStatus.failed


# --- Correcting ------------------------------------------------------------------------------------------------


def _correct(browser: Client, job: Job, number: int, **fields: str) -> Any:
    page = browser.get(f"/recovery/{job.pk}/rows/{number}/order/")
    form = {each["name"]: each.get("value", "") for each in tags(page, "input") if each["name"] != "q"}
    return browser.post(f"/recovery/{job.pk}/rows/{number}/order/", {**form, **fields}, follow=True)


def test_the_carriers_words_stand_beside_their_field(browser: Client) -> None:
    job = make_interrupted_job(2)
    fail_row(row_of(job, 1), message="Unable to verify address; to_address.zip: no such code.")

    page = browser.get(f"/recovery/{job.pk}/rows/1/order/")

    field = next(each for each in tags(page, "input") if each["name"] == "to_zip")
    assert field["aria-describedby"] == "id_to_zip_carrier"
    assert '<p class="message warning" id="id_to_zip_carrier"><strong>The carrier said:</strong> no such code.' in text(
        page
    )
    assert "<strong>The carrier said:</strong> Unable to verify address" in text(page)


def test_a_corrected_row_waits_to_be_bought(browser: Client, clerk: User, job: Job) -> None:
    page = _correct(browser, job, 3, to_street1="3 Larimer Street", reason="By telephone")

    assert page.redirect_chain == [(f"/jobs/{job.pk}/rows/3/", 302)]
    assert "Row 3 has its new order and will be bought." in text(page)
    assert (row_of(job, 3).status, row_of(job, 3).order["to_street1"]) == (RowStatus.pending, "3 Larimer Street")
    assert job.events.get(kind=EventKind.corrected).actor == clerk


def test_what_the_checks_say_stands_beside_the_fields_and_what_was_typed_stays(browser: Client, job: Job) -> None:
    page = _correct(browser, job, 3, to_zip="1027", to_city="Boulder")

    assert page.status_code == 200
    assert "A spreadsheet may have dropped a leading zero: then it is 01027." in text(page)
    typed = {each["name"]: each.get("value", "") for each in tags(page, "input")}
    assert (typed["to_zip"], typed["to_city"]) == ("1027", "Boulder")
    assert row_of(job, 3).status == RowStatus.failed


def test_a_correction_of_what_moved_meanwhile_is_refused(browser: Client, job: Job) -> None:
    page = browser.get(f"/recovery/{job.pk}/rows/3/order/")
    form = {each["name"]: each.get("value", "") for each in tags(page, "input") if each["name"] != "q"}
    skip(row_of(job, 3))

    page = browser.post(f"/recovery/{job.pk}/rows/3/order/", {**form, "to_city": "Boulder"})

    assert page.status_code == 409
    assert row_of(job, 3).status == RowStatus.skipped


def test_a_row_whose_order_can_not_be_changed_says_why(browser: Client, job: Job) -> None:
    page = text(browser.get(f"/recovery/{job.pk}/rows/1/order/"))

    assert "Row 1 was bought with this order." in page
    assert "Save and have it bought" not in page


# --- The whole desk --------------------------------------------------------------------------------------------


def test_decisions_of_all_jobs_are_listed(browser: Client, job: Job) -> None:
    waiting = make_job(2, name="Winter catalogue", status=JobStatus.running)
    set_aside(row_of(waiting, 2))
    make_job(2, name="Nothing to decide")
    over = make_job(2, name="Over and done", status=JobStatus.running)
    fail_row(row_of(over, 1))
    JobService().cancel(over.pk)

    page = text(browser.get("/recovery/review/"))

    assert f'href="/recovery/{job.pk}/review/"' in page
    assert f'href="/recovery/{waiting.pk}/review/"' in page
    assert "Nothing to decide" not in page
    assert "Over and done" not in page


def test_with_nothing_to_decide_the_list_says_so(browser: Client) -> None:
    assert "Nothing waits for a decision" in text(browser.get("/recovery/review/"))


@pytest.mark.parametrize("query", ["", "?status=failed", "?status=doubt", "?status=failed&like=1"])
def test_the_queries_of_the_desk_do_not_grow_with_its_rows(browser: Client, query: str) -> None:
    counts = []
    for rows in (3, 60):
        job = make_interrupted_job(rows, completed=0)
        for number in range(1, rows + 1):
            become = (fail_row, set_aside, claim_row)[number % 3 - 1]
            become(row_of(job, number))
        with CaptureQueriesContext(connection) as captured:
            browser.get(f"/recovery/{job.pk}/review/{query}")
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 24


def test_the_queries_of_the_list_of_all_jobs_do_not_grow(browser: Client) -> None:
    counts = []
    for jobs in (1, 6):
        for _each in range(jobs):
            set_aside(row_of(make_job(2, status=JobStatus.running), 1))
        with CaptureQueriesContext(connection) as captured:
            browser.get("/recovery/review/")
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 20
