"""The file that a job was made from, kept as it came in: for the results, and for whoever wants to look."""

from collections.abc import Iterator
from contextlib import closing
from typing import IO

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from shipping.models import Job
from shipping.orders.errors import OrderFileError
from shipping.orders.tables import open_table, read_records
from shipping.orders.workbooks import is_workbook


class KeptFileMissing(Exception):
    """The job has no file, or the storage has lost or changed it. The message is a sentence for the person."""


def keep_file(job: Job, file: IO[bytes]) -> None:
    """Keep a copy of the file that a job is made from, once. Raises OSError when the storage can't take it."""
    if job.file:
        return
    name = f"orders/{job.code}/{job.file_digest}{suffix(file)}"
    file.seek(0)
    stored = default_storage.save(name, File(file))
    with transaction.atomic():
        locked = Job.objects.lock(job.pk)
        locked.file = stored
        locked.save(update_fields=["file"])
    job.file = locked.file


def suffix(file: IO[bytes]) -> str:
    """How the name of a file of this kind ends, by its content. Raises OrderFileError for a kind that is not read."""
    return ".xlsx" if is_workbook(file) else ".csv"


def headers_of(job: Job) -> list[str]:
    """The file's own headers, in order."""
    return list(job.file_columns)


def records_of(job: Job) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of every order of the job's file, as they came in, lazily; also of those that were not
    imported. Cells are text, as many as there are headers at least. The database is not used.

    Raises KeptFileMissing, at the first order or when the file turns out to be damaged.
    """
    if not job.file:
        raise KeptFileMissing(_("The file of “%(job)s” was not kept.") % {"job": job.name})
    try:
        with default_storage.open(str(job.file), "rb") as file:
            table = open_table(file, job.file_mapping or None)
            if table.digest != job.file_digest:
                raise KeptFileMissing(_("The kept file of “%(job)s” is not the one that came in.") % {"job": job.name})
            width = len(table.layout.headers)
            with closing(read_records(file, table)) as records:
                for record in records:
                    yield record.number, record.cells + [""] * (width - len(record.cells))
    except (OSError, OrderFileError) as error:
        raise KeptFileMissing(f"The kept file of “{job.name}” can’t be read: {error}") from error
