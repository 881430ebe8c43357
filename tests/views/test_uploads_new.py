"""Choosing a file: what is taken, what is refused, and the files that wait for somebody."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Job, Preference, Sender, Upload
from shipping.states import UploadStatus
from tests.factories import make_sender
from tests.views.conftest import browser_of
from tests.views.reading import tags, text
from tests.views.uploading import bad_file, good_file, named, send, uploaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sender(db: None) -> Sender:
    return make_sender()


def test_a_good_file_leads_to_its_preview(browser: Client, clerk: User, sender: Sender) -> None:
    page = send(browser, good_file(3, "Spring catalogue.csv"))

    upload = Upload.objects.get()
    assert page.redirect_chain == [(f"/uploads/{upload.pk}/", 302)]
    assert (upload.person, upload.name, upload.status) == (clerk, "Spring catalogue", UploadStatus.ready)
    assert "Preview: 3 rows can be shipped" in text(page)
    assert not Job.objects.exists()


def test_the_form_tells_what_is_taken_and_how_large_it_may_be(browser: Client, settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 5 * 1024**2

    page = browser.get("/uploads/new/")

    assert "At most 5.0 MB; a workbook at most 100,000 rows" in text(page)
    file = next(each for each in tags(page, "input") if each.get("type") == "file")
    assert ".xlsx" in file["accept"]
    assert tags(page, "form")[-1]["enctype"] == "multipart/form-data"


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "empty.csv", "The file is empty."),
        (b"\x00\x01\x02" * 100, "noise.csv", "not a text file"),
        (b"%PDF-1.7 ...", "orders.csv", "PDF"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old.xls", "xcel"),
        (b"hello", "letter.txt", "not a table"),
        (b"PK\x03\x04" + b"\0" * 200, "broken.xlsx", ""),
        (b"\xff\xfe\x00", "half.csv", ""),
    ],
)
def test_what_is_no_table_is_refused_on_the_same_page_and_the_form_keeps_what_was_chosen(
    browser: Client, content: bytes, name: str, said: str
) -> None:
    page = send(browser, named(io.BytesIO(content), name), name="My job", at_rejected_row="go_on")

    assert page.status_code == 422
    assert said in text(page)
    assert "Please choose the file again" in text(page)
    assert 'value="My job"' in text(page)
    chosen = [each for each in tags(page, "input") if each.get("type") == "radio" and "checked" in each]
    assert [each["value"] for each in chosen] == ["go_on", "preview"]
    assert not Upload.objects.exists()


def test_a_file_that_is_too_large_is_refused_and_not_kept(browser: Client, settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 100

    page = send(browser, good_file(20))

    assert page.status_code == 422
    assert "larger than" in text(page)
    assert not Upload.objects.exists()
    assert not default_storage.exists("uploads") or not default_storage.listdir("uploads")[1]


@pytest.mark.parametrize(
    "form",
    [
        {"name": "x" * 201},
        {"name": "line\nbreak"},
        {"name": "nul\0"},
        {"carrier": "nobody"},
        {"carrier": ""},
        {"at_rejected_row": "explode"},
        {"mode": "😈"},
        {"mode": ""},
    ],
)
def test_an_odd_form_is_refused_and_says_so(browser: Client, form: dict[str, str]) -> None:
    page = send(browser, good_file(), **form)

    assert page.status_code == 422
    assert 'role="alert"' in text(page)
    assert not Upload.objects.exists()


def test_without_a_file_the_page_asks_for_one(browser: Client) -> None:
    page = send(browser, None)

    assert page.status_code == 422
    assert "Choose a file first." in text(page)


def test_names_and_cells_are_text_whatever_they_hold(browser: Client, sender: Sender) -> None:
    evil = "<script>alert(1)</script>"
    file = io.BytesIO(
        b"to_name,to_street1,to_city,to_state,to_zip,weight\n<script>alert(1)</script>,=1+1,<b>Denver</b>,CO,80202,12\n"
    )

    page = send(browser, named(file, f"{evil}.csv"), name=evil)

    assert page.status_code == 200
    assert evil not in page.content.decode()
    assert "<b>Denver" not in page.content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text(page)


def test_the_mode_is_remembered_for_the_next_file(browser: Client, clerk: User, colleague: User) -> None:
    def modes(client: Client) -> list[str]:
        chosen = [each for each in tags(client.get("/uploads/new/"), "input") if "checked" in each]
        return [each["value"] for each in chosen if each["name"] == "mode"]

    assert modes(browser) == ["preview"]
    uploaded(browser, bad_file(), mode="at_once")

    assert Preference.objects.get().user == clerk
    assert modes(browser) == ["at_once"]
    assert modes(browser_of(colleague)) == ["preview"]
    uploaded(browser, good_file(), mode="preview")
    assert modes(browser) == ["preview"]


def test_remembering_the_mode_leaves_the_time_zone_as_it_is(browser: Client, clerk: User) -> None:
    Preference.objects.create(user=clerk, time_zone="America/Denver")

    uploaded(browser, bad_file(), mode="at_once")

    preference = Preference.objects.get()
    assert (preference.time_zone, preference.ships_at_once) == ("America/Denver", True)


def test_files_that_wait_are_listed_with_their_person_and_can_be_taken_over(browser: Client, colleague: User) -> None:
    mine = uploaded(browser, bad_file(), name="Mine")
    theirs = uploaded(browser_of(colleague), good_file(), name="Theirs")

    page = text(browser.get("/uploads/new/"))

    assert page.index("Files that you began with") < page.index("Mine") < page.index("Files that others began with")
    assert page.index("Files that others began with") < page.index("Theirs")
    assert "by colleague" in page
    for upload in (mine, theirs):
        assert f'href="/uploads/{upload.pk}/"' in page
        assert f'action="/uploads/{upload.pk}/discard/"' in page


def test_a_discarded_file_is_gone_and_not_listed_any_more(browser: Client) -> None:
    upload = uploaded(browser, bad_file())

    page = browser.post(f"/uploads/{upload.pk}/discard/", follow=True)
    again = browser.post(f"/uploads/{upload.pk}/discard/", follow=True)

    assert page.redirect_chain == again.redirect_chain == [("/uploads/new/", 302)]
    assert "is discarded. Nothing was bought." in text(page)
    assert "Files that you began with" not in text(page)
    assert not default_storage.exists(str(upload.file))
    assert "This file was discarded" in text(browser.get(f"/uploads/{upload.pk}/"))


def test_who_may_only_look_sees_the_form_and_who_may_use_it(viewer: User, clerk: User) -> None:
    client = browser_of(viewer)

    page = client.get("/uploads/new/")
    refused = send(client, good_file())

    assert "It needs the right “Can upload orders, start and pause jobs”" in text(page)
    assert "These people have it: clerk" in text(page)
    assert [each for each in tags(page, "fieldset") if "disabled" in each]
    assert refused.status_code == 403
    assert not Upload.objects.exists()


def test_the_page_costs_the_same_queries_however_many_files_wait(browser: Client, colleague: User) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert browser.get("/uploads/new/").status_code == 200
        return len(captured)

    uploaded(browser, good_file())
    uploaded(browser_of(colleague), bad_file())
    count()
    few = count()
    for _each in range(12):
        uploaded(browser, bad_file())
        uploaded(browser_of(colleague), bad_file())

    assert count() == few
    page = browser.get("/uploads/new/")
    assert len([each for each in tags(page, "form") if each.get("action", "").endswith("/discard/")]) == 20


def test_a_file_that_the_storage_does_not_take_is_refused_and_nothing_waits_for_it(
    browser: Client, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = str(tmp_path / "file" / "media")
    page = send(browser, good_file())
    assert page.status_code == 422
    assert "The file could not be stored" in text(page)
    assert not Upload.objects.unfinished().exists()


def test_a_file_that_is_lost_before_it_is_worked_on_again_is_not_said_to_be_worked_on(
    browser: Client, sender: Sender
) -> None:
    upload = uploaded(browser, good_file())
    default_storage.delete(str(upload.file))
    confirmed = {"revision": upload.revision, "sender": sender.pk, "start": "1"}
    page = browser.post(f"/uploads/{upload.pk}/confirm/", confirmed, follow=True)
    assert "The uploaded file can’t be read any more. Upload it again." in text(page)
    assert "is being worked on" not in text(page)
    assert not Job.objects.exists()
