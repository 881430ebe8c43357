"""What comes out of a job: labels to print, results, voids; and finding it all again."""

import csv
import io
import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from shipping.models import Job, Label
from shipping.services import JobService
from tests.browser.shipping import wait_until_completed
from tests.factories import make_interrupted_job, make_job
from tests.support.ledger import assert_books_equal_ledger
from tests.support.processes import wait_until, worker
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def shipped(clerk: User, sandbox: SandboxProcess) -> Job:
    """Four labels, bought, with their files."""
    job = make_job(4, created_by=clerk)
    JobService().start(job.pk)
    with worker(sandbox.url, "--until-idle") as process:
        assert process.wait(60) == 0
    wait_until_completed(job)
    return job


def _tracking_numbers(job: Job) -> list[str]:
    return list(Label.objects.filter(job=job).order_by("row__number").values_list("tracking_number", flat=True))


def test_labels_are_printed_and_marked_and_the_results_are_downloaded(page: Page, shipped: Job) -> None:
    page.goto(f"/jobs/{shipped.pk}/")
    with page.expect_download() as results:
        page.get_by_role("link", name="Download results (CSV)").click()
    lines = list(csv.DictReader(io.StringIO(results.value.path().read_text(encoding="utf-8-sig"))))
    assert [line["tracking_number"] for line in lines] == _tracking_numbers(shipped)

    page.get_by_role("link", name="Print labels…").click()
    address = page.get_by_role("link", name="Open PDF of rows 1 to 4").get_attribute("href")
    assert address
    pdf = PdfReader(io.BytesIO(page.request.get(address).body()))
    texts = ["".join(sheet.extract_text().split()) for sheet in pdf.pages[:4]]
    assert [number in text for number, text in zip(_tracking_numbers(shipped), texts, strict=True)] == [True] * 4
    assert not Label.objects.filter(printed_at__isnull=False).exists()

    page.get_by_role("button", name=re.compile("^Mark as printed")).click()
    expect(page.locator("#messages")).to_contain_text("4 labels")
    assert Label.objects.filter(printed_at__isnull=False).count() == 4


def test_one_label_is_voided_and_the_carrier_gives_the_money_back(
    page: Page, shipped: Job, sandbox: SandboxProcess
) -> None:
    number = _tracking_numbers(shipped)[1]
    page.goto(f"/jobs/{shipped.pk}/voids/")
    page.get_by_label(f"Choose label {number}").check()
    page.get_by_role("button", name="Void the chosen labels…").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Void 1 label")
    page.get_by_label(re.compile("^Reason")).fill("Wrong parcel")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Void 1 label").dblclick()
    expect(page.locator("#messages")).not_to_be_empty()
    with worker(sandbox.url):
        wait_until(lambda: Label.objects.filter(voided_at__isnull=False).count() == 1, what="the void sent")

    assert Label.objects.get(voided_at__isnull=False).tracking_number == number
    assert sandbox.stats()["refunded"] == 1
    assert_books_equal_ledger(shipped, sandbox)


def test_a_tracking_number_is_found_from_every_page(page: Page, shipped: Job) -> None:
    number = _tracking_numbers(shipped)[2]
    page.goto("/help/")
    page.get_by_role("search").get_by_role("searchbox").fill(number)
    page.keyboard.press("Enter")
    page.locator("main").get_by_role("link", name=re.compile(r"[Rr]ow 3|Recipient 3")).first.click()

    expect(page).to_have_url(re.compile(rf"/jobs/{shipped.pk}/rows/3/"))
    expect(page.locator("main")).to_contain_text(number)


def test_times_are_in_the_zone_of_whoever_looks(page: Page) -> None:
    job = make_job(2)
    page.goto("/preferences/")
    page.get_by_label(re.compile("time zone", re.IGNORECASE)).select_option("Asia/Kolkata")
    page.get_by_role("button", name="Keep these preferences").click()
    expect(page.locator("#messages")).not_to_be_empty()

    page.goto(f"/jobs/{job.pk}/")
    expect(page.locator("footer")).to_contain_text("Asia/Kolkata (IST)")


def test_help_is_there_from_every_page_and_where_the_question_arises(page: Page) -> None:
    job = make_interrupted_job(5, completed=2)
    page.goto(f"/recovery/{job.pk}/")
    assert page.locator("main a[href^='/help/']").count() > 0
    page.locator("header").get_by_role("link", name="Help").click()
    page.get_by_role("link", name="My job is stuck").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("stuck")
