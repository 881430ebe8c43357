"""The main job on real input, end to end: a file is imported, shipped, killed, and recovered through the pages."""

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from shipping.models import Job, Label, Row
from shipping.states import EventKind, JobStatus, RowStatus
from tests.factories import make_sender
from tests.support.ledger import assert_books_equal_ledger, assert_one_charge_per_completed_row
from tests.support.processes import wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = Path(__file__).resolve().parents[2] / "shared" / "data" / "orders-200.csv"


@pytest.fixture
def browser(client: Client, clerk: User) -> Client:
    client.force_login(clerk)
    return client


@pytest.fixture
def job(capsys: pytest.CaptureFixture[str], browser: Client) -> Job:
    """The 200 real orders, imported at the terminal and started in the browser."""
    if not ORDERS.exists():
        pytest.skip(f"the shared orders are not there: {ORDERS.name}")
    make_sender()
    call_command("import_orders", str(ORDERS), "--name", "Spring catalogue", "--carrier", "sandbox")
    job_id = int(capsys.readouterr().out.split()[-1])
    assert browser.post(reverse("shipping:start", args=[job_id])).status_code == 302
    return Job.objects.get(pk=job_id)


def kill_half_way(job: Job, sandbox: SandboxProcess, rows: int) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "seconds": [0.05, 0.3]}])
    with worker(sandbox.url, SHIP_CONCURRENCY="16") as process:
        wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows >= rows, what=f"{rows} rows bought")
        process.kill()
    sandbox.faults([])


def page(browser: Client, name: str, job: Job) -> str:
    response = browser.get(reverse(f"recovery:{name}", args=[job.pk]))
    assert response.status_code == 200
    return response.content.decode()


def confirmation(html: str, form: str) -> str:
    """The hidden confirmation inside the form that posts to an address ending in `form`."""
    found = re.search(rf'action="[^"]*/{form}/".*?name="confirmation" value="([^"]+)"', html, re.DOTALL)
    assert found
    return found[1]


def ship_the_rest(job: Job, sandbox: SandboxProcess) -> Job:
    with worker(sandbox.url, SHIP_CONCURRENCY="16"):
        wait_until(lambda: Job.objects.get(pk=job.pk).status == JobStatus.completed, 90, what="the job completed")
    return Job.objects.get(pk=job.pk)


def test_a_killed_batch_is_resumed_on_the_recovery_page(browser: Client, job: Job, sandbox: SandboxProcess) -> None:
    kill_half_way(job, sandbox, 60)
    html = page(browser, "job", job)
    assert f"{Job.objects.get(pk=job.pk).successful_rows} of 200 bought" in html
    assert "interrupted" in browser.get("/").content.decode()
    response = browser.post(
        reverse("recovery:resume", args=[job.pk]), {"confirmation": confirmation(html, "resume"), "reason": "go on"}
    )
    assert response["Location"] == reverse("shipping:job", args=[job.pk])
    again = browser.post(
        reverse("recovery:resume", args=[job.pk]), {"confirmation": confirmation(html, "resume"), "reason": "twice"}
    )
    assert again.status_code in (302, 409)
    done = ship_the_rest(job, sandbox)
    assert done.successful_rows == 200
    assert done.events.filter(kind=EventKind.resumed).count() == 1
    assert sandbox.stats()["charges"] == 200
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)


def test_a_killed_batch_is_restarted_with_void_first(browser: Client, job: Job, sandbox: SandboxProcess) -> None:
    kill_half_way(job, sandbox, 20)
    with worker(sandbox.url):
        wait_until(lambda: not Row.objects.filter(job=job).owed().exists(), what="all doubts settled")
    named = Job.objects.get(pk=job.pk).successful_rows
    html = page(browser, "restart", job)
    response = browser.post(
        reverse("recovery:restart", args=[job.pk]),
        {
            "confirmation": confirmation(html, "restart"),
            "typed_rows": str(named),
            "void_first": "on",
            "reason": "wrong box",
        },
    )
    assert response.status_code == 302
    done = ship_the_rest(job, sandbox)
    stats = sandbox.stats()
    assert (done.successful_rows, stats["charges"], stats["refunded"]) == (200, 200 + named, named)
    assert Label.objects.filter(job=job, voided_at__isnull=False).count() == named
    assert done.spent_cents == sum(charge["cost_cents"] for charge in sandbox.ledger() if not charge["refund_status"])
    assert_books_equal_ledger(job, sandbox)
    assert_one_charge_per_completed_row(job, sandbox)


def test_a_killed_batch_is_cancelled_and_what_was_bought_stays(
    browser: Client, job: Job, sandbox: SandboxProcess
) -> None:
    kill_half_way(job, sandbox, 20)
    html = page(browser, "job", job)
    response = browser.post(
        reverse("recovery:cancel", args=[job.pk]), {"confirmation": confirmation(html, "cancel"), "reason": "no"}
    )
    assert response.status_code == 302
    with worker(sandbox.url):
        wait_until(lambda: not Row.objects.filter(job=job).owed().exists(), what="all doubts settled")
    job.refresh_from_db()
    assert job.status == JobStatus.cancelled
    assert job.successful_rows == sandbox.stats()["charges"]
    assert not Row.objects.filter(job=job, status=RowStatus.in_flight).exists()
    assert_books_equal_ledger(job, sandbox)
