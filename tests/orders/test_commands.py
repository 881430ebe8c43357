"""`manage.py set_sender` and `manage.py import_orders`: what they print, and their exit codes."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from shipping.models import Job, Run, Sender
from shipping.orders.kept import records_of
from shipping.states import JobStatus
from tests.orders.conftest import numbered_orders, order_file
from tests.orders.workbooks import order, workbook

BAD = {"weight": "0"}
SENDER = [
    "--name=Warehouse", "--street1=417 Montgomery Street", "--city=San Francisco", "--state=CA", "--zip=94104",
    "--country=US", "--phone=4155550100",
]  # fmt: skip


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_bytes(order_file(*numbered_orders(3)).read())
    return path


@pytest.fixture
def bad_orders(tmp_path: Path) -> Path:
    path = tmp_path / "bad.csv"
    path.write_bytes(order_file(*numbered_orders(2), BAD, {"Note": "x"}).read())
    return path


def import_orders(path: Path, *options: str) -> tuple[list[str], str]:
    """The lines of stdout, and stderr."""
    stdout, stderr = io.StringIO(), io.StringIO()
    call_command(
        "import_orders", str(path), "--name=Spring", "--carrier=sandbox", *options, stdout=stdout, stderr=stderr
    )
    return stdout.getvalue().splitlines(), stderr.getvalue()


def refusal(path: Path, *options: str) -> tuple[str, str]:
    """The message of the error that ends the command with exit code 1, and what stood on stderr before it."""
    stderr = io.StringIO()
    with pytest.raises(CommandError) as refused:
        call_command(
            "import_orders", str(path), "--name=Spring", "--carrier=sandbox", *options, stderr=stderr, no_color=True
        )
    assert refused.value.returncode == 1
    return str(refused.value), stderr.getvalue()


def test_the_file_is_kept_with_the_job_as_it_came_in(sender: Sender, orders: Path) -> None:
    import_orders(orders)
    job = Job.objects.get()
    assert job.file.name == f"orders/{job.code}/{job.file_digest}.csv"
    with job.file.open("rb") as file:
        assert file.read() == orders.read_bytes()
    assert [number for number, _cells in records_of(job)] == [1, 2, 3]


def test_a_workbook_is_imported_like_a_table_of_text(sender: Sender, tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    path.write_bytes(workbook(order(), order(order="R-2", weight=8.5)).read())
    import_orders(path)
    job = Job.objects.get()
    assert str(job.file).endswith(".xlsx")
    assert [row.order["weight"] for row in job.rows.order_by("number")] == ["12", "8.5"]
    assert [cells[0] for _number, cells in records_of(job)] == ["R-1", "R-2"]


def test_the_last_line_is_the_job_id_alone(sender: Sender, orders: Path) -> None:
    lines, errors = import_orders(orders)
    job = Job.objects.get()
    assert lines[-1] == str(job.pk)
    assert "3 orders of orders.csv" in lines[0]
    assert errors == ""
    assert (job.status, job.total_rows, job.stop_on_error, job.created_by) == (JobStatus.pending, 3, True, None)


def test_options_reach_the_job(sender: Sender, orders: Path, clerk: User) -> None:
    import_orders(orders, "--keep-going", "--user=clerk")
    job = Job.objects.get()
    assert (job.stop_on_error, job.created_by) == (False, clerk)
    assert job.events.get().actor == clerk


def test_it_starts_the_job_when_told(sender: Sender, orders: Path, clerk: User) -> None:
    lines, _errors = import_orders(orders, "--start", "--user=clerk")
    job = Job.objects.get(pk=int(lines[-1]))
    assert job.status == JobStatus.running
    assert Run.objects.filter(job=job).exists()
    assert job.events.get(kind="started").actor == clerk


def test_errors_go_to_stderr_by_row_and_column(sender: Sender, bad_orders: Path) -> None:
    message, errors = refusal(bad_orders)
    assert "Row 3 (line 4), weight “0”: A weight is a number larger than 0" in errors
    assert "1 errors in 1 of 4 rows" in errors
    assert "Notice: Kept for the results" in errors
    assert message.startswith("bad.csv: 1 of 4 rows have errors; nothing was imported.")
    assert "--skip-bad" in message
    assert not Job.objects.exists()


def test_skip_bad_imports_the_good_rows_and_still_tells_the_errors(sender: Sender, bad_orders: Path) -> None:
    lines, errors = import_orders(bad_orders, "--skip-bad")
    job = Job.objects.get(pk=int(lines[-1]))
    assert list(job.rows.values_list("number", flat=True)) == [1, 2, 4]
    assert "Row 3 (line 4), weight" in errors


def test_many_errors_are_cut_and_counted(sender: Sender, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(order_file(*([BAD] * 1001)).read())
    _message, errors = refusal(path)
    assert errors.count("Row ") == 1000
    assert "… and 1 more errors." in errors


def test_the_same_file_again_needs_allow_duplicate(sender: Sender, orders: Path) -> None:
    import_orders(orders)
    message, _errors = refusal(orders)
    assert f"imported before, as job {Job.objects.get().pk}" in message
    assert "--allow-duplicate" in message
    import_orders(orders, "--allow-duplicate")
    assert Job.objects.count() == 2


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "The file is empty."), (b"PK\x03\x04", "or as CSV"), (b"a,b\n1,2\n", "None of the columns")],
)
def test_a_file_that_is_no_table_is_refused_by_name(sender: Sender, tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    message, _errors = refusal(path)
    assert message.startswith("odd.csv: ")
    assert part in message
    assert not Job.objects.exists()


def test_what_can_not_be_read_is_refused(sender: Sender, tmp_path: Path) -> None:
    assert "absent.csv can't be read: No such file" in refusal(tmp_path / "absent.csv")[0]
    assert "can't be read: Is a directory" in refusal(tmp_path)[0]


def test_an_unknown_user_is_refused_before_the_file_is_read(sender: Sender, orders: Path) -> None:
    assert refusal(orders, "--user=nobody")[0] == "There is no user “nobody”."
    assert not Job.objects.exists()


def test_a_missing_sender_is_told_before_the_file_is_read(db: None, tmp_path: Path) -> None:
    assert "manage.py set_sender" in refusal(tmp_path / "absent.csv")[0]


def test_set_sender_sets_the_sender(db: None) -> None:
    output = io.StringIO()
    call_command("set_sender", *SENDER, "--company=Onceship", stdout=output)
    sender = Sender.objects.get()
    assert (sender.name, sender.company, sender.zip) == ("Warehouse", "Onceship", "94104")
    assert "The sender is now Warehouse" in output.getvalue()
    call_command("set_sender", *SENDER, "--company=Onceship", stdout=output)
    assert "The sender is still Warehouse" in output.getvalue()
    assert Sender.objects.count() == 1


def test_set_sender_names_each_wrong_option(db: None) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("set_sender", *SENDER, "--zip=9410", "--state=XX")
    assert "--zip: A ZIP code has 5 or 9 digits" in str(refused.value)
    assert "--state: This is no US state" in str(refused.value)
    assert not Sender.objects.exists()


@pytest.mark.parametrize("missing", range(len(SENDER)))
def test_set_sender_needs_each_of_its_options(db: None, missing: int) -> None:
    options: list[Any] = [option for place, option in enumerate(SENDER) if place != missing]
    with pytest.raises(CommandError, match="required"):
        call_command("set_sender", *options)
