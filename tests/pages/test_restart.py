"""The restart: a modal through htmx, a page without, and nothing bought twice by accident."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from shipping.models import Job
from shipping.services import JobService
from shipping.states import EventKind, Sweep
from tests.factories import complete_row, make_interrupted_job, row_of
from tests.views.reading import HTMX, hidden, tags, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(db: None) -> Job:
    return make_interrupted_job(20, completed=7, cost_cents=1000)


def _fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def _address(job: Job) -> str:
    return f"/recovery/{job.pk}/restart/"


def _send(browser: Client, job: Job, headers: dict[str, str] | None = None, /, **fields: str) -> Any:
    shown = browser.get(_address(job), headers=headers or {})
    fields = {"confirmation": hidden(shown, "confirmation", action=_address(job)), **fields}
    return browser.post(_address(job), fields, headers=headers or {})


def test_the_recovery_page_opens_it_as_a_modal_in_the_one_root(browser: Client, job: Job) -> None:
    page = browser.get(f"/recovery/{job.pk}/")

    opener = next(each for each in tags(page, "a") if each.get("id") == "restart")
    assert opener["hx-get"] == opener["href"] == _address(job)
    assert opener["hx-target"] == "#dialog-root"
    assert [each["id"] for each in tags(page, "div") if each.get("id") == "dialog-root"] == ["dialog-root"]


def test_htmx_gets_a_dialog_and_a_browser_without_script_the_same_form_as_a_page(browser: Client, job: Job) -> None:
    dialog, page = browser.get(_address(job), headers=HTMX), browser.get(_address(job))

    assert len(tags(dialog, "dialog")) == 1
    assert "<html" not in text(dialog)
    assert {"command": "close", "commandfor": "restart-dialog", "type": "button"} in tags(dialog, "button")
    assert len(tags(page, "h1")) == 1
    for response in (dialog, page):
        names = {each.get("name") for each in tags(response, "input")}
        assert {"csrfmiddlewaretoken", "confirmation", "void_first", "typed_rows", "reason"} <= names
        assert "HX-Request" in response["Vary"]


def test_it_names_the_rows_and_what_they_cost(browser: Client, job: Job) -> None:
    modal = text(browser.get(_address(job), headers=HTMX))

    assert "7 rows already have labels, and will get second ones." in modal
    assert f"Row 1: Recipient 1, {row_of(job, 1).label}, $10.00" in modal
    assert "and 2 more rows" in modal
    assert "Buys 7 labels again that cost $70.00" in modal
    assert "about $70.00" in modal


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("typed", ["6", "", "seven", "-7", "7.5", "77"])
def test_a_wrong_number_is_an_error_on_the_form_and_changes_nothing(
    browser: Client, job: Job, headers: dict[str, str], typed: str
) -> None:
    response = _send(browser, job, headers, typed_rows=typed)

    assert response.status_code == 200
    assert "Nothing has been changed." in text(response)
    assert bool(tags(response, "dialog")) == bool(headers)
    assert (_fresh(job).epoch, _fresh(job).sweep) == (job.epoch, Sweep.none)
    assert not job.events.exists()


def test_what_was_typed_comes_back_with_the_error(browser: Client, job: Job) -> None:
    response = _send(browser, job, typed_rows="6", reason="All were lost", void_first="on")

    assert "You typed “6”, but it is 7." in text(response)
    fields = {each.get("name"): each for each in tags(response, "input")}
    assert fields["reason"]["value"] == "All were lost"
    assert "checked" in fields["void_first"]


@pytest.mark.parametrize(("void", "voids_first"), [({}, False), ({"void_first": "on"}, True)])
def test_the_right_number_restarts_the_job(
    browser: Client, clerk: User, job: Job, void: dict[str, str], voids_first: bool
) -> None:
    newest = job.labels.order_by("-pk")[0]

    response = _send(browser, job, typed_rows="7", reason="All were lost", **void)

    assert (response.status_code, response["Location"]) == (302, f"/jobs/{job.pk}/")
    fresh = _fresh(job)
    assert (fresh.sweep, fresh.sweep_mark, fresh.sweep_void) == (Sweep.restart, newest.pk, voids_first)
    event = job.events.get(kind=EventKind.restarted)
    assert (event.actor, event.details["reason"]) == (clerk, "All were lost")


def test_through_htmx_the_browser_is_redirected_to_the_job(browser: Client, job: Job) -> None:
    response = _send(browser, job, HTMX, typed_rows="7")

    assert (response.status_code, response["HX-Redirect"]) == (200, f"/jobs/{job.pk}/")
    assert _fresh(job).sweep == Sweep.restart


def test_a_label_that_came_later_is_not_bought_again(browser: Client, job: Job) -> None:
    shown = browser.get(_address(job))
    newest = job.labels.order_by("-pk")[0]
    complete_row(row_of(job, 12), adopted=True)

    browser.post(
        _address(job), {"confirmation": hidden(shown, "confirmation", action=_address(job)), "typed_rows": "7"}
    )

    assert _fresh(job).sweep_mark == newest.pk


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_stale_facts_bring_the_form_back_with_the_new_ones_and_who_did_what(
    browser: Client, colleague: User, job: Job, headers: dict[str, str]
) -> None:
    shown = browser.get(_address(job))
    old = hidden(shown, "confirmation", action=_address(job))
    JobService().pause(job.pk, actor=colleague)
    complete_row(row_of(job, 8), cost_cents=1000)
    JobService().update_status(job.pk, "running", actor=colleague)

    response = browser.post(_address(job), {"confirmation": old, "typed_rows": "7"}, headers=headers)

    assert response.status_code == (200 if headers else 409)
    assert "colleague chose “started”" in text(response)
    assert "8 rows already have labels" in text(response)
    assert hidden(response, "confirmation", action=_address(job)) != old
    assert _fresh(job).sweep == Sweep.none


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("void", [{}, {"void_first": "on"}])
def test_stale_facts_ask_for_the_number_anew_and_keep_the_rest_of_what_was_sent(
    browser: Client, colleague: User, job: Job, headers: dict[str, str], void: dict[str, str]
) -> None:
    old = hidden(browser.get(_address(job)), "confirmation", action=_address(job))
    JobService().pause(job.pk, actor=colleague)
    JobService().update_status(job.pk, "running", actor=colleague)

    sent = {"confirmation": old, "typed_rows": "7", "reason": "All were lost", **void}
    response = browser.post(_address(job), sent, headers=headers)

    fields = {each.get("name"): each for each in tags(response, "input") if each.get("id", "").startswith("id_")}
    assert "value" not in fields["typed_rows"]
    assert fields["reason"]["value"] == "All were lost"
    assert ("checked" in fields["void_first"]) == bool(void)


def _page_behind(response: Any) -> str:
    """What the answer puts into the page behind its dialog."""
    dialog, _mark, behind = text(response).partition('<div hx-swap-oob="innerHTML:#main">')
    assert dialog.rstrip().endswith("</dialog>")
    return behind


def test_the_page_behind_a_dialog_that_came_back_is_brought_up_to_date(
    browser: Client, colleague: User, job: Job
) -> None:
    opened = browser.get(_address(job), headers=HTMX)
    JobService().pause(job.pk, actor=colleague)
    complete_row(row_of(job, 8), cost_cents=1000)
    JobService().update_status(job.pk, "running", actor=colleague)
    old = hidden(opened, "confirmation", action=_address(job))

    response = browser.post(_address(job), {"confirmation": old, "typed_rows": "7"}, headers=HTMX)

    assert _page_behind(opened) == ""
    assert "8 of 20 bought" in _page_behind(response)
    assert "alert" not in _page_behind(response)
    for choice in ("resume", "cancel"):
        address = f"/recovery/{job.pk}/{choice}/"
        shown = hidden(response, "confirmation", action=address)
        assert shown == hidden(browser.get(f"/recovery/{job.pk}/"), "confirmation", action=address)


def test_the_page_behind_tells_that_the_job_has_moved_on(browser: Client, colleague: User, job: Job) -> None:
    shown = hidden(browser.get(_address(job)), "confirmation", action=_address(job))
    JobService().resume(job.pk, actor=colleague)

    response = browser.post(_address(job), {"confirmation": shown, "typed_rows": "7"}, headers=HTMX)

    assert "has moved on" in _page_behind(response)
    assert f'href="/jobs/{job.pk}/"' in _page_behind(response)


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_job_that_went_on_meanwhile_says_who_chose_what(
    browser: Client, colleague: User, job: Job, headers: dict[str, str]
) -> None:
    shown = browser.get(_address(job))
    JobService().resume(job.pk, actor=colleague)

    response = browser.post(
        _address(job),
        {"confirmation": hidden(shown, "confirmation", action=_address(job)), "typed_rows": "7"},
        headers=headers,
    )

    assert response.status_code == (200 if headers else 409)
    assert bool(tags(response, "dialog")) == bool(headers)
    assert "colleague chose “resumed”" in text(response)
    assert _fresh(job).sweep == Sweep.none


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_pressed_twice_it_restarts_once_and_says_so_calmly(browser: Client, job: Job, headers: dict[str, str]) -> None:
    confirmation = hidden(browser.get(_address(job)), "confirmation", action=_address(job))
    sent = {"confirmation": confirmation, "typed_rows": "7"}
    browser.post(_address(job), sent, headers=headers)
    epoch = _fresh(job).epoch

    again = browser.post(_address(job), sent, headers=headers)

    assert again.status_code == (200 if headers else 409)
    assert "You chose this already" in text(again)
    assert _fresh(job).epoch == epoch
    assert job.events.filter(kind=EventKind.restarted).count() == 1


def test_it_says_that_the_second_labels_are_duplicates_and_what_they_cost(browser: Client, job: Job) -> None:
    modal = text(browser.get(_address(job), headers=HTMX))

    assert "The second ones are duplicates: about $70.00 more, on top of the $70.00 that the first ones cost." in modal


@pytest.mark.parametrize("confirmation", ["", "nonsense", "a:b:c"])
def test_a_forged_confirmation_changes_nothing(browser: Client, job: Job, confirmation: str) -> None:
    response = browser.post(_address(job), {"confirmation": confirmation, "typed_rows": "7"})

    assert response.status_code == 409
    assert _fresh(job).epoch == job.epoch


def test_the_confirmation_of_a_resume_is_no_good_for_a_restart(browser: Client, job: Job) -> None:
    page = browser.get(f"/recovery/{job.pk}/")
    confirmation = hidden(page, "confirmation", action=f"/recovery/{job.pk}/resume/")

    assert browser.post(_address(job), {"confirmation": confirmation, "typed_rows": "7"}).status_code == 409
    assert _fresh(job).sweep == Sweep.none


def test_without_labels_there_is_no_number_to_type(browser: Client) -> None:
    job = make_interrupted_job(5)

    assert 'name="typed_rows"' not in text(browser.get(_address(job)))
    _send(browser, job)
    assert _fresh(job).sweep == Sweep.restart


def test_a_job_that_is_not_interrupted_leads_to_its_page(browser: Client, job: Job) -> None:
    JobService().cancel(job.pk)

    assert browser.get(_address(job))["Location"] == f"/jobs/{job.pk}/"
    assert browser.get(_address(job), headers=HTMX)["HX-Redirect"] == f"/jobs/{job.pk}/"
