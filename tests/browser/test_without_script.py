"""Everything works with JavaScript off."""

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from shipping.models import Job, Row, Sender
from shipping.project.sample import write_sample_orders
from shipping.states import EventKind, JobStatus
from tests.browser.conftest import PHONE, NewWindow
from tests.browser.shipping import (
    count_of,
    fresh,
    hurry,
    kill_with_purchases_in_the_air,
    stalling,
    wait_until_completed,
)
from tests.browser.watching import Watch
from tests.factories import complete_row, make_interrupted_job, make_job, row_of
from tests.support.ledger import assert_books_equal_ledger
from tests.support.processes import worker
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def plain(new_window: NewWindow, clerk: User) -> Page:
    """The clerk's phone, without JavaScript."""
    return new_window(clerk, java_script_enabled=False, viewport=PHONE)


def test_a_job_is_started_killed_restarted_and_done(plain: Page, clerk: User, sandbox: SandboxProcess) -> None:
    sandbox.faults(stalling(6))
    job = make_job(16, created_by=clerk)
    with worker(sandbox.url) as process:
        plain.goto("/")
        plain.get_by_role("link", name=job.name).click()
        plain.get_by_role("button", name="Start: buy 16 labels").click()
        kill_with_purchases_in_the_air(job, process)

    plain.get_by_role("link", name="Reload").click()
    plain.get_by_role("link", name=re.compile("interrupted", re.IGNORECASE)).first.click()
    plain.get_by_role("link", name="See what happened and decide").first.click()
    expect(plain.get_by_role("heading", level=1)).to_contain_text("interrupted")
    plain.get_by_role("link", name="Restart…").click()
    named = fresh(job).successful_rows
    plain.get_by_label("Type the number").fill(str(named))
    plain.get_by_role("button", name=f"Buy {named} labels again").click()
    expect(plain).to_have_url(re.compile(rf"/jobs/{job.pk}/"))

    hurry(sandbox)
    with worker(sandbox.url):
        wait_until_completed(job)
    plain.get_by_role("link", name="Reload").click()
    expect(plain.locator("#live")).to_contain_text("16 of 16")
    assert Row.objects.filter(job=job, attempt=2).count() == named
    assert sandbox.stats()["charges"] == 16 + named
    assert_books_equal_ledger(job, sandbox)


def _interrupted() -> Job:
    return make_interrupted_job(5, completed=2)


def test_a_stale_restart_is_refused(plain: Page, watch: Watch) -> None:
    job = _interrupted()
    watch.expect(409)
    plain.goto(f"/recovery/{job.pk}/restart/")
    complete_row(row_of(job, 3))
    plain.get_by_label("Type the number").fill("3")
    plain.get_by_role("button", name=re.compile("^Buy")).click()

    expect(plain.get_by_role("alert").filter(has_text="Nothing has been changed")).to_be_visible()
    assert count_of(job, EventKind.restarted) == 0


@pytest.mark.parametrize(
    ("button", "status", "said"),
    [
        ("Resume the job", JobStatus.running, "Resuming"),
        ("Cancel the job", JobStatus.cancelled, "no further rows will be processed"),
    ],
)
def test_resume_and_cancel(plain: Page, button: str, status: JobStatus, said: str) -> None:
    job = _interrupted()
    plain.goto(f"/recovery/{job.pk}/")
    plain.get_by_role("button", name=button).click()

    expect(plain.locator("#messages")).to_contain_text(said)
    assert fresh(job).status == status


def test_a_file_is_uploaded_mapped_and_made_a_job(plain: Page, sender: Sender, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    write_sample_orders(file, 3)
    file.write_text(file.read_text(encoding="utf-8").replace("to_name", "Who gets it", 1), encoding="utf-8")
    plain.goto("/uploads/new/")
    plain.locator("#id_file").set_input_files(file)
    plain.get_by_role("button", name="Upload and check").click()
    plain.get_by_label("Who gets it").select_option("to_name")
    plain.get_by_role("button", name="Use these columns and check the file").click()
    plain.get_by_role("button", name="Create without starting").click()

    expect(plain).to_have_url(re.compile(r"/jobs/\d+/"))
    job = Job.objects.get()
    assert (job.total_rows, job.status) == (3, JobStatus.pending)
