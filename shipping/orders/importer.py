"""From a file of orders that was checked to a job: its rows go into the books in chunks.

An import that is killed leaves a job that is not wholly imported and can't be started. The same import again
goes on behind its last row; two of them at once share the work without doubling a row.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from typing import IO

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import reset_queries, transaction
from django.utils.translation import gettext as _

from shipping.carriers.registry import carrier_names
from shipping.models import Job, Row, Sender
from shipping.orders.checking import Corrections, FileReport, checked_rows
from shipping.orders.checks import CheckedRow
from shipping.orders.earlier import earlier_import, lock_digest, unfinished_import
from shipping.orders.kept import keep_file
from shipping.orders.sources import digest_of
from shipping.orders.tables import Table
from shipping.runs import record
from shipping.services import JobService, Refused
from shipping.states import EventKind, JobStatus

logger = logging.getLogger("onceship.orders")

# Errors that the job's own history keeps of the rows that were left out.
RECORDED_ERRORS = 100
# One transaction takes at most so many rows and so many characters of them: it holds SQLite's write lock.
CHUNK_ROWS = 500
CHUNK_CHARACTERS = 1_000_000
# As wide as the columns of Job.
LONGEST_NAME = 200
LONGEST_FILE_NAME = 255


class ImportRefused(Refused):
    """The file was not imported, or not to its end. The message is a sentence for the person."""


class RowsRefused(ImportRefused):
    """There are bad rows, and nobody said that the good ones may go without them."""


class DuplicateRefused(ImportRefused):
    """A job was made from the same file before, and nobody said that its labels are wanted once more."""


def require_readiness(*, name: str, carrier: str) -> Sender:
    """The sender that a new job would get. Raises ImportRefused when there is none, or for a name or a carrier that
    no job can have: worth asking before a long file is checked.
    """
    require_name_and_carrier(name=name, carrier=carrier)
    sender = Sender.objects.current()
    if sender is None:
        raise ImportRefused(_("No sender is set. Set the address that parcels come from: manage.py set_sender."))
    return sender


def require_name_and_carrier(*, name: str, carrier: str) -> None:
    """Raises ImportRefused for a name or a carrier that no job can have."""
    if not name.strip():
        raise ImportRefused(_("A job needs a name."))
    if len(name.strip()) > LONGEST_NAME:
        raise ImportRefused(_("The job's name has more than %(most)s characters.") % {"most": LONGEST_NAME})
    if carrier not in carrier_names():
        raise ImportRefused(
            _("No carrier named “%(carrier)s” is configured; there is %(carriers)s.")
            % {"carrier": carrier, "carriers": ", ".join(carrier_names())}
        )


def import_file(
    file: IO[bytes],
    report: FileReport,
    *,
    name: str,
    carrier: str,
    created_by: User | None = None,
    stop_on_error: bool = True,
    skip_bad: bool = False,
    allow_duplicate: bool = False,
) -> Job:
    """Make a job of a checked file, or finish the one that a killed import of it left behind.

    With `skip_bad` the good rows go without the bad; they keep their numbers. Raises ImportRefused when the report
    does not allow it, when the file is not the one that was checked, or when somebody cancels the job meanwhile.
    """
    sender = require_readiness(name=name, carrier=carrier)
    if report.bad_rows and not skip_bad:
        refusal = _(
            "%(bad)s of %(rows)s rows have errors; nothing was imported. Correct them, or import the good rows without"
            " the bad."
        ) % {"bad": intcomma(report.bad_rows), "rows": intcomma(report.rows)}
        raise RowsRefused(" ".join(filter(None, [refusal, report.duplicate])))
    if not report.good_rows:
        raise ImportRefused(
            _("None of the %(rows)s rows is without errors; nothing was imported.") % {"rows": intcomma(report.rows)}
        )
    with transaction.atomic():
        lock_digest(report.digest)
        job = unfinished_import(
            report.digest, name=name.strip(), carrier=carrier, stop_on_error=stop_on_error, skip_bad=skip_bad
        )
        if job is None:
            require_no_duplicate(report.digest, allow_duplicate=allow_duplicate)
            job = JobService().create_job(
                name=name,
                carrier=carrier,
                sender=sender,
                created_by=created_by,
                stop_on_error=stop_on_error,
                file_name=report.file_name[-LONGEST_FILE_NAME:],
                file_digest=report.digest,
                file_columns=list(report.table.layout.headers),
                import_complete=False,
            )
            _record_creation(job, report, actor=created_by, skip_bad=skip_bad)
        else:
            logger.info("Job %s was imported in part; its import goes on.", job.pk)
    fill(job, file, report.table, report.corrections)
    keep_file(job, file)
    return finish(job, file, report.good_rows)


def require_no_duplicate(digest: str, *, allow_duplicate: bool) -> None:
    """Raises DuplicateRefused when a job was made from the same file, unless its labels are wanted once more. Inside
    the transaction that makes the job, behind `lock_digest`.
    """
    if not allow_duplicate and (duplicate := earlier_import(digest, unfinished_too=True)):
        raise DuplicateRefused(duplicate)


def fill(
    job: Job,
    file: IO[bytes],
    table: Table,
    corrections: Corrections,
    progress: Callable[[int], None] = lambda _rows: None,
) -> None:
    """Put every good row into the books that is not there yet, a chunk for each transaction. `progress` is told of
    each row read, and may raise to break off. Raises ImportRefused when the job was cancelled meanwhile.
    """
    done = _last_number(job)
    chunk: list[Row] = []
    characters = 0
    with closing(checked_rows(file, table, corrections)) as rows:
        for _record, row in rows:
            progress(row.number)
            if row.errors or row.number <= done:
                continue
            chunk.append(_new_row(job, row))
            characters += sum(map(len, row.order.values())) + sum(map(len, row.extra.values()))
            if len(chunk) == CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
                _insert(job.pk, chunk)
                chunk, characters = [], 0
    if chunk:
        _insert(job.pk, chunk)


def finish(job: Job, file: IO[bytes], good_rows: int) -> Job:
    """Declare the job wholly imported, once it is certain that these are the rows of the file that was checked.
    Raises ImportRefused.
    """
    if digest_of(file) != job.file_digest:
        raise ImportRefused(
            _(
                "The file was changed while it was imported. Cancel job %(job_id)s, of which nothing was bought, and"
                " import the file again."
            )
            % {"job_id": job.pk}
        )
    with transaction.atomic():
        job = _lock_for_import(job.pk)
        if job.total_rows != good_rows:
            raise ImportRefused(
                _(
                    "Job %(job_id)s has %(total_rows)s rows, the file %(good_rows)s good ones. Cancel the job, of"
                    " which nothing was bought, and import the file again."
                )
                % {"job_id": job.pk, "total_rows": intcomma(job.total_rows), "good_rows": intcomma(good_rows)}
            )
        job.import_complete = True
        job.save(update_fields=["import_complete"])
    return job


# --- Parts -----------------------------------------------------------------------------------------------


def _record_creation(job: Job, report: FileReport, *, actor: User | None, skip_bad: bool) -> None:
    record(
        job,
        EventKind.created,
        actor=actor,
        file_name=report.file_name,
        rows=report.good_rows,
        skipped_rows=report.bad_rows,
        skip_bad=skip_bad,
        errors=[str(error) for error in report.errors[:RECORDED_ERRORS]],
        notices=list(report.notices),
    )


def _new_row(job: Job, row: CheckedRow) -> Row:
    return Row(
        job=job,
        number=row.number,
        order_reference=row.order.get("reference", ""),
        recipient=row.recipient,
        order=row.order,
        extra=row.extra,
        account=job.carrier,
    )


def _last_number(job: Job) -> int:
    return job.rows.order_by("-number").values_list("number", flat=True).first() or 0


def _insert(job_id: int, rows: list[Row]) -> None:
    """One chunk, without the rows that another import of the same file has put there meanwhile."""
    with transaction.atomic():
        job = _lock_for_import(job_id)
        last = _last_number(job)
        missing = [row for row in rows if row.number > last]
        Row.objects.bulk_create(missing)
        job.total_rows += len(missing)
        job.save(update_fields=["total_rows"])
    if settings.DEBUG:
        # Django keeps the text of each query then, which would grow with the file.
        reset_queries()


def _lock_for_import(job_id: int) -> Job:
    job = Job.objects.lock(job_id)
    # Another import of the same file may have finished it, and somebody may have started it since.
    if job.status != JobStatus.pending and not job.import_complete:
        raise ImportRefused(_("“%(job)s” was cancelled while it was imported.") % {"job": job.name})
    return job
