"""Uploads as the tests about them make them."""

from typing import IO, Any

import pytest
from django.contrib.auth.models import User
from django_tasks_db.models import DBTaskResult

from shipping.models import Upload
from shipping.orders import uploads

BAD = {"weight": "0", "to_zip": "1027"}


def receive(file: IO[bytes], actor: User | None = None, **options: Any) -> Upload:
    """Hand a file in, as “Spring” with the sandbox for its carrier."""
    wanted: dict[str, Any] = {"file_name": "orders.csv", "carrier": "sandbox", "name": "Spring"}
    return uploads.receive(file, actor=actor, **wanted | options)


def confirm(upload: Upload, actor: User | None = None, **options: Any) -> Upload:
    """Confirm what was shown, without starting the job unless told."""
    return uploads.confirm(upload.pk, actor=actor, **{"start": False, "revision": upload.revision} | options)


def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every file count as large, so that it is left to a worker."""
    monkeypatch.setattr(uploads, "AT_ONCE_BYTES", 0)


def tickets() -> list[list[int]]:
    """What the tickets for work on uploads say."""
    return [each.args_kwargs["args"] for each in DBTaskResult.objects.filter(task_path="shipping.tasks.work_upload")]
