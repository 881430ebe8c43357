"""What people do with uploads: hand a file in, say what its columns mean, correct it, confirm it, throw it away.

Each command checks the state under the upload's lock, changes it, and has the work done that follows: at once for
small files, so that a page without scripts shows the result; by a worker for others.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import IO

from django.contrib.auth.models import User
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from shipping.models import Sender, Upload
from shipping.models.clock import book_now
from shipping.orders import mapping as mappings
from shipping.orders.columns import HeaderMapping
from shipping.orders.errors import OrderFileError, shown
from shipping.orders.importer import LONGEST_FILE_NAME, LONGEST_NAME, require_name_and_carrier
from shipping.orders.kept import suffix
from shipping.orders.sources import byte_chunks, limited
from shipping.orders.tables import read_headers
from shipping.orders.upload_import import duplicate_job_id
from shipping.orders.upload_report import duplicate_of, error_lines, preview
from shipping.orders.upload_states import move, queue_after_commit
from shipping.orders.upload_work import work
from shipping.refusals import Refused
from shipping.states import CHECKED_UPLOAD_STATUSES, MAPPABLE_UPLOAD_STATUSES, UploadStatus

logger = logging.getLogger("onceship.orders")

__all__ = [
    "UploadRefused",
    "confirm",
    "correct",
    "discard",
    "duplicate_now",
    "error_lines",
    "preview",
    "receive",
    "set_mapping",
]

# Files up to this size are worked on in the request itself; workbooks are packed, so a smaller one holds as much.
AT_ONCE_BYTES = 1024**2
AT_ONCE_WORKBOOK_BYTES = AT_ONCE_BYTES // 4
MOST_CORRECTED_ROWS = 1_000
LONGEST_CORRECTION = 1_000


class UploadRefused(Refused):
    """Nothing was changed. The message is a sentence for the person."""


def receive(
    file: IO[bytes],
    *,
    file_name: str,
    actor: User | None,
    carrier: str,
    name: str = "",
    stop_on_error: bool = True,
    ships_at_once: bool = False,
) -> Upload:
    """Take a file of orders in. Without a name, the job is called like the file.

    Raises OrderFileError for a file that is no table, as far as that is seen at once, and UploadRefused for a name or
    a carrier that no job can have, or when the storage does not take the file; nothing is kept then.
    """
    file_name = shown(PurePath(file_name).name)[-LONGEST_FILE_NAME:] or "orders"
    name = name.strip() or PurePath(file_name).stem[:LONGEST_NAME].strip() or file_name
    try:
        require_name_and_carrier(name=name, carrier=carrier)
    except Refused as error:
        raise UploadRefused(str(error)) from error
    if not name.isprintable():
        raise UploadRefused(_("The name of a job can’t hold line breaks or other control characters."))
    digest, size = _digest_and_size(file)
    kind = suffix(file)
    if _is_small(size, kind):
        read_headers(file)
    upload = Upload(
        person=actor,
        file_name=file_name,
        file_size=size,
        digest=digest,
        name=name,
        carrier=carrier,
        stop_on_error=stop_on_error,
        ships_at_once=ships_at_once,
    )
    upload.file.name = f"uploads/{upload.code}/{digest}{kind}"
    # Written down before the file is: a process that dies while it copies leaves an upload that fails, and no file
    # that nobody knows of.
    upload.queued = book_now()
    upload.save()
    file.seek(0)
    try:
        default_storage.save(upload.file.name, File(file))
    except OSError as error:
        logger.exception("The file of upload %s can't be stored.", upload.pk)
        discard(upload.pk)
        raise UploadRefused(
            _("The file could not be stored; perhaps the disk is full. Tell whoever runs this site.")
        ) from error
    return _change(upload.pk, lambda _upload: None)


def set_mapping(upload_id: int, mapping: HeaderMapping, *, actor: User | None, revision: int | None = None) -> Upload:
    """Say what each header means; remembered for files that look alike. What was corrected before is forgotten.

    Raises OrderFileError telling what is missing or said twice; UploadRefused, also when the upload is not what was
    shown (`revision`): corrections made since then would be forgotten unseen.
    """

    def change(upload: Upload) -> None:
        _require(upload, MAPPABLE_UPLOAD_STATUSES)
        _require_revision(upload, revision)
        if problems := mappings.problems(upload.headers, mapping):
            raise OrderFileError(problems)
        upload.mapping = {header: mapping.get(header, "") for header in upload.headers}
        upload.corrections = {}
        mappings.remember(upload.headers, upload.mapping, actor=actor)
        _check_again(upload)

    return _change(upload_id, change)


def correct(upload_id: int, corrections: Mapping[int, Mapping[str, str]], *, revision: int | None = None) -> Upload:
    """Put new values into cells, by row number and header, and check everything again. What came in stays as it is.

    Raises UploadRefused, also when the upload is not what was shown (`revision`).
    """

    def change(upload: Upload) -> None:
        _require(upload, CHECKED_UPLOAD_STATUSES)
        _require_revision(upload, revision)
        merged: dict[str, dict[str, str]] = dict(upload.corrections)
        for row, values in corrections.items():
            _require_correctable(upload, row, values)
            # PostgreSQL's JSON can't hold a NUL.
            kept = {header: value.replace("\0", "") for header, value in values.items()}
            merged[str(row)] = merged.get(str(row), {}) | kept
        if len(merged) > MOST_CORRECTED_ROWS:
            raise UploadRefused(
                _("At most %(most)s rows can be corrected here. Correct the file and upload it again.")
                % {"most": f"{MOST_CORRECTED_ROWS:,}"}
            )
        upload.corrections = merged
        _check_again(upload)

    return _change(upload_id, change)


def confirm(
    upload_id: int,
    *,
    actor: User | None,
    start: bool,
    revision: int,
    skip_bad: bool = False,
    duplicate_of: int | None = None,
    sender_id: int | None = None,
) -> Upload:
    """Make a job of what was shown, and start it if wanted. `revision` and `sender_id` are those that were shown;
    `duplicate_of` is the earlier job of the same file whose labels are wanted once more.

    One upload makes one job: confirming again changes nothing. Raises UploadRefused.
    """

    def change(upload: Upload) -> None:
        _require(upload, CHECKED_UPLOAD_STATUSES)
        _require_revision(upload, revision)
        _require_importable(upload, skip_bad=skip_bad)
        sender = _sender_as_shown(sender_id)
        duplicate = duplicate_job_id(upload)
        if duplicate is not None and duplicate != duplicate_of:
            raise UploadRefused(
                _("The same file was imported before, as job %(job)s. Say that you want its labels once more.")
                % {"job": duplicate}
            )
        upload.starts = start
        upload.skip_bad = skip_bad
        upload.accepted_duplicate = duplicate
        upload.sender = sender
        upload.confirmed_by = actor
        upload.confirmed_at = timezone.now()
        upload.problem = ""
        move(upload, UploadStatus.importing)

    try:
        return _change(upload_id, change)
    except UploadRefused:
        done = Upload.objects.get(pk=upload_id)
        if done.status in {UploadStatus.importing, UploadStatus.imported} and done.revision == revision:
            return done
        raise


def discard(upload_id: int) -> Upload:
    """Throw an upload away, with its file. Raises UploadRefused when a job is being made of it."""
    with transaction.atomic():
        upload = Upload.objects.lock(upload_id)
        if upload.status != UploadStatus.discarded:
            if upload.status in {UploadStatus.importing, UploadStatus.imported}:
                raise UploadRefused(_("A job was made of this file already; cancel the job instead."))
            move(upload, UploadStatus.discarded)
            forget_file(upload)
            upload.report, upload.estimate, upload.sample = {}, {}, []
            upload.save()
    return upload


def forget_file(upload: Upload) -> None:
    """Have an upload's file deleted once the transaction is committed; one that a job was made of is the job's."""
    if upload.job_id is None and upload.file:
        name = str(upload.file)
        transaction.on_commit(lambda: default_storage.delete(name), robust=True)
        upload.file = ""


def duplicate_now(upload: Upload) -> dict[str, object]:
    """The newest job that was made from the same file, at this moment: `job` and `text`; empty when there is none."""
    return {} if upload.job_id is not None else duplicate_of(upload.digest)


# --- Parts -----------------------------------------------------------------------------------------------


def _change(upload_id: int, change: Callable[[Upload], None]) -> Upload:
    """Change an upload under its lock, and have what follows done: here where it is small, else by a worker."""
    with transaction.atomic():
        upload = Upload.objects.lock(upload_id)
        change(upload)
        upload.beat = None
        upload.takes = 0
        upload.rows_read = 0
        upload.queued = book_now()
        upload.save()
        if not _is_small(upload.file_size, PurePath(str(upload.file)).suffix):
            queue_after_commit(upload)
    if _is_small(upload.file_size, PurePath(str(upload.file)).suffix):
        work(upload_id)
    return Upload.objects.get(pk=upload_id)


def _is_small(size: int, kind: str) -> bool:
    return size <= (AT_ONCE_WORKBOOK_BYTES if kind == ".xlsx" else AT_ONCE_BYTES)


def _check_again(upload: Upload) -> None:
    # A person had to step in: from here on it is a person who says when it ships.
    upload.ships_at_once = False
    upload.revision += 1
    upload.estimate = {}
    upload.problem = ""
    move(upload, UploadStatus.checking)


def _digest_and_size(file: IO[bytes]) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    for chunk in limited(byte_chunks(file)):
        digest.update(chunk)
        size += len(chunk)
    if not size:
        raise OrderFileError(_("The file is empty."))
    return digest.hexdigest(), size


def _require(upload: Upload, statuses: frozenset[UploadStatus]) -> None:
    if upload.status not in statuses:
        raise UploadRefused(
            _("“%(file)s” can’t be changed now: it is “%(status)s”.")
            % {"file": upload.file_name, "status": upload.get_status_display()}
        )


def _require_revision(upload: Upload, revision: int | None) -> None:
    if revision is not None and upload.revision != revision:
        raise UploadRefused(
            _("“%(file)s” has been changed or checked again since you were shown it. Please look at it again.")
            % {"file": upload.file_name}
        )


def _require_importable(upload: Upload, *, skip_bad: bool) -> None:
    if not upload.good_rows:
        raise UploadRefused(_("None of the rows is without errors."))
    if upload.bad_rows and not skip_bad:
        raise UploadRefused(
            _("Some rows have errors. Correct them, or say that the good rows shall go without the bad.")
        )


def _require_correctable(upload: Upload, row: int, values: Mapping[str, str]) -> None:
    if not 1 <= row <= upload.rows or not set(values) <= set(upload.headers):
        raise UploadRefused(_("The file has no such cell."))
    if any(len(value) > LONGEST_CORRECTION for value in values.values()):
        raise UploadRefused(_("A value is too long."))


def _sender_as_shown(sender_id: int | None) -> Sender:
    sender = Sender.objects.current()
    if sender is None:
        raise UploadRefused(_("No sender is set. Set the address that parcels come from first."))
    if sender_id is not None and sender.pk != sender_id:
        raise UploadRefused(
            _("The sender was changed since you were shown it; it is now %(sender)s. Please look again.")
            % {"sender": sender}
        )
    return sender
