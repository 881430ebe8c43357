"""The whole story of a file: uploaded, mapped, corrected, shipped, interrupted by a kill, decided about, done."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from shipping.models import Job, Row, Sender, Upload
from shipping.project.sample import sample_orders
from shipping.states import EventKind
from tests.browser.conftest import LAPTOP, PHONE, NewWindow
from tests.browser.shipping import (
    count_of,
    fresh,
    hurry,
    kill_with_purchases_in_the_air,
    stalling,
    wait_until_completed,
)
from tests.support.ledger import assert_books_equal_ledger, assert_one_charge_per_completed_row
from tests.support.processes import worker
from tests.support.sandbox import SandboxProcess

ROWS = 24
# Headers that nobody can know, and one value that can't be shipped to.
HEADERS = {"to_name": "Wer", "to_zip": "Whereabouts number"}
WRONG_ROW = 3


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """A file of orders with two headers of its own and a ZIP code that is none."""
    lines = list(sample_orders(ROWS))
    lines[WRONG_ROW - 1]["to_zip"] = "nowhere"
    columns = list(lines[0])
    file = tmp_path / "Autumn orders.csv"
    text = [",".join(HEADERS.get(column, column) for column in columns)]
    text += [",".join(line[column] for column in columns) for line in lines]
    file.write_text("\n".join(text) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "look",
    [
        pytest.param({"viewport": LAPTOP, "color_scheme": "light"}, id="laptop-light"),
        pytest.param({"viewport": PHONE, "color_scheme": "dark"}, id="phone-dark"),
    ],
)
def test_the_whole_story(  # noqa: PLR0917  (the cast and the stage)
    new_window: NewWindow, clerk: User, sender: Sender, sandbox: SandboxProcess, orders: Path, look: dict[str, Any]
) -> None:
    page = new_window(clerk, **look)
    _upload(page, orders, sandbox)

    with worker(sandbox.url) as process:
        page.get_by_role("button", name=f"Create the job and ship {ROWS} rows").click()
        expect(page).to_have_url(re.compile(r"/jobs/\d+/"))
        job = Job.objects.get()
        _watch_it_move(page)
        kill_with_purchases_in_the_air(job, process)
    expect(page.locator("#banner")).to_contain_text("1 job is interrupted")
    assert page.evaluate("window.openedOnce"), "the page was loaded again"

    page.locator("#banner-newest").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("interrupted")
    named = _restart(page, job, sandbox)
    hurry(sandbox)
    with worker(sandbox.url):
        wait_until_completed(job)
        expect(page.locator("#live")).to_contain_text(f"{ROWS} of {ROWS}")
    expect(page.locator("#banner")).not_to_contain_text("interrupted")

    assert fresh(job).successful_rows == ROWS
    assert count_of(job, EventKind.restarted) == 1
    assert Row.objects.filter(job=job, attempt=2).count() == named
    assert sandbox.stats()["charges"] == ROWS + named
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)


def _upload(page: Page, orders: Path, sandbox: SandboxProcess) -> None:
    """From the empty list of jobs to the preview with its prices."""
    page.goto("/")
    page.locator("main").get_by_role("link", name=re.compile("upload", re.IGNORECASE)).first.click()
    page.locator("#id_file").set_input_files(orders)
    page.get_by_role("button", name="Upload and check").click()

    expect(page.get_by_role("heading", name="What do the columns mean?")).to_be_visible()
    for target, header in HEADERS.items():
        page.get_by_label(header).select_option(target)
    page.get_by_role("button", name="Use these columns and check the file").click()

    wrong = page.get_by_label(f"Row {WRONG_ROW}, {HEADERS['to_zip']}")
    expect(wrong).to_have_value("nowhere")
    wrong.fill(list(sample_orders(WRONG_ROW))[-1]["to_zip"])
    page.get_by_role("button", name="Check again").click()

    expect(page.get_by_role("heading", name=f"Preview: {ROWS} rows can be shipped")).to_be_visible()
    page.get_by_role("button", name="Ask the carrier for prices of a sample").click()
    expect(page.locator(".estimate")).to_contain_text("$")
    assert sandbox.stats()["charges"] == 0
    assert Upload.objects.get().estimate["asked"] == ROWS
    assert not Job.objects.exists()
    sandbox.faults(stalling(8))


def _watch_it_move(page: Page) -> None:
    """Numbers change without a reload; what is remembered in the window proves it."""
    page.evaluate("window.openedOnce = true")
    before = page.locator("#live").inner_text()
    expect(page.locator("#live")).not_to_have_text(before, use_inner_text=True)


def _restart(page: Page, job: Job, sandbox: SandboxProcess) -> int:
    """Open the dialog, let the job move on behind it, be refused, look again and confirm; the number confirmed."""
    page.get_by_role("link", name="Restart…").click()
    dialog = page.get_by_role("dialog")
    first = fresh(job).successful_rows
    dialog.get_by_label("Type the number").fill(str(first))
    sandbox.faults(stalling(3))
    with worker(sandbox.url) as process:
        _resume_elsewhere(page, job)
        kill_with_purchases_in_the_air(job, process, bought=first + 3)
    dialog.get_by_role("button", name=f"Buy {first} labels again").click()
    expect(dialog.get_by_role("alert").filter(has_text="Nothing has been changed")).to_be_visible()
    assert count_of(job, EventKind.restarted) == 0

    named = fresh(job).successful_rows
    dialog.get_by_label("Type the number").fill(str(named))
    dialog.get_by_role("button", name=f"Buy {named} labels again").click()
    expect(page).to_have_url(re.compile(rf"/jobs/{job.pk}/"))
    return named


def _resume_elsewhere(page: Page, job: Job) -> None:
    """Somebody resumes the job in another tab."""
    other = page.context.new_page()
    other.goto(f"/recovery/{job.pk}/")
    other.get_by_role("button", name="Resume the job").click()
    expect(other).to_have_url(re.compile(rf"/jobs/{job.pk}/"))
    other.close()
