"""The files of labels: where they are kept, which are missing, and opening one."""

import os
from pathlib import Path

from django.contrib.auth.models import User
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import transaction

from shipping.carriers.port import LabelFile
from shipping.models import Job, Label
from shipping.outages import Outage, outage_of
from shipping.runs import record
from shipping.states import EventKind

SUFFIXES = {"application/pdf": ".pdf", "image/png": ".png", "application/zpl": ".zpl", "text/plain": ".txt"}


def file_name(job: Job, label: Label, row_number: int) -> str:
    """Where a label's file goes, without its suffix. The same label always gets the same name."""
    purchase = "".join(letter if letter.isalnum() else "-" for letter in label.purchase_id)
    return f"labels/{job.code}/{job.reference(row_number, label.attempt)}-{purchase}"


def store(name: str, file: LabelFile) -> str:
    """Keep a label's bytes in Django's storage; returns the name they are kept under. Raises OSError."""
    suffix = SUFFIXES.get(file.content_type.partition(";")[0].strip().lower(), ".bin")
    return default_storage.save(name + suffix, ContentFile(file.content))


def store_outage(label: Label) -> Outage | None:
    """Why a label's file can't be stored at this moment, as far as a look at its disk tells; of a storage elsewhere, it
    tells nothing.
    """
    try:
        place = Path(default_storage.path(file_name(label.job, label, label.row.number)))
        disk = os.statvfs(next(folder for folder in place.parents if folder.exists()))
    except NotImplementedError:
        return None
    except OSError as error:
        return outage_of(error)
    if disk.f_flag & os.ST_RDONLY:
        return Outage.read_only
    return Outage.disk_full if disk.f_bavail == 0 else None


def open_label(label: Label) -> File[bytes] | None:
    """The label's file, open for reading; None when it isn't there, whatever the books say. Changes nothing."""
    if not label.file:
        return None
    try:
        if label.file.size > 0:
            return label.file.open("rb")
    except OSError:
        pass
    return None


def note_missing_file(label: Label, *, actor: User | None = None) -> bool:
    """Have a label's file that the books have, and the storage has lost, fetched again by a worker; false when the
    storage does hold it, or it was noted already.
    """
    file = open_label(label)
    if file is not None:
        file.close()
        return False
    with transaction.atomic():
        job = Job.objects.lock(label.job_id)
        lost = Label.objects.filter(pk=label.pk, file=label.file.name).exclude(file="")
        if not lost.update(file="", fetch_after=0.0, fetch_failures=0):
            return False
        record(job, EventKind.label_file_missing, row=label.row, actor=actor, tracking_number=label.tracking_number)
    return True


def note_lost_files() -> int:
    """Look for every label's file in the storage; those that are gone are fetched again. Returns how many."""
    lost = 0
    after = 0
    # Page by page: on SQLite, a write inside an open read fails at once when somebody else wrote meanwhile.
    while page := list(Label.objects.kept_files().filter(pk__gt=after).select_related("row").order_by("pk")[:1000]):
        after = page[-1].pk
        for label in page:
            lost += note_missing_file(label)
    return lost
