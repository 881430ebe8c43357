"""Errors in a file: shown by row and column, corrected in place, downloaded, or left out."""

import csv
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Job, Sender, Upload
from shipping.states import JobStatus, UploadStatus
from tests.factories import make_sender
from tests.orders.conftest import numbered_orders, order_file
from tests.views.conftest import browser_of
from tests.views.reading import HTMX, form_fields, tags, text
from tests.views.uploading import bad_file, named, uploaded

pytestmark = pytest.mark.django_db(transaction=True)

# Where the columns stand in the files of tests.orders.conftest.
CITY, ZIP, WEIGHT = 3, 5, 7


@pytest.fixture(autouse=True)
def sender(db: None) -> Sender:
    return make_sender()


@pytest.fixture
def upload(browser: Client) -> Upload:
    found = uploaded(browser, bad_file())
    assert found.status == UploadStatus.has_errors
    return found


def _correct(browser: Client, upload: Upload, values: dict[str, str], **extra: Any) -> Any:
    action = f"/uploads/{upload.pk}/correct/"
    sent = form_fields(browser.get(f"/uploads/{upload.pk}/"), action)
    return browser.post(action, sent | values, **extra)


def test_errors_stand_by_row_and_column_with_a_field_beside_each(browser: Client, upload: Upload) -> None:
    page = browser.get(f"/uploads/{upload.pk}/")

    assert "2 of 4 rows have errors" in text(page)
    assert "3 errors in all." in text(page)
    inputs = {each["name"]: each for each in tags(page, "input") if each.get("name", "").startswith("cell-")}
    assert set(inputs) == {f"cell-2-{ZIP}", f"cell-4-{CITY}", f"cell-4-{WEIGHT}"}
    assert inputs[f"cell-2-{ZIP}"]["value"] == "123456"
    assert inputs[f"cell-2-{ZIP}"]["aria-label"] == "Row 2, to_zip"
    assert inputs[f"cell-2-{ZIP}"]["aria-describedby"] in {each.get("id") for each in tags(page, "span")}
    assert "A weight is needed." in text(page)
    assert not Job.objects.exists()


def test_several_values_are_corrected_at_once_and_the_file_is_checked_again(browser: Client, upload: Upload) -> None:
    page = _correct(
        browser, upload, {f"cell-2-{ZIP}": "20020", f"cell-4-{CITY}": "Dayton", f"cell-4-{WEIGHT}": "8"}, follow=True
    )

    assert page.redirect_chain == [(f"/uploads/{upload.pk}/", 302)]
    assert "Preview: 4 rows can be shipped" in text(page)
    assert "Corrected here</dt><dd>2" in text(page)
    upload.refresh_from_db()
    assert upload.corrections == {"2": {"to_zip": "20020"}, "4": {"to_city": "Dayton", "weight": "8"}}


def test_by_htmx_the_answer_is_the_part_that_moved(browser: Client, upload: Upload) -> None:
    fragment = _correct(browser, upload, {f"cell-2-{ZIP}": "20020"}, headers=HTMX)

    assert fragment.status_code == 200
    assert "<html" not in text(fragment)
    assert tags(fragment, "div")[0]["id"] == "upload"
    assert "Checked: 1 of 4 rows has errors." in text(fragment)
    assert "messages" in {each.get("id") for each in tags(fragment, "div")}


def test_a_correction_that_is_wrong_too_comes_back_with_what_was_written(browser: Client, upload: Upload) -> None:
    page = _correct(browser, upload, {f"cell-2-{ZIP}": "<b>no</b>"}, follow=True)

    shown = next(each for each in tags(page, "input") if each.get("name") == f"cell-2-{ZIP}")
    assert shown["value"] == "<b>no</b>"
    assert "<b>no" not in page.content.decode()


def test_checking_again_without_a_change_says_so(browser: Client, upload: Upload) -> None:
    plain = _correct(browser, upload, {})
    fragment = _correct(browser, upload, {}, headers=HTMX)

    assert plain.status_code == 409
    assert fragment.status_code == 200
    for response in (plain, fragment):
        assert "No value was changed." in text(response)
    upload.refresh_from_db()
    assert upload.corrections == {}


def test_only_cells_with_errors_can_be_changed(browser: Client, upload: Upload) -> None:
    page = _correct(
        browser,
        upload,
        {"cell-1-1": "Somebody else", "cell-99-5": "1", "cell-2-99": "1", "cell-x": "1", f"cell-2-{CITY}": "Elsewhere"},
    )

    assert page.status_code == 409
    upload.refresh_from_db()
    assert upload.corrections == {}


def test_a_page_that_is_behind_changes_nothing(browser: Client, upload: Upload, colleague: User) -> None:
    action = f"/uploads/{upload.pk}/correct/"
    behind = form_fields(browser.get(f"/uploads/{upload.pk}/"), action)
    _correct(browser_of(colleague), upload, {f"cell-2-{ZIP}": "20020"})

    late = browser.post(action, behind | {f"cell-2-{ZIP}": "10001", f"cell-4-{CITY}": "Dayton"})

    assert late.status_code == 409
    assert "Nothing has been changed." in text(late)
    upload.refresh_from_db()
    assert upload.corrections == {"2": {"to_zip": "20020"}}


def test_a_value_too_long_to_show_whole_is_not_put_into_the_field(browser: Client) -> None:
    orders = numbered_orders(2)
    orders[0]["to_street1"] = "Long " * 40
    upload = uploaded(browser, named(order_file(*orders)))

    page = browser.get(f"/uploads/{upload.pk}/")
    shown = next(each for each in tags(page, "input") if each.get("name", "").startswith("cell-1-"))

    assert shown.get("value", "") == ""
    assert "It began with “Long Long" in text(page)
    assert _correct(browser, upload, {}).status_code == 409
    _correct(browser, upload, {shown["name"]: "12 Maple St"})
    upload.refresh_from_db()
    assert upload.status == UploadStatus.ready


def test_what_can_only_be_mended_in_the_file_has_no_field(browser: Client) -> None:
    file = io.BytesIO(b"to_name,to_street1,to_city,to_state,to_zip,weight\nA,1 Main St,Dayton,OH,45402,12,extra,more\n")

    upload = uploaded(browser, named(file))
    page = browser.get(f"/uploads/{upload.pk}/")

    assert "The row has 8 cells, the header 6." in text(page)
    assert not [each for each in tags(page, "input") if each.get("name", "").startswith("cell-")]
    assert "Only in the file" in text(page)


def test_the_errors_are_downloaded_safe_for_spreadsheets(browser: Client) -> None:
    orders = numbered_orders(2)
    orders[0]["to_zip"] = "=1+1"
    upload = uploaded(browser, named(order_file(*orders)))

    response = browser.get(f"/uploads/{upload.pk}/errors.csv")

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["Content-Disposition"]
    lines = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert len(lines) == 2
    assert "'=1+1" in lines[1]
    assert "=1+1" not in lines[1]


def test_many_errors_come_in_pages_of_a_bounded_size(browser: Client) -> None:
    def queries(upload: Upload) -> int:
        with CaptureQueriesContext(connection) as captured:
            browser.get(f"/uploads/{upload.pk}/")
        return len(captured)

    def with_errors(rows: int) -> Upload:
        bad = ({"to_zip": f"no-{row}"} for row in range(rows))
        return uploaded(browser, named(order_file(*bad, *numbered_orders(1))))

    small, upload = with_errors(2), with_errors(1_100)
    queries(small)
    assert queries(small) == queries(upload)

    page = browser.get(f"/uploads/{upload.pk}/")
    assert "1,100 of 1,101 rows have errors" in text(page)
    assert "The first 1,000 are listed." in text(page)
    assert len([each for each in tags(page, "input") if each.get("name", "").startswith("cell-")]) == 50
    assert len(page.content) < 60_000
    last = browser.get(f"/uploads/{upload.pk}/?errors=999")
    assert "Page 20 of 20" in text(last)
    assert browser.get(f"/uploads/{upload.pk}/?errors=nonsense").status_code == 200


def test_good_rows_go_without_the_bad_only_with_a_tick(browser: Client, upload: Upload) -> None:
    action = f"/uploads/{upload.pk}/confirm/"
    sent = form_fields(browser.get(f"/uploads/{upload.pk}/"), action)

    refused = browser.post(action, sent | {"start": "0"})
    assert refused.status_code == 409
    assert not Job.objects.exists()

    done = browser.post(action, sent | {"start": "0", "skip_bad": "1"}, follow=True)
    job = Job.objects.get()
    assert done.redirect_chain == [(f"/jobs/{job.pk}/", 302)]
    assert (job.total_rows, job.status) == (2, JobStatus.pending)
    assert sorted(job.rows.values_list("number", flat=True)) == [1, 3]


def test_a_file_without_a_good_row_offers_nothing_to_ship(browser: Client) -> None:
    upload = uploaded(browser, named(order_file({"to_zip": "no"})))

    page = browser.get(f"/uploads/{upload.pk}/")

    assert "1 of 1 rows has errors" in text(page)
    assert f"/uploads/{upload.pk}/confirm/" not in text(page)


def test_who_may_only_look_sees_the_errors_and_corrects_none(upload: Upload, viewer: User) -> None:
    client = browser_of(viewer)

    assert "2 of 4 rows have errors" in text(client.get(f"/uploads/{upload.pk}/"))
    assert client.get(f"/uploads/{upload.pk}/errors.csv").status_code == 200
    assert client.post(f"/uploads/{upload.pk}/correct/", {f"cell-2-{ZIP}": "20020"}).status_code == 403
    upload.refresh_from_db()
    assert upload.corrections == {}
