"""Real imports, each in a process of its own: killed with SIGKILL, two at once, and with the database locked."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction

from shipping.models import Job
from tests.factories import make_sender
from tests.orders.conftest import numbered_orders, order_file

ORDERS = 6_000
BAD_ROW = 17
WAIT_SECONDS = 60.0


def database_url() -> str:
    """The tests' own database, for a process that does not know that it is one of tests."""
    about = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{about['NAME']}"
    return f"postgres://{about['USER']}:{about['PASSWORD']}@{about['HOST']}:{about['PORT']}/{about['NAME']}"


def start_import(path: Path, *, busy_seconds: float = 20.0) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", "import_orders", str(path), "--name=Big", "--carrier=sandbox", "--skip-bad"]
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "HTTPS": "false",
        "DATABASE_BUSY_SECONDS": f"{busy_seconds}",
        "LEASE_SECONDS": "90",
    }
    return subprocess.Popen(
        command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    try:
        output, errors = process.communicate(timeout=WAIT_SECONDS)
    finally:
        process.kill()
        process.wait(WAIT_SECONDS)
    return process.returncode, output, errors


def rows_in_the_books() -> int:
    return sum(Job.objects.values_list("total_rows", flat=True))


def kill_in_the_middle(path: Path, *, beyond: int) -> None:
    process = start_import(path)
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        while rows_in_the_books() <= beyond:
            assert process.poll() is None, "the import was over before it could be killed"
            assert time.monotonic() < deadline, "the import never got that far"
            time.sleep(0.005)
    finally:
        process.kill()
        process.communicate(timeout=WAIT_SECONDS)


@pytest.mark.django_db(transaction=True)
def test_after_two_kills_each_row_is_in_the_books_once(tmp_path: Path) -> None:
    make_sender()
    orders = numbered_orders(ORDERS)
    orders[BAD_ROW - 1]["weight"] = "0"
    path = tmp_path / "big.csv"
    path.write_bytes(order_file(*orders).read())

    kill_in_the_middle(path, beyond=0)
    first_cut = rows_in_the_books()
    kill_in_the_middle(path, beyond=first_cut)
    second_cut = rows_in_the_books()
    job = Job.objects.get()
    assert 0 < first_cut < second_cut < ORDERS - 1
    assert not job.import_complete
    assert job.rows.count() == job.total_rows

    status, output, _errors = finish(start_import(path))
    assert status == 0
    assert output.splitlines()[-1] == str(job.pk)
    job = Job.objects.get()
    assert job.import_complete
    assert job.total_rows == ORDERS - 1
    rows = job.rows.order_by("number").values_list("number", "order_reference", "recipient")
    expected = [(each, f"R-{each}", f"Recipient {each}") for each in range(1, ORDERS + 1) if each != BAD_ROW]
    assert list(rows) == expected


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_one_file_at_once_make_one_job(tmp_path: Path) -> None:
    make_sender()
    path = tmp_path / "big.csv"
    path.write_bytes(order_file(*numbered_orders(ORDERS)).read())
    outcomes = [finish(process) for process in [start_import(path), start_import(path)]]
    job = Job.objects.get()
    assert job.import_complete
    assert list(job.rows.order_by("number").values_list("number", flat=True)) == list(range(1, ORDERS + 1))
    assert job.total_rows == ORDERS
    # Either shared the work, or came when the other was done.
    for status, output, errors in outcomes:
        assert (status == 0 and output.splitlines()[-1] == str(job.pk)) or "imported before" in errors
    assert 0 in [status for status, _output, _errors in outcomes]


@pytest.mark.django_db(transaction=True)
def test_a_locked_database_ends_an_import_with_a_sentence(tmp_path: Path) -> None:
    make_sender()
    path = tmp_path / "orders.csv"
    path.write_bytes(order_file(*numbered_orders(3)).read())
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE shipping_job IN ACCESS EXCLUSIVE MODE")
        status, _output, errors = finish(start_import(path, busy_seconds=0.2))
    assert status == 1
    assert "Run the same command again" in errors
    assert "Traceback" not in errors
    assert finish(start_import(path))[0] == 0
    assert Job.objects.get().total_rows == 3
