"""Moving an upload from state to state, under its lock."""

from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string

from shipping.models import Upload
from shipping.models.clock import book_now
from shipping.orders.checking import Corrections
from shipping.states import UPLOAD_TRANSITIONS, UploadStatus


def move(upload: Upload, status: UploadStatus) -> None:
    """Put a locked upload into another state, in memory. The state machine is checked."""
    if status not in UPLOAD_TRANSITIONS[UploadStatus(upload.status)]:
        raise ValueError(f"An upload can't go from {upload.status} to {status}.")
    upload.status = status


def corrections_of(upload: Upload) -> Corrections:
    """What was corrected, by row number."""
    return {int(row): values for row, values in upload.corrections.items()}


def fail(upload: Upload, problem: str) -> None:
    """End the work on a locked upload for good, saying why."""
    upload.problem = problem
    upload.takes = 0
    move(upload, UploadStatus.failed)
    upload.save()


def queue_after_commit(upload: Upload) -> None:
    """Put the work on an upload into the task queue after the commit, and note when, under its lock."""
    upload.queued = book_now()
    upload.save(update_fields=["queued"])
    upload_id = upload.pk
    transaction.on_commit(lambda: upload_task().enqueue(upload_id), robust=True)


def upload_task() -> Any:
    """The task that does the work. By name: the tasks stand above this and import it."""
    return import_string("shipping.tasks.work_upload")
