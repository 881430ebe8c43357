"""From a file of orders to a job: first everything is checked, then the rows go into the books in chunks.

An import that is killed leaves a job that is not wholly imported and can't be started. The same import again
goes on behind its last row; two of them at once share the work without doubling a row.
"""

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import IO

from django.conf import settings
from django.contrib.auth.models import User
from django.db import reset_queries, transaction

from shipping.carriers.registry import carrier_names
from shipping.models import Job, Row, Sender
from shipping.orders.checks import CheckedRow, RowChecker
from shipping.orders.columns import Layout
from shipping.orders.earlier import earlier_import, lock_digest, unfinished_import
from shipping.orders.errors import OrderFileError, RowError, shown
from shipping.orders.readers import Table, digest_of, open_table, read_records
from shipping.runs import record
from shipping.services import JobService, Refused
from shipping.states import EventKind, JobStatus

logger = logging.getLogger("onceship.orders")

# Errors beyond these are counted, not kept.
KEPT_ERRORS = 1_000
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What a check found. `errors` are the first KEPT_ERRORS of `error_count`; `duplicate` tells which job was
    made from the same file before, empty when none was or when that is wanted.
    """

    file_name: str
    table: Table
    good_rows: int
    bad_rows: int
    errors: tuple[RowError, ...]
    error_count: int
    duplicate: str
    notices: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The file's SHA-256 in hex."""
        return self.table.digest

    @property
    def rows(self) -> int:
        return self.good_rows + self.bad_rows

    @property
    def ok(self) -> bool:
        """Whether the whole file can be imported as it is."""
        return not self.bad_rows and not self.duplicate


def check_file(file: IO[bytes], *, file_name: str, allow_duplicate: bool = False) -> FileReport:
    """Check every order of a file, without touching the books.

    Raises OrderFileError when the file as a whole can't be read as a table of orders.
    """
    table = open_table(file)
    errors: list[RowError] = []
    good_rows = bad_rows = error_count = 0
    with closing(_checked_rows(file, table)) as rows:
        for row in rows:
            if row.errors:
                bad_rows += 1
                error_count += len(row.errors)
                errors += row.errors[: KEPT_ERRORS - len(errors)]
            else:
                good_rows += 1
    if not good_rows + bad_rows:
        raise OrderFileError("The file has a header but no orders.")
    return FileReport(
        file_name=file_name,
        table=table,
        good_rows=good_rows,
        bad_rows=bad_rows,
        errors=tuple(errors),
        error_count=error_count,
        duplicate="" if allow_duplicate else earlier_import(table.digest),
        notices=(*table.notices, *_column_notices(table.layout)),
    )


def require_readiness(*, name: str, carrier: str) -> Sender:
    """The sender that a new job would get. Raises ImportRefused when there is none, or for a name or a carrier that
    no job can have: worth asking before a long file is checked.
    """
    if not name.strip():
        raise ImportRefused("A job needs a name.")
    if len(name.strip()) > LONGEST_NAME:
        raise ImportRefused(f"The job's name has more than {LONGEST_NAME} characters.")
    if carrier not in carrier_names():
        raise ImportRefused(f"No carrier named “{carrier}” is configured; there is {', '.join(carrier_names())}.")
    sender = Sender.objects.current()
    if sender is None:
        raise ImportRefused("No sender is set. Set the address that parcels come from: manage.py set_sender.")
    return sender


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
        raise RowsRefused(
            f"{report.bad_rows:,} of {report.rows:,} rows have errors; nothing was imported. Correct them, or import"
            f" the good rows without the bad. {report.duplicate}".rstrip()
        )
    if not report.good_rows:
        raise ImportRefused(f"None of the {report.rows:,} rows is without errors; nothing was imported.")
    with transaction.atomic():
        lock_digest(report.digest)
        job = unfinished_import(
            report.digest, name=name.strip(), carrier=carrier, stop_on_error=stop_on_error, skip_bad=skip_bad
        )
        if job is None:
            if not allow_duplicate and (duplicate := earlier_import(report.digest, unfinished_too=True)):
                raise DuplicateRefused(duplicate)
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
    _fill(job, file, report)
    return _finish(job, file, report)


# --- Parts -----------------------------------------------------------------------------------------------


def _checked_rows(file: IO[bytes], table: Table) -> Generator[CheckedRow, None, None]:
    with closing(RowChecker(table.layout)) as checker, closing(read_records(file, table)) as records:
        for each in records:
            yield checker.check(each)


def _column_notices(layout: Layout) -> Iterator[str]:
    if layout.extra:
        names = ", ".join(f"“{shown(layout.headers[place])}”" for place in layout.extra)
        yield f"Kept for the results but not sent to the carrier: {names}."
    if "to_country" not in layout.places:
        yield "The file has no country column: every order goes to the United States."
    for column, factor in layout.factors.items():
        if factor != 1:
            unit = "ounces" if column == "weight" else "inches"
            yield f"“{shown(layout.header(column))}” is converted to {unit} (1 is {factor:.6g} {unit})."


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


def _fill(job: Job, file: IO[bytes], report: FileReport) -> None:
    """Put every good row into the books that is not there yet, a chunk for each transaction."""
    done = _last_number(job)
    chunk: list[Row] = []
    characters = 0
    with closing(_checked_rows(file, report.table)) as rows:
        for row in rows:
            if row.errors or row.number <= done:
                continue
            chunk.append(_new_row(job, row))
            characters += sum(map(len, row.order.values())) + sum(map(len, row.extra.values()))
            if len(chunk) == CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
                _insert(job.pk, chunk)
                chunk, characters = [], 0
    if chunk:
        _insert(job.pk, chunk)


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


def _finish(job: Job, file: IO[bytes], report: FileReport) -> Job:
    """Declare the job wholly imported, once it is certain that these are the rows of the file that was checked."""
    if digest_of(file) != report.digest:
        raise ImportRefused(
            f"The file was changed while it was imported. Cancel job {job.pk}, of which nothing was bought, and import"
            " the file again."
        )
    with transaction.atomic():
        job = _lock_for_import(job.pk)
        if job.total_rows != report.good_rows:
            raise ImportRefused(
                f"Job {job.pk} has {job.total_rows:,} rows, the file {report.good_rows:,} good ones. Cancel the job, of"
                " which nothing was bought, and import the file again."
            )
        job.import_complete = True
        job.save(update_fields=["import_complete"])
    return job


def _lock_for_import(job_id: int) -> Job:
    job = Job.objects.lock(job_id)
    # Another import of the same file may have finished it, and somebody may have started it since.
    if job.status != JobStatus.pending and not job.import_complete:
        raise ImportRefused(f"“{job.name}” was cancelled while it was imported.")
    return job
