"""Uploads in the hands of real workers, each killed with SIGKILL where it hurts."""

import pytest
from django.contrib.auth.models import User

from shipping.models import Event, Job, Sender, Upload
from shipping.orders.uploads import confirm
from shipping.states import EventKind, JobStatus, UploadStatus
from tests.orders.conftest import numbered_orders, order_file
from tests.orders.uploaded import large, receive
from tests.support.processes import wait_until, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

# So many that the work is still going on when its worker is killed, also on a busy machine.
ORDERS = 12_000
BAD_ROW = 17


def a_large_upload(
    monkeypatch: pytest.MonkeyPatch, clerk: User, *, faulty: bool, ships_at_once: bool = False
) -> Upload:
    large(monkeypatch)
    orders = numbered_orders(ORDERS)
    if faulty:
        orders[BAD_ROW - 1]["weight"] = "0"
    return receive(order_file(*orders), clerk, ships_at_once=ships_at_once)


def let_a_lease_pass() -> None:
    """The dead worker was heard of long ago."""
    Upload.objects.filter(beat__isnull=False).update(beat=0.0)
    Upload.objects.update(queued=0.0)


def is_at(upload: Upload, status: UploadStatus, rows: int = 0) -> bool:
    return Upload.objects.filter(pk=upload.pk, status=status, rows_read__gte=rows).exists()


def kill_while(sandbox: SandboxProcess, upload: Upload, status: UploadStatus, rows: int) -> None:
    with worker(sandbox.url, HEARTBEAT_SECONDS="0.05") as process:
        wait_until(lambda: is_at(upload, status, rows), 60, what=f"{status} beyond {rows} rows")
        process.kill()
    assert is_at(upload, status), "the work was over before its worker could be killed"
    let_a_lease_pass()


def test_a_check_that_was_killed_is_begun_again_by_another_worker(
    sandbox: SandboxProcess, sender: Sender, clerk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = a_large_upload(monkeypatch, clerk, faulty=True)
    kill_while(sandbox, upload, UploadStatus.checking, rows=1)
    with worker(sandbox.url, "--until-idle") as process:
        process.wait(60)
    upload.refresh_from_db()
    assert (upload.status, upload.rows, upload.bad_rows) == (UploadStatus.has_errors, ORDERS, 1)
    assert (upload.revision, upload.takes, upload.turn) == (1, 0, 2)
    assert not Job.objects.exists()


def test_an_import_that_was_killed_twice_has_each_row_once(
    sandbox: SandboxProcess, sender: Sender, clerk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = a_large_upload(monkeypatch, clerk, faulty=True)
    with worker(sandbox.url, "--until-idle") as process:
        process.wait(60)
    upload.refresh_from_db()
    upload = confirm(upload.pk, actor=clerk, start=False, revision=upload.revision, skip_bad=True)
    kill_while(sandbox, upload, UploadStatus.importing, rows=1_000)
    first_cut = Job.objects.get().total_rows
    kill_while(sandbox, upload, UploadStatus.importing, rows=first_cut + 500)
    job = Job.objects.get()
    assert 0 < first_cut < job.total_rows < ORDERS - 1
    assert not job.import_complete

    with worker(sandbox.url, "--until-idle") as process:
        process.wait(60)
    upload.refresh_from_db()
    job = Job.objects.get()
    assert (upload.status, upload.job) == (UploadStatus.imported, job)
    assert (job.status, job.import_complete, job.total_rows) == (JobStatus.pending, True, ORDERS - 1)
    rows = job.rows.order_by("number").values_list("number", "order_reference")
    assert list(rows) == [(number, f"R-{number}") for number in range(1, ORDERS + 1) if number != BAD_ROW]


def test_what_ships_at_once_starts_exactly_once_though_its_worker_was_killed(
    sandbox: SandboxProcess, sender: Sender, clerk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = a_large_upload(monkeypatch, clerk, faulty=False, ships_at_once=True)
    kill_while(sandbox, upload, UploadStatus.importing, rows=1_000)
    assert Job.objects.get().status == JobStatus.pending
    with worker(sandbox.url), worker(sandbox.url):
        wait_until(lambda: is_at(upload, UploadStatus.imported), 60, what="the import")
    job = Job.objects.get()
    assert (job.status, job.total_rows, job.rows.count()) == (JobStatus.running, ORDERS, ORDERS)
    assert Event.objects.filter(job=job, kind=EventKind.started).count() == 1
    assert Event.objects.filter(job=job, kind=EventKind.created).count() == 1
    assert set(job.runs.values_list("epoch", flat=True)) == {1}


def test_two_workers_with_the_same_ticket_do_the_work_once(
    sandbox: SandboxProcess, sender: Sender, clerk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shipping.tasks import work_upload

    upload = a_large_upload(monkeypatch, clerk, faulty=True)
    work_upload.enqueue(upload.pk)
    with worker(sandbox.url, "--until-idle") as one, worker(sandbox.url, "--until-idle") as other:
        one.wait(60)
        other.wait(60)
    upload.refresh_from_db()
    assert (upload.status, upload.turn, upload.revision) == (UploadStatus.has_errors, 1, 1)
