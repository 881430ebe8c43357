"""Saying what the columns of a file mean."""

import io
from typing import IO

import pytest
from django.contrib.auth.models import User
from django.test import Client

from shipping.models import Sender, Upload
from shipping.orders.uploads import correct
from shipping.states import UploadStatus
from tests.factories import make_sender
from tests.orders.conftest import csv_bytes
from tests.views.conftest import browser_of
from tests.views.reading import form_fields, tags, text
from tests.views.uploading import good_file, named, uploaded

pytestmark = pytest.mark.django_db(transaction=True)

HEADERS = ["Who", "Street", "City", "State", "Zip", "How heavy", "<i>Gift</i>"]
FIRST = ["Søren", "1745 T Street", "Washington", "DC", "20020", "2", "=HYPERLINK(1)"]
# Where “Who”, “How heavy” and the gift column stand.
CHOSEN = {"column-0": "to_name", "column-5": "weight:lb", "column-6": ""}


@pytest.fixture(autouse=True)
def sender(db: None) -> Sender:
    return make_sender()


def _odd_file(rows: int = 3, headers: list[str] = HEADERS) -> IO[bytes]:
    return named(io.BytesIO(csv_bytes([headers, *([FIRST] * rows)])))


def _action(upload: Upload) -> str:
    return f"/uploads/{upload.pk}/columns/"


def test_unknown_columns_are_shown_with_what_is_in_them_and_what_is_missing(browser: Client) -> None:
    upload = uploaded(browser, _odd_file())

    page = browser.get(f"/uploads/{upload.pk}/")

    assert upload.status == UploadStatus.needs_mapping
    assert "What do the columns mean?" in text(page)
    assert "Missing columns: “Recipient’s name” (or “Recipient’s company”), “Weight”." in text(page)
    assert "=HYPERLINK(1)" in text(page)
    assert "&lt;i&gt;Gift&lt;/i&gt;" in text(page)
    assert "<i>Gift" not in page.content.decode()
    preset = form_fields(page, f"{_action(upload)}?all=1")
    assert (preset["column-1"], preset["column-4"]) == ("to_street1", "to_zip")
    assert (preset["column-0"], preset["column-5"], preset["column-6"]) == ("", "", "")


def test_chosen_columns_lead_to_the_preview_with_their_units_converted(browser: Client) -> None:
    upload = uploaded(browser, _odd_file())
    preset = form_fields(browser.get(f"/uploads/{upload.pk}/"), f"{_action(upload)}?all=1")

    page = browser.post(_action(upload), preset | CHOSEN, follow=True)

    assert page.redirect_chain == [(f"/uploads/{upload.pk}/", 302)]
    assert "Preview: 3 rows can be shipped" in text(page)
    assert "is converted to ounces" in text(page)
    assert "Kept for the results but not sent to the carrier" in text(page)


def test_what_is_missing_is_said_and_the_choices_stay(browser: Client) -> None:
    upload = uploaded(browser, _odd_file())
    preset = form_fields(browser.get(f"/uploads/{upload.pk}/"), f"{_action(upload)}?all=1")

    page = browser.post(_action(upload), preset | {"column-0": "to_name"})

    assert page.status_code == 422
    assert "Missing column: “Weight”." in text(page)
    assert "your choices stand below" in text(page)
    assert form_fields(page, f"{_action(upload)}?all=1")["column-0"] == "to_name"
    upload.refresh_from_db()
    assert upload.status == UploadStatus.needs_mapping


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"column-0": "nonsense", "column-5": "weight:stone"},
        {"column-0": "to_name", "column-1": "to_name", "column-5": "weight:oz"},
        {"column-99": "to_name", "column--1": "to_city"},
        {"column-5": "\0" + "x" * 100_000},
    ],
)
def test_odd_choices_are_refused_and_change_nothing(browser: Client, sent: dict[str, str]) -> None:
    upload = uploaded(browser, _odd_file())

    page = browser.post(_action(upload), sent)

    assert page.status_code == 422
    assert 'role="alert"' in text(page)
    upload.refresh_from_db()
    assert (upload.status, upload.mapping) == (UploadStatus.needs_mapping, {})


def test_a_file_that_looks_alike_is_not_asked_about_again(browser: Client, colleague: User) -> None:
    first = uploaded(browser, _odd_file())
    preset = form_fields(browser.get(f"/uploads/{first.pk}/"), f"{_action(first)}?all=1")
    browser.post(_action(first), preset | CHOSEN)

    second = uploaded(browser_of(colleague), _odd_file(rows=2))

    assert (second.status, second.good_rows) == (UploadStatus.ready, 2)
    assert second.mapping["How heavy"] == "weight:lb"


def test_the_columns_of_a_checked_file_can_be_said_anew(browser: Client) -> None:
    upload = uploaded(browser, _odd_file())
    preset = form_fields(browser.get(f"/uploads/{upload.pk}/"), f"{_action(upload)}?all=1")
    browser.post(_action(upload), preset | CHOSEN)
    assert f'href="{_action(upload)}"' in text(browser.get(f"/uploads/{upload.pk}/"))

    anew = form_fields(browser.get(_action(upload)), f"{_action(upload)}?all=1")
    assert anew["column-5"] == "weight:lb"
    browser.post(_action(upload), anew | {"column-5": "weight:kg"})

    upload.refresh_from_db()
    assert (upload.status, upload.mapping["How heavy"]) == (UploadStatus.ready, "weight:kg")


def test_columns_from_an_old_page_forget_no_correction_that_was_made_since(browser: Client) -> None:
    upload = uploaded(browser, _odd_file())
    preset = form_fields(browser.get(f"/uploads/{upload.pk}/"), f"{_action(upload)}?all=1")
    browser.post(_action(upload), preset | CHOSEN)
    correct(upload.pk, {1: {"City": "Salem"}})

    late = browser.post(_action(upload), preset | CHOSEN)

    assert late.status_code == 409
    assert "has been changed or checked again since you were shown it" in text(late)
    upload.refresh_from_db()
    assert upload.corrections == {"1": {"City": "Salem"}}


def test_opening_the_columns_of_a_file_that_is_past_them_leads_to_the_file(browser: Client) -> None:
    upload = uploaded(browser, good_file())
    browser.post(f"/uploads/{upload.pk}/discard/")

    assert browser.get(_action(upload))["Location"] == f"/uploads/{upload.pk}/"
    late = browser.post(_action(upload), CHOSEN)
    assert late.status_code in (409, 422)
    assert browser.get("/uploads/999/columns/").status_code == 404


def test_a_wide_file_lists_only_the_columns_that_mean_or_hold_something(browser: Client) -> None:
    wide = [*HEADERS, *(f"Empty {number}" for number in range(60))]
    upload = uploaded(browser, _odd_file(headers=wide))

    page = browser.get(f"/uploads/{upload.pk}/")
    whole = browser.get(f"{_action(upload)}?all=1")

    assert len(tags(page, "select")) == len(HEADERS)
    assert "60 columns that are empty in the first rows are not listed" in text(page)
    assert len(tags(whole, "select")) == len(wide)
    assert len(page.content) < 40_000


def test_who_may_only_look_chooses_nothing(browser: Client, viewer: User) -> None:
    upload = uploaded(browser, _odd_file())
    client = browser_of(viewer)

    page = client.get(f"/uploads/{upload.pk}/")
    refused = client.post(_action(upload), CHOSEN)

    assert "You may look at this and change nothing." in text(page)
    assert [each for each in tags(page, "fieldset") if "disabled" in each]
    assert refused.status_code == 403
    upload.refresh_from_db()
    assert upload.mapping == {}
