"""The preview, the prices, and the button that makes the job: once, and only what was shown."""

import csv
import io
import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import Workbook

from shipping.engine import process
from shipping.models import Event, Job, Sender, Upload
from shipping.orders.senders import set_sender
from shipping.orders.upload_work import work
from shipping.states import EventKind, JobStatus, UploadStatus
from tests.factories import make_sender
from tests.orders.conftest import numbered_orders, order_file
from tests.support.sandbox import SandboxProcess
from tests.views.conftest import browser_of
from tests.views.reading import HTMX, form_fields, tags, text
from tests.views.uploading import bad_file, good_file, named, send, uploaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def sender(db: None) -> Sender:
    return make_sender()


def _shown(browser: Client, upload: Upload) -> dict[str, str]:
    """What the confirmation would send as it is shown now."""
    return form_fields(browser.get(f"/uploads/{upload.pk}/"), f"/uploads/{upload.pk}/confirm/")


def _confirm(browser: Client, upload: Upload, sent: dict[str, str] | None = None, **values: str) -> Any:
    shown = _shown(browser, upload) if sent is None else sent
    return browser.post(f"/uploads/{upload.pk}/confirm/", {"start": "1"} | shown | values, follow=True)


# --- The preview -----------------------------------------------------------------------------------------


def test_the_preview_shows_the_first_twenty_rows_and_counts_the_rest(browser: Client) -> None:
    upload = uploaded(browser, good_file(25))

    page = browser.get(f"/uploads/{upload.pk}/")

    assert "Preview: 25 rows can be shipped" in text(page)
    assert "The first 20 rows" in text(page)
    assert "Recipient 20</td>" in text(page)
    assert "Recipient 21</td>" not in text(page)
    assert "Washington, DC 20020" in text(page)
    assert "Create the job and ship 25 rows" in text(page)
    assert "costs money" in text(page)
    assert "How much is not known" in text(page)


def test_warnings_are_counted_by_kind_with_their_rows_and_stop_nothing(browser: Client) -> None:
    orders = numbered_orders(4)
    orders[2] |= {"to_state": "CA"}
    upload = uploaded(browser, named(order_file(*orders)))

    page = text(browser.get(f"/uploads/{upload.pk}/"))

    assert upload.status == UploadStatus.ready
    assert "With warnings</dt><dd>1" in page
    assert "They stop nothing." in page
    assert ": 1 row (3)" in page


def test_what_was_read_in_another_way_is_told(browser: Client) -> None:
    file = order_file(*[{"to_name": "Zoë", "Gift note": "=1+1"}])
    content = file.read().decode().replace("weight", "weight (lb)").encode("cp1252")
    file.seek(0)
    file.truncate()
    file.write(content)
    file.seek(0)
    upload = uploaded(browser, named(file))
    if upload.status == UploadStatus.needs_mapping:
        browser.post(
            f"/uploads/{upload.pk}/columns/",
            form_fields(browser.get(f"/uploads/{upload.pk}/"), f"/uploads/{upload.pk}/columns/?all=1"),
        )

    page = text(browser.get(f"/uploads/{upload.pk}/"))

    assert "Windows-1252" in page
    assert "converted to ounces" in page
    assert "“Gift note”" in page


def test_without_a_sender_the_way_leads_to_its_page_and_back(browser: Client) -> None:
    Sender.objects.all().delete()
    upload = uploaded(browser, good_file())

    page = browser.get(f"/uploads/{upload.pk}/")
    assert f'href="/sender/?upload={upload.pk}"' in text(page)
    assert "No sender is set." in text(page)
    assert [each for each in tags(page, "fieldset") if "disabled" in each]
    assert _confirm(browser, upload, {"revision": str(upload.revision)}).status_code == 409

    on_the_way = browser.get(f"/sender/?upload={upload.pk}")
    assert f'href="/uploads/{upload.pk}/"' in text(on_the_way)
    address = {
        "shown": "",
        "name": "Maple Street Goods",
        "street1": "12 Maple St",
        "city": "Dayton",
        "state": "OH",
        "zip": "45402",
        "country": "US",
        "phone": "555-555-0100",
    }
    back = browser.post(f"/sender/?upload={upload.pk}", address, follow=True)
    assert back.redirect_chain == [(f"/uploads/{upload.pk}/", 302)]
    assert "Dayton, OH 45402" in text(back)


# --- Prices ----------------------------------------------------------------------------------------------


def test_prices_of_a_sample_are_shown_as_an_estimate_and_buy_nothing(browser: Client, sandbox: SandboxProcess) -> None:
    upload = uploaded(browser, good_file(60))

    page = browser.post(f"/uploads/{upload.pk}/prices/", follow=True)

    said = text(page)
    assert "for 60 rows" in said
    assert "An estimate from 50 rows spread over the whole file, not a price" in said
    assert "By the estimate about $" in said
    assert "One label costs" in said
    assert "asked by clerk" in said
    assert said.count("about $") > 20
    assert sandbox.stats()["charges"] == 0


def test_prices_come_by_htmx_into_the_page(browser: Client, sandbox: SandboxProcess) -> None:
    upload = uploaded(browser, good_file(2))

    fragment = browser.post(f"/uploads/{upload.pk}/prices/", headers=HTMX)

    assert fragment.status_code == 200
    assert "<html" not in text(fragment)
    assert "every row was asked about" in text(fragment)


def test_a_carrier_that_gives_no_price_is_said_and_nothing_else_changes(
    browser: Client, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"on": "create", "action": "error", "status": 503}])
    upload = uploaded(browser, good_file(2))

    page = browser.post(f"/uploads/{upload.pk}/prices/", follow=True)

    assert page.status_code in (200, 409)
    assert "How much is not known" in text(page)
    upload.refresh_from_db()
    assert upload.status == UploadStatus.ready


# --- Making the job --------------------------------------------------------------------------------------


def test_ship_makes_the_job_and_starts_it(browser: Client, clerk: User) -> None:
    upload = uploaded(browser, good_file(3), name="Autumn", at_rejected_row="go_on")

    page = _confirm(browser, upload)

    job = Job.objects.get()
    assert page.redirect_chain == [(f"/jobs/{job.pk}/", 302)]
    assert "“Autumn” is made of 3 rows of the file. It was started" in text(page)
    assert (job.status, job.total_rows, job.created_by) == (JobStatus.running, 3, clerk)
    assert (job.name, job.stop_on_error, job.file_name) == ("Autumn", False, "orders.csv")


def test_create_without_starting_buys_nothing(browser: Client) -> None:
    upload = uploaded(browser, good_file(3))

    page = _confirm(browser, upload, start="0")

    job = Job.objects.get()
    assert "It is not started: nothing is bought until somebody presses Start." in text(page)
    assert (job.status, job.runs.count()) == (JobStatus.pending, 0)


def test_by_htmx_the_browser_is_led_to_the_job(browser: Client) -> None:
    upload = uploaded(browser, good_file(3))

    answer = browser.post(f"/uploads/{upload.pk}/confirm/", {"start": "1"} | _shown(browser, upload), headers=HTMX)

    assert answer["HX-Redirect"] == f"/jobs/{Job.objects.get().pk}/"


def test_a_second_click_leads_to_the_same_job(browser: Client) -> None:
    upload = uploaded(browser, good_file(3))
    shown = _shown(browser, upload)

    first = _confirm(browser, upload, shown)
    second = _confirm(browser, upload, shown)

    job = Job.objects.get()
    assert first.redirect_chain == second.redirect_chain == [(f"/jobs/{job.pk}/", 302)]
    assert Event.objects.filter(kind=EventKind.started).count() == 1


def test_two_tabs_that_confirm_at_once_make_one_job(browser: Client, clerk: User) -> None:
    upload = uploaded(browser, good_file(40))
    shown = _shown(browser, upload) | {"start": "1"}
    answers: list[int] = []
    together = threading.Barrier(2)

    def click() -> None:
        tab = browser_of(clerk)
        together.wait(10)
        try:
            answers.append(tab.post(f"/uploads/{upload.pk}/confirm/", shown).status_code)
        finally:
            connections.close_all()

    tabs = [threading.Thread(target=click) for _tab in range(2)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join(60)

    assert answers == [302, 302]
    job = Job.objects.get()
    assert (job.total_rows, job.rows.count()) == (40, 40)
    assert Event.objects.filter(kind=EventKind.started).count() == 1


def test_going_back_after_the_job_was_made_shows_the_job(browser: Client) -> None:
    upload = uploaded(browser, good_file(3))
    _confirm(browser, upload)

    page = browser.get(f"/uploads/{upload.pk}/")

    assert "This file has become a job" in text(page)
    assert f'href="/jobs/{Job.objects.get().pk}/"' in text(page)
    assert "hx-trigger" not in str([each for each in tags(page, "div") if each.get("id") == "upload"])
    for button in ("correct", "prices", "columns", "discard"):
        late = browser.post(f"/uploads/{upload.pk}/{button}/", follow=True)
        assert late.redirect_chain == [(f"/jobs/{Job.objects.get().pk}/", 302)], button
        assert "Your click changed nothing." in text(late)


def test_a_preview_that_is_behind_is_refused_and_shown_anew(browser: Client, colleague: User) -> None:
    upload = uploaded(browser, bad_file())
    shown = _shown(browser, upload) | {"skip_bad": "1"}
    other = browser_of(colleague)
    action = f"/uploads/{upload.pk}/correct/"
    other.post(action, form_fields(other.get(f"/uploads/{upload.pk}/"), action) | {"cell-2-5": "20020"})

    page = _confirm(browser, upload, shown)

    assert page.status_code == 409
    assert "Nothing has been changed. Below is how it stands now." in text(page)
    assert "1 of 4 rows has errors" in text(page)
    assert not Job.objects.exists()


def test_a_sender_that_was_changed_meanwhile_is_shown_before_anything_is_made(browser: Client) -> None:
    upload = uploaded(browser, good_file(2))
    shown = _shown(browser, upload)
    set_sender(
        name="New Warehouse", street1="1 Dock Rd", city="Dayton", state="OH", zip="45402", country="US", phone="5550100"
    )

    page = _confirm(browser, upload, shown)

    assert page.status_code == 409
    assert "New Warehouse" in text(page)
    assert not Job.objects.exists()


def test_a_confirmation_that_names_no_sender_is_refused(browser: Client) -> None:
    upload = uploaded(browser, good_file(2))

    page = _confirm(browser, upload, {"revision": str(upload.revision)})

    assert page.status_code == 409
    assert "without what it was shown with" in text(page)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"revision": ""},
        {"revision": "-1"},
        {"revision": "9" * 30},
        {"revision": "٣", "sender": "x", "duplicate_of": "1e9"},
        {"revision": "1", "sender": "999", "start": "maybe"},
    ],
)
def test_an_odd_confirmation_makes_no_job(browser: Client, sent: dict[str, str]) -> None:
    upload = uploaded(browser, good_file(2))

    page = browser.post(f"/uploads/{upload.pk}/confirm/", sent)

    assert page.status_code == 409
    assert not Job.objects.exists()


def test_the_same_file_once_more_needs_a_tick_that_names_the_job(browser: Client) -> None:
    first = uploaded(browser, good_file(3))
    _confirm(browser, first)
    job = Job.objects.get()
    second = uploaded(browser, good_file(3), name="Once more")

    page = browser.get(f"/uploads/{second.pk}/")
    assert f"job {job.pk}" in text(page)
    assert f"labels that job {job.pk} bought are bought a second time" in text(page)
    assert _confirm(browser, second).status_code == 409
    assert _confirm(browser, second, duplicate_of="999").status_code == 409
    assert Job.objects.count() == 1

    _confirm(browser, second, duplicate_of=str(job.pk))
    assert Job.objects.count() == 2


# --- Shipping at once ------------------------------------------------------------------------------------


def test_at_once_ships_a_file_without_errors_and_says_what_was_done(browser: Client) -> None:
    upload = uploaded(browser, good_file(3), mode="at_once")

    page = text(browser.get(f"/uploads/{upload.pk}/"))

    job = Job.objects.get()
    assert job.status == JobStatus.running
    assert "This file has become a job" in page
    assert "It was uploaded to be shipped at once when nothing is wrong." in page
    assert f'href="/jobs/{job.pk}/"' in page
    assert "Create the job" not in page


def test_at_once_still_asks_where_something_is_wrong(browser: Client) -> None:
    wrong = uploaded(browser, bad_file(), mode="at_once")
    uploaded(browser, good_file(3), mode="at_once")
    twice = uploaded(browser, good_file(3), mode="at_once")

    assert (wrong.status, twice.status) == (UploadStatus.has_errors, UploadStatus.ready)
    assert Job.objects.count() == 1
    assert "needs your look first" in text(browser.get(f"/uploads/{wrong.pk}/"))
    assert "was not shipped at once" in text(browser.get(f"/uploads/{twice.pk}/"))


# --- Work that a worker does -----------------------------------------------------------------------------


@pytest.fixture
def working(browser: Client) -> Upload:
    """An upload that waits for a worker to check it."""
    upload = uploaded(browser, good_file(3))
    Upload.objects.filter(pk=upload.pk).update(status=UploadStatus.checking, beat=None, rows=0, rows_read=0)
    return upload


def test_while_a_worker_is_awaited_the_page_says_so_and_asks_again(browser: Client, working: Upload) -> None:
    page = browser.get(f"/uploads/{working.pk}/")

    part = next(each for each in tags(page, "div") if each.get("id") == "upload")
    assert part["hx-trigger"] == "every 2s"
    assert "No worker is running, so nothing moves." in text(page)
    assert browser.get(part["hx-get"], headers=HTMX).status_code == 204
    Upload.objects.filter(pk=working.pk).update(rows_read=2)
    news = browser.get(part["hx-get"], headers=HTMX)
    assert news.status_code == 200
    assert "2 rows checked so far." in text(news)


def test_when_the_work_is_done_the_poll_leads_to_the_job(browser: Client) -> None:
    upload = uploaded(browser, good_file(3))
    _confirm(browser, upload)

    assert browser.get(f"/uploads/{upload.pk}/", headers=HTMX)["HX-Redirect"] == f"/jobs/{Job.objects.get().pk}/"


def test_a_large_file_goes_the_same_way_by_a_worker(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shipping.orders.uploads.AT_ONCE_BYTES", 0)
    upload = uploaded(browser, good_file(30))
    address = f"/uploads/{upload.pk}/"
    assert upload.status == UploadStatus.received
    assert "It has arrived whole. Nothing is bought." in text(browser.get(address))

    work(upload.pk)
    assert "Preview: 30 rows can be shipped" in text(browser.get(address, headers=HTMX))
    page = _confirm(browser, upload)
    assert page.redirect_chain == [(address, 302)]
    assert "The job is being made" in text(page)
    assert "When all are, it starts and its labels are bought." in text(page)

    work(upload.pk)
    job = Job.objects.get()
    assert browser.get(address, headers=HTMX)["HX-Redirect"] == f"/jobs/{job.pk}/"
    assert (job.total_rows, job.status) == (30, JobStatus.running)


def test_a_workbook_leads_to_the_same_preview(browser: Client) -> None:
    book = Workbook()
    sheet = book.create_sheet("Orders", 0)
    for row in csv.reader(io.StringIO(good_file(3).read().decode())):
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    content.seek(0)

    page = send(browser, named(content, "orders.xlsx"))

    assert "Preview: 3 rows can be shipped" in text(page)
    assert "Washington, DC 20020" in text(page)


def test_a_file_that_can_not_be_read_says_why(browser: Client, working: Upload) -> None:
    Upload.objects.filter(pk=working.pk).update(status=UploadStatus.failed, problem="The quotation marks don’t match.")

    page = browser.get(f"/uploads/{working.pk}/")

    assert "This file can’t be read" in text(page)
    assert "The quotation marks don’t match." in text(page)
    assert f'action="/uploads/{working.pk}/discard/"' in text(page)


# --- Who may, and what it costs --------------------------------------------------------------------------


@pytest.mark.parametrize("button", ["columns", "correct", "prices", "confirm", "discard"])
def test_who_may_only_look_is_refused(browser: Client, viewer: User, button: str) -> None:
    upload = uploaded(browser, good_file(2))
    client = browser_of(viewer)

    page = client.get(f"/uploads/{upload.pk}/")
    refused = client.post(f"/uploads/{upload.pk}/{button}/", {"revision": str(upload.revision), "start": "1"})

    assert "Preview: 2 rows can be shipped" in text(page)
    assert "You may look at this and change nothing." in text(page)
    assert refused.status_code == 403
    upload.refresh_from_db()
    assert upload.status == UploadStatus.ready
    assert not Job.objects.exists()


@pytest.mark.parametrize("button", ["", "columns/", "errors.csv", "correct/", "prices/", "confirm/", "discard/"])
def test_opening_an_address_changes_nothing(browser: Client, button: str) -> None:
    upload = uploaded(browser, good_file(2))
    before = Upload.objects.values().get()

    response = browser.get(f"/uploads/{upload.pk}/{button}", follow=True)

    assert response.status_code == 200
    assert Upload.objects.values().get() == before
    assert browser.get(f"/uploads/{9 * 10**25}/{button}").status_code == 404
    assert browser.get(f"/uploads/999/{button}").status_code in (302, 404)


def test_the_preview_costs_the_same_queries_and_about_the_same_bytes_whatever_the_file(browser: Client) -> None:
    def measure(upload: Upload) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as captured:
            page = browser.get(f"/uploads/{upload.pk}/")
        return len(captured), len(page.content)

    small, large = uploaded(browser, good_file(21)), uploaded(browser, good_file(2_000))
    measure(small)

    few, fewer_bytes = measure(small)
    many, more_bytes = measure(large)
    assert many == few
    assert more_bytes < fewer_bytes + 500


def test_the_whole_way_without_javascript_ends_with_labels(browser: Client, sandbox: SandboxProcess) -> None:
    orders = numbered_orders(5)
    orders[3]["to_zip"] = "123456"
    upload = uploaded(browser, named(order_file(*orders, columns=("Who", "to_name", *ORDER_COLUMNS))), name="Whole way")
    address = f"/uploads/{upload.pk}/"

    browser.post(f"{address}columns/", form_fields(browser.get(address), f"{address}columns/?all=1"))
    assert "1 of 5 rows has errors" in text(browser.get(address))
    fields = form_fields(browser.get(address), f"{address}correct/")
    cell = next(name for name in fields if name.startswith("cell-4-"))
    browser.post(f"{address}correct/", fields | {cell: "20020"})
    assert "for 5 rows" in text(browser.post(f"{address}prices/", follow=True))
    page = _confirm(browser, upload)

    job = Job.objects.get()
    assert page.redirect_chain == [(f"/jobs/{job.pk}/", 302)]
    process.work(job.runs.get().pk)
    job.refresh_from_db()
    assert (job.status, job.successful_rows) == (JobStatus.completed, 5)
    assert sandbox.stats()["charges"] == 5
    assert job.rows.get(number=4).order["to_zip"] == "20020"


ORDER_COLUMNS = ("to_street1", "to_city", "to_state", "to_zip", "to_country", "weight")
