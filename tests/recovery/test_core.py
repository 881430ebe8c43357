"""The eight core cases: no job, partial progress, an error, the prompt, the prompt with an error, resume, the
restart's warning with its count, cancel.
"""

import pytest

import recovery
from recovery import (
    InterruptedJobInfo,
    RecoveryChoice,
    check_interrupted_jobs,
    get_recovery_prompt,
    handle_recovery_choice,
)
from shipping.models import Job
from shipping.services import JobService
from shipping.states import JobStatus
from tests.factories import halt_job, make_interrupted_job, make_job, row_of

pytestmark = pytest.mark.django_db


def test_no_interrupted_job(service: JobService) -> None:
    make_job(3)
    make_job(3, status=JobStatus.paused)
    assert check_interrupted_jobs(service) is None


def test_partial_progress(service: JobService) -> None:
    job = make_interrupted_job(10, completed=4)
    info = check_interrupted_jobs(service)
    assert info is not None
    assert (info.job_id, info.job_name) == (job.pk, "Autumn orders")
    assert (info.completed_rows, info.total_rows, info.remaining_rows) == (4, 10, 6)
    assert (info.last_row_number, info.last_recipient, info.highest_row_number) == (4, "Recipient 4", 4)
    label = row_of(job, 4).label
    assert label is not None
    assert info.last_tracking_number == label.tracking_number
    assert (info.cost, info.currency) == (3000, "USD")
    assert (info.error_code, info.error_message, info.error_row_number) == (None, None, None)


def test_an_error(service: JobService) -> None:
    job = make_interrupted_job(10, completed=4)
    halt_job(row_of(job, 5), code="ADDRESS.INVALID", message="No such street.")
    info = check_interrupted_jobs(service)
    assert info is not None
    assert (info.error_code, info.error_message, info.error_row_number) == ("ADDRESS.INVALID", "No such street.", 5)
    assert (info.completed_rows, info.failed_rows, info.remaining_rows) == (4, 1, 5)


def make_info(**changes: object) -> InterruptedJobInfo:
    facts: dict[str, object] = {
        "job_id": 1,
        "job_name": "Autumn orders",
        "completed_rows": 47,
        "total_rows": 200,
        "remaining_rows": 153,
        "last_row_number": 47,
        "last_tracking_number": "9400100000000000000047",
        "last_recipient": "Jane Doe",
    }
    return InterruptedJobInfo(**{**facts, **changes})  # type: ignore[arg-type]  # deliberately loose


def test_the_prompt() -> None:
    lines = get_recovery_prompt(make_info()).splitlines()
    assert lines[:3] == [
        "Job 'Autumn orders' was interrupted at row 47/200.",
        "Last completed: Row 47 (Jane Doe, tracking: 9400100000000000000047)",
        "Remaining: 153 rows",
    ]
    assert [line.split()[0] for line in lines[-3:]] == ["[resume]", "[restart]", "[cancel]"]
    assert "duplicate" in lines[-2]
    assert not any("error" in line for line in lines)


def test_the_prompt_with_an_error() -> None:
    info = make_info(error_code="ADDRESS.INVALID", error_message="No such street.", error_row_number=48)
    lines = get_recovery_prompt(info).splitlines()
    at = lines.index("Last error: ADDRESS.INVALID: No such street.")
    assert lines[at + 1] == "Resume will retry from the failed row."


def test_resume(service: JobService) -> None:
    job = make_interrupted_job(10, completed=4)
    result = handle_recovery_choice(RecoveryChoice.resume, job.pk, service)
    assert (result["action"], result["job_id"]) == ("resume", job.pk)
    assert result["message"].startswith("Resuming")
    assert Job.objects.get(pk=job.pk).status == JobStatus.running
    assert check_interrupted_jobs(service) is None


def test_the_restart_warns_with_the_count_and_changes_nothing(service: JobService) -> None:
    job = make_interrupted_job(10, completed=4)
    before = Job.objects.filter(pk=job.pk).values().get()
    result = handle_recovery_choice("restart", job.pk, service)
    assert (result["action"], result["job_id"]) == ("restart", job.pk)
    assert result["requires_confirmation"] is True
    assert result["completed_rows_with_tracking"] == 4
    assert result["warning"] == (
        "WARNING: 4 rows already have tracking numbers. Restarting will create duplicate shipments for these rows."
        " Consider using 'resume' instead."
    )
    assert (result["cost_cents"], result["again_cents"], result["currency"]) == (3000, 3000, "USD")
    assert result["confirmation"]
    assert Job.objects.filter(pk=job.pk).values().get() == before
    assert check_interrupted_jobs(service) is not None


def test_cancel(service: JobService) -> None:
    job = make_interrupted_job(10, completed=4)
    result = handle_recovery_choice(RecoveryChoice.cancel, job.pk, service)
    assert (result["action"], result["job_id"]) == ("cancel", job.pk)
    assert "no further rows will be processed" in result["message"]
    assert Job.objects.get(pk=job.pk).status == JobStatus.cancelled
    assert check_interrupted_jobs(service) is None


def test_the_package_hands_on_exactly_the_five_names() -> None:
    assert recovery.__all__ == [
        "InterruptedJobInfo",
        "RecoveryChoice",
        "check_interrupted_jobs",
        "get_recovery_prompt",
        "handle_recovery_choice",
    ]
    assert [choice.name for choice in RecoveryChoice] == ["resume", "restart", "cancel"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = recovery.nothing
