"""A job and an upload in every state in which their pages look different."""

from collections.abc import Callable
from typing import IO

from django.contrib.auth.models import User

from shipping.models import Job, Sender, Upload
from shipping.orders import uploads
from shipping.states import ComparisonStatus, JobStatus, UploadStatus
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    halt_job,
    make_comparison,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    make_orphan,
    row_of,
    set_aside,
    skip_row,
)
from tests.orders.conftest import numbered_orders, order_file
from tests.views.uploading import bad_file, good_file


def _interrupted(clerk: User) -> Job:
    """Bought, failed, skipped, in doubt, in review and never begun; a bought row and one that waits were charged beside
    the books.
    """
    job = make_interrupted_job(12, completed=4, name="Autumn orders", created_by=clerk)
    fail_row(row_of(job, 5))
    skip_row(row_of(job, 6))
    claim_row(row_of(job, 7), due_in=-1)
    claim_row(row_of(job, 8), due_in=-1)
    set_aside(row_of(job, 9))
    make_comparison(job)
    make_orphan(row_of(job, 2))
    make_orphan(row_of(job, 12))
    return job


def _halted(clerk: User) -> Job:
    job = make_interrupted_job(6, completed=2, name="Spring catalogue", created_by=clerk)
    halt_job(row_of(job, 3))
    make_comparison(job, status=ComparisonStatus.ordered)
    return job


def _working(clerk: User) -> Job:
    job = make_job(300, status=JobStatus.running, name="Gift boxes", created_by=clerk)
    run = make_live_run(job)
    for number in range(1, 41):
        complete_row(row_of(job, number))
    claim_row(row_of(job, 41), run)
    return job


def _waiting_for_person(clerk: User) -> Job:
    job = make_job(3, status=JobStatus.running, name="Returns", created_by=clerk)
    complete_row(row_of(job, 1))
    fail_row(row_of(job, 2))
    set_aside(row_of(job, 3))
    make_comparison(job, status=ComparisonStatus.failed)
    return job


def _completed(clerk: User) -> Job:
    job = make_job(4, status=JobStatus.running, name="Samples", created_by=clerk)
    make_dead_run(job)
    for number in (1, 2, 3):
        complete_row(row_of(job, number))
    fail_row(row_of(job, 4))
    Job.objects.filter(pk=job.pk).update(status=JobStatus.completed)
    make_comparison(job)
    make_orphan(row_of(job, 4))
    return job


def _of_status(status: JobStatus) -> Callable[[User], Job]:
    def make(clerk: User) -> Job:
        job = make_job(4, status=JobStatus.running, name=f"A job that is {status.value}", created_by=clerk)
        complete_row(row_of(job, 1))
        Job.objects.filter(pk=job.pk).update(status=status)
        return job

    return make


JOBS: dict[str, Callable[[User], Job]] = {
    "interrupted": _interrupted,
    "halted": _halted,
    "working": _working,
    "waiting for a person": _waiting_for_person,
    "completed": _completed,
    "not started": lambda clerk: make_job(3, name="Not begun", created_by=clerk),
    "without rows": lambda clerk: make_job(0, name="Empty", created_by=clerk),
    "paused": _of_status(JobStatus.paused),
    "cancelled": _of_status(JobStatus.cancelled),
    "failed": _of_status(JobStatus.failed),
}


def make_jobs(clerk: User) -> dict[str, Job]:
    """One job in each state, by the state's name."""
    return {state: make(clerk) for state, make in JOBS.items()}


def make_uploads(clerk: User) -> dict[str, Upload]:
    """One upload in each state, by the state's name. Needs a sender, as every job has one."""
    made = {
        "needs mapping": _upload(clerk, order_file(*({"who": "Ada", **order} for order in numbered_orders(3)))),
        "has errors": _upload(clerk, bad_file()),
        "ready": _upload(clerk, good_file(24)),
        "imported": _upload(clerk, good_file(2)),
        "discarded": _upload(clerk, good_file(4)),
        "failed": _upload(clerk, good_file(5)),
        "checking": _upload(clerk, good_file(6)),
    }
    ready = made["imported"]
    sender = Sender.objects.current()
    assert sender is not None
    uploads.confirm(ready.pk, actor=clerk, start=False, revision=ready.revision, sender_id=sender.pk)
    uploads.discard(made["discarded"].pk)
    Upload.objects.filter(pk=made["failed"].pk).update(status=UploadStatus.failed, problem="The file is damaged.")
    Upload.objects.filter(pk=made["checking"].pk).update(status=UploadStatus.checking)
    return {state: Upload.objects.get(pk=upload.pk) for state, upload in made.items()}


def _upload(clerk: User, file: IO[bytes]) -> Upload:
    return uploads.receive(file, actor=clerk, file_name="orders.csv", carrier="sandbox", name="Spring")
