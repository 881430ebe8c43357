"""Makes the pictures of docs/images: `make screenshots`. No test by name, so that only this command makes them.

The product runs as in the other tests of this directory: real web server, sandbox carrier, workers that are killed.
The orders are the sample's, so the pictures change only with the pages; times and tracking numbers are of the day.
"""

import io
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect

from shipping.models import Job, Row
from shipping.orders.senders import set_sender
from shipping.project.sample import write_sample_orders
from shipping.states import RowStatus
from tests.browser.conftest import NewWindow
from tests.browser.shipping import SLOW, hurry, kill_with_purchases_in_the_air, stalling
from tests.factories import set_aside
from tests.support.processes import ROOT, wait_until, worker
from tests.support.sandbox import SandboxProcess

IMAGES = ROOT / "docs" / "images"
WIDE: ViewportSize = {"width": 1100, "height": 800}
TALL_PHONE: ViewportSize = {"width": 390, "height": 1400}
COLOURS = 128
MOST_BYTES = 200_000


@pytest.fixture(autouse=True)
def people_and_sender(clerk: User) -> None:
    """A name that reads well, and a warehouse."""
    User.objects.filter(pk=clerk.pk).update(username="maya")
    set_sender(
        name="Hollow Tree Goods",
        street1="1120 NW Couch St",
        city="Portland",
        state="OR",
        zip="97209",
        country="US",
        phone="555-555-0100",
    )


def _orders(directory: Path, rows: int, headers: dict[str, str] | None = None) -> Path:
    file = directory / "Spring catalogue.csv"
    write_sample_orders(file, rows)
    text = file.read_text(encoding="utf-8")
    for name, header in (headers or {}).items():
        text = text.replace(name, header, 1)
    file.write_text(text, encoding="utf-8")
    return file


def _imported(directory: Path, rows: int) -> Job:
    """A job of sample orders, started."""
    output = io.StringIO()
    file = str(_orders(directory, rows))
    options = {"name": "Spring catalogue", "carrier": "sandbox", "user": "maya", "start": True}
    call_command("import_orders", file, stdout=output, **options)
    return Job.objects.get(pk=int(output.getvalue().splitlines()[-1]))


def _interrupted(directory: Path, sandbox: SandboxProcess) -> Job:
    """Killed with purchases in the air."""
    sandbox.faults(stalling(80))
    job = _imported(directory, 200)
    with worker(sandbox.url) as process:
        kill_with_purchases_in_the_air(job, process, bought=80)
    hurry(sandbox)
    return job


def _take(page: Page, name: str, *, whole: bool = True) -> None:
    """Write the page as a small PNG of few colours."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    picture = Image.open(io.BytesIO(page.screenshot(full_page=whole, animations="disabled", caret="initial")))
    few_colours = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    few_colours.save(path, optimize=True)
    assert path.stat().st_size < MOST_BYTES, f"{path.name} takes {path.stat().st_size} bytes"


def test_upload(new_window: NewWindow, clerk: User, sandbox: SandboxProcess, tmp_path: Path) -> None:
    page = new_window(clerk, viewport=WIDE)
    page.goto("/uploads/new/")
    page.locator("#id_file").set_input_files(_orders(tmp_path, 163, {"to_name": "Deliver to", "to_zip": "Area"}))
    page.get_by_role("button", name="Upload and check").click()
    page.get_by_label("Deliver to").select_option("to_name")
    page.get_by_label("Area").select_option("to_zip")
    _take(page, "upload-columns", whole=False)
    page.get_by_role("button", name="Use these columns and check the file").click()
    page.get_by_role("button", name="Ask the carrier for prices of a sample").click()
    expect(page.locator(".estimate")).to_contain_text("$")
    _take(page, "upload-preview")


def test_working(new_window: NewWindow, clerk: User, sandbox: SandboxProcess, tmp_path: Path) -> None:
    sandbox.faults(SLOW)
    job = _imported(tmp_path, 200)
    page = new_window(clerk, viewport=WIDE)
    with worker(sandbox.url):
        wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows >= 60, what="60 labels")
        page.goto(f"/jobs/{job.pk}/")
        _take(page, "job", whole=False)


def test_recovery(new_window: NewWindow, clerk: User, sandbox: SandboxProcess, tmp_path: Path) -> None:
    job = _interrupted(tmp_path, sandbox)
    address = f"/recovery/{job.pk}/"
    page = new_window(clerk, viewport=WIDE)
    page.goto("/")
    _take(page, "jobs", whole=False)
    page.goto(address)
    _take(page, "recovery")
    page.get_by_role("link", name="Restart…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    _take(page, "restart", whole=False)
    phone = new_window(clerk, viewport=TALL_PHONE, color_scheme="dark")
    phone.goto(address)
    _take(phone, "recovery-phone-dark", whole=False)


def test_review(new_window: NewWindow, clerk: User, sandbox: SandboxProcess, tmp_path: Path) -> None:
    job = _interrupted(tmp_path, sandbox)
    for row in Row.objects.filter(job=job, status=RowStatus.pending).order_by("number")[:2]:
        set_aside(row, answer="The carrier could not say: it answered 503 eight times.")
    page = new_window(clerk, viewport=WIDE)
    page.goto(f"/recovery/{job.pk}/review/")
    expect(page.get_by_role("heading", level=2).filter(has_text=re.compile("Row"))).not_to_have_count(0)
    _take(page, "review", whole=False)
