"""Charges that no row owns: found while somebody looks on, and decided, with script and without."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from shipping.models import Job, Label, Row
from shipping.states import RowStatus, VoidRequest
from tests.browser.conftest import NewWindow
from tests.comparing.listed import buy, compare
from tests.factories import make_interrupted_job, row_of
from tests.support.processes import worker
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def job(sandbox: SandboxProcess, clerk: User) -> Job:
    """Interrupted, and row 2 was bought behind our back."""
    job = make_interrupted_job(3, created_by=clerk)
    buy(job, 2)
    return job


def decide(page: Page, link: str, button: str) -> None:
    page.get_by_role("link", name=link).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("for row 2, Recipient 2?")
    page.get_by_role("button", name=button).click()


def test_what_a_comparison_finds_shows_by_itself_and_is_adopted(page: Page, job: Job, sandbox: SandboxProcess) -> None:
    page.goto(f"/recovery/{job.pk}/")
    section = page.locator("#comparison")
    with worker(sandbox.url):
        section.get_by_role("button", name="Compare with the carrier’s list").click()
        expect(section).to_contain_text("1 charge that no row owns")
        expect(page.locator("#resume-plan")).to_contain_text("Pays a second time for 1 row")
    decide(page, "Adopt…", "Adopt it")
    expect(page.get_by_role("status").filter(has_text="is recorded")).to_be_visible()
    expect(page.locator("#comparison")).not_to_contain_text("no row owns,")
    assert row_of(job, 2).status == RowStatus.completed


def test_on_the_desk_of_a_job_that_is_over_it_shows_by_itself_too(
    page: Page, job: Job, sandbox: SandboxProcess
) -> None:
    Job.objects.filter(pk=job.pk).update(status="cancelled")
    page.goto(f"/recovery/{job.pk}/review/")
    section = page.locator("#comparison")
    section.get_by_role("button", name="Compare with the carrier’s list").click()
    expect(section).to_contain_text("waits for a worker")
    with worker(sandbox.url):
        expect(section).to_contain_text("1 charge that no row owns")
    expect(section.get_by_role("button", name=re.compile("again"))).to_be_visible()


def test_without_script_it_is_voided(new_window: NewWindow, clerk: User, job: Job) -> None:
    page = new_window(clerk, java_script_enabled=False)
    page.goto(f"/recovery/{job.pk}/")
    page.get_by_role("button", name="Compare with the carrier’s list").click()
    expect(page.locator("#comparison")).to_contain_text("waits for a worker")
    compare_now(job)
    page.reload()
    decide(page, "Void…", "Record it and void it")
    expect(page.get_by_role("status").filter(has_text="its void is on its way")).to_be_visible()
    assert Label.objects.get(job=job).void_requested == VoidRequest.only
    assert Row.objects.get(job=job, number=2).status == RowStatus.pending


def compare_now(job: Job) -> None:
    """Do the comparison that is ordered."""
    compare(job)
