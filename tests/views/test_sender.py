"""The sender's page."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Sender
from tests.factories import make_job, make_sender
from tests.views.conftest import browser_of
from tests.views.reading import hidden, tags, text

pytestmark = pytest.mark.django_db

ADDRESS = {
    "name": "Maple Street Goods",
    "company": "",
    "street1": "12 Maple St",
    "street2": "",
    "city": "Dayton",
    "state": "Ohio",
    "zip": "45402",
    "country": "United States",
    "phone": "555-555-0100",
    "email": "",
}


def _set(browser: Client, **changed: str) -> Any:
    shown = hidden(browser.get("/sender/"), "shown")
    return browser.post("/sender/", ADDRESS | {"shown": shown} | changed, follow=True)


def test_without_a_sender_the_page_says_what_that_means(browser: Client) -> None:
    page = browser.get("/sender/")

    assert "No sender is set yet." in text(page)
    assert "Earlier senders" not in text(page)


def test_a_sender_is_set_in_its_usual_form_and_shown(browser: Client) -> None:
    page = _set(browser)

    sender = Sender.objects.get()
    assert (sender.state, sender.country) == ("OH", "US")
    assert page.redirect_chain == [("/sender/", 302)]
    assert "The sender of all jobs to come is now Maple Street Goods, 12 Maple St, 45402 Dayton." in text(page)
    assert "Dayton, OH 45402<br>" in text(page)


def test_jobs_that_exist_keep_theirs(browser: Client) -> None:
    job = make_job(1)

    page = _set(browser)

    job.refresh_from_db()
    assert job.sender.name == "Onceship Warehouse"
    assert Sender.objects.current() != job.sender
    assert "Earlier senders" in text(page)
    assert "417 Montgomery Street, San Francisco, CA 94104, US" in text(page)


def test_the_form_holds_the_current_sender_so_that_one_part_can_be_changed(browser: Client) -> None:
    make_sender()
    fields = {each["name"]: each.get("value", "") for each in tags(browser.get("/sender/"), "input")}

    browser.post("/sender/", fields | {"phone": "555 0199"})

    current = Sender.objects.current()
    assert current is not None
    assert (current.name, current.phone) == ("Onceship Warehouse", "555 0199")


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(browser: Client) -> None:
    response = _set(browser, zip="4540", phone="", city="Day\x07ton", state="Atlantis", name="")

    assert response.status_code == 422
    page = text(response)
    assert "The sender was not changed." in page
    for field, sentence in {
        "zip": "then it is 04540.",
        "phone": "This is needed.",
        "city": "control character (U+0007)",
        "state": "This is no US state.",
        "name": "This is needed.",
    }.items():
        shown = next(each for each in tags(response, "input") if each.get("name") == field)
        assert shown["aria-invalid"] == "true", field
        assert f"id_{field}_error" in shown["aria-describedby"], field
        assert sentence in page, field
    assert 'value="12 Maple St"' in page
    assert not Sender.objects.exists()


@pytest.mark.parametrize("given", [{}, {"name": "\0"}, {"zip": "9" * 5000}, {"country": "🏴"}, {"shown": "x' OR 1=1"}])
def test_odd_input_is_refused_and_never_breaks_the_page(browser: Client, given: dict[str, str]) -> None:
    response = browser.post("/sender/", given)

    assert response.status_code in (409, 422)
    assert 'role="alert"' in text(response)
    assert not Sender.objects.exists()


def test_text_of_an_address_is_never_taken_for_html(browser: Client) -> None:
    page = _set(browser, name="<script>alert(1)</script>", street1='"><img src=x>')

    assert "<script>alert" not in text(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text(page)
    assert "<img" not in text(page)


def test_the_same_address_once_more_makes_no_second_sender(browser: Client) -> None:
    first = ADDRESS | {"shown": hidden(browser.get("/sender/"), "shown")}
    browser.post("/sender/", first)

    again = _set(browser)

    assert Sender.objects.count() == 1
    assert "This is the sender already" in text(again)


def test_a_sender_that_was_changed_meanwhile_is_shown_before_it_is_replaced(browser: Client, colleague: User) -> None:
    make_sender()
    shown = hidden(browser.get("/sender/"), "shown")
    _set(browser_of(colleague), name="Colleague Goods")

    stale = browser.post("/sender/", ADDRESS | {"shown": shown})

    assert stale.status_code == 409
    assert "The sender was changed while this page was open." in text(stale)
    assert "Colleague Goods" in text(stale)
    assert 'value="Maple Street Goods"' in text(stale)
    assert Sender.objects.count() == 2
    browser.post("/sender/", ADDRESS | {"shown": hidden(stale, "shown")})
    assert str(Sender.objects.current()).startswith("Maple Street Goods")


def test_who_may_only_look_sees_the_sender_and_who_could_change_it(viewer: User) -> None:
    make_sender()
    client = browser_of(viewer)

    page = client.get("/sender/")
    refused = client.post("/sender/", ADDRESS)

    assert "Onceship Warehouse" in text(page)
    assert "It needs the right “Can upload orders, start and pause jobs”" in text(page)
    assert [each for each in tags(page, "fieldset") if "disabled" in each]
    assert refused.status_code == 403
    assert Sender.objects.count() == 1


def test_an_outsider_does_not_see_the_sender(outsider: User) -> None:
    assert browser_of(outsider).get("/sender/").status_code == 403


def test_the_list_of_earlier_senders_is_bounded_and_so_are_the_queries(browser: Client) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert browser.get("/sender/").status_code == 200
        return len(captured)

    make_sender()
    count()
    few = count()
    for _each in range(30):
        make_sender()
    many = count()

    page = browser.get("/sender/")
    assert many == few
    assert len(tags(page, "tr")) == 21
    assert "Older ones are not listed." in text(page)
