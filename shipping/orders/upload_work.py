"""The work on an upload: reading its header, checking it, making a job of it. Done by one owner at a time, killed at
any moment and taken up again.

Who takes the work raises the upload's turn; every write asks whether that turn still holds. Between two steps the
upload stands in the books in a state from which anybody can go on.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from shipping.models import Job, Upload
from shipping.models.clock import book_now, local_seconds
from shipping.orders import mapping
from shipping.orders.checking import check_file
from shipping.orders.columns import told_apart
from shipping.orders.errors import OrderFileError, shown
from shipping.orders.importer import fill, finish
from shipping.orders.tables import first_records, open_table, read_headers
from shipping.orders.upload_import import end_import, make_job, ship_at_once
from shipping.orders.upload_report import report_of
from shipping.orders.upload_states import corrections_of, fail, move, queue_after_commit
from shipping.refusals import Refused
from shipping.states import UploadStatus

logger = logging.getLogger("onceship.orders")

SAMPLE_ROWS = 5
BEAT_SECONDS = 1.0
# A file whose work was cut off so often may be what kills the workers; it is given up.
MOST_TAKES = 10


class TakenOver(Exception):
    """Somebody else does the work now, or it was thrown away."""


class Stopped(Exception):
    """This process is told to end; the work is handed back."""


def work(upload_id: int, stopping: Callable[[], bool] = lambda: False) -> str:
    """Do what is to be done for an upload until it is a person's turn or all is done; returns the status it is left
    in. Does nothing while another process is at it.
    """
    turn = Turn.take(upload_id, stopping)
    if turn is None:
        return "not taken"
    try:
        return turn.work().value
    except TakenOver:
        return "taken over"
    except Stopped:
        turn.hand_back()
        return "handed back"


class Turn:
    """One owner's work on one upload."""

    def __init__(self, upload: Upload, stopping: Callable[[], bool]) -> None:
        self._id = upload.pk
        self._turn = upload.turn
        self._stopping = stopping
        self._beat_at = 0.0

    @classmethod
    @transaction.atomic
    def take(cls, upload_id: int, stopping: Callable[[], bool]) -> "Turn | None":
        """The work of an upload, if there is any and nobody is at it."""
        upload = Upload.objects.lock(upload_id)
        if not upload.is_working or not upload.waits_for_worker:
            return None
        if upload.takes >= MOST_TAKES:
            fail(
                upload,
                _("The work on this file was cut off %(times)s times. Split it, or save it as CSV.")
                % {"times": MOST_TAKES},
            )
            return None
        upload.turn += 1
        upload.takes += 1
        upload.beat = book_now()
        upload.save(update_fields=["turn", "takes", "beat"])
        return cls(upload, stopping)

    def work(self) -> UploadStatus:
        """Step by step, until no step is left."""
        steps = {
            UploadStatus.received: self._read,
            UploadStatus.checking: self._check,
            UploadStatus.importing: self._import,
        }
        while True:
            upload = Upload.objects.select_related("job", "sender", "person", "confirmed_by").get(pk=self._id)
            status = UploadStatus(upload.status)
            if upload.turn != self._turn or status not in steps:
                return status
            try:
                steps[status](upload)
            except (OrderFileError, OSError) as error:
                self._give_up(str(error) if isinstance(error, OrderFileError) else _lost_file(error))

    def progress(self, rows: int) -> None:
        """Say how far the work has come, about once a second. Raises TakenOver, Stopped."""
        if local_seconds() < self._beat_at:
            return
        self._beat_at = local_seconds() + min(BEAT_SECONDS, settings.HEARTBEAT_SECONDS)
        if self._stopping():
            raise Stopped
        mine = Upload.objects.working().filter(pk=self._id, turn=self._turn)
        if mine.update(beat=book_now(), rows_read=rows) != 1:
            raise TakenOver

    @transaction.atomic
    def hand_back(self) -> None:
        """Let another process go on at once."""
        upload = Upload.objects.lock(self._id)
        if upload.turn == self._turn and upload.is_working:
            upload.beat = None
            upload.takes = 0
            upload.save(update_fields=["beat", "takes"])
            queue_after_commit(upload)

    # --- Steps -------------------------------------------------------------------------------------------

    def _read(self, upload: Upload) -> None:
        with _open(upload) as file:
            headed = read_headers(file)
            sample = first_records(file, headed, SAMPLE_ROWS)
        headers = told_apart(headed.headers)
        chosen = mapping.settled(headers)
        with self._mine(UploadStatus.received) as mine:
            mine.headers = headers
            mine.sample = [[shown(cell) for cell in cells[: len(headers)]] for cells in sample]
            mine.mapping = chosen or {}
            move(mine, UploadStatus.needs_mapping if chosen is None else UploadStatus.checking)

    def _check(self, upload: Upload) -> None:
        with _open(upload) as file:
            report = check_file(
                file,
                file_name=upload.file_name,
                mapping=upload.mapping,
                corrections=corrections_of(upload),
                progress=self.progress,
            )
        if report.digest != upload.digest:
            raise OrderFileError(_("The file is not the one that was uploaded. Upload it again."))
        kept = report_of(report)
        with self._mine(UploadStatus.checking) as mine:
            mine.rows, mine.rows_read = report.rows, report.rows
            mine.good_rows, mine.bad_rows = report.good_rows, report.bad_rows
            mine.warned_rows = report.warned_rows
            mine.report = kept
            mine.estimate = {}
            mine.problem = ""
            mine.revision += 1
            if mine.ships_at_once and not report.bad_rows:
                ship_at_once(mine, report, duplicate=bool(kept["duplicate"]))
            else:
                move(mine, UploadStatus.has_errors if report.bad_rows else UploadStatus.ready)

    def _import(self, upload: Upload) -> None:
        with _open(upload) as file:
            table = open_table(file, upload.mapping)
            if table.digest != upload.digest:
                raise OrderFileError(_("The file is not the one that was uploaded. Upload it again."))
            job = upload.job or self._make_job()
            if job is None:
                return
            try:
                if not job.import_complete:
                    fill(job, file, table, corrections_of(upload), self.progress)
                    finish(job, file, upload.good_rows)
            except Refused as error:
                self._give_up(str(error))
                return
        with self._mine(UploadStatus.importing) as mine:
            end_import(mine, job.pk)

    def _make_job(self) -> Job | None:
        """The new job; None when it was refused, which goes back to a person."""
        try:
            with self._mine(UploadStatus.importing) as mine:
                return make_job(mine)
        except Refused as error:
            with self._mine(UploadStatus.importing) as mine:
                mine.problem = str(error)
                move(mine, UploadStatus.has_errors if mine.bad_rows else UploadStatus.ready)
            return None

    # --- Parts -------------------------------------------------------------------------------------------

    @contextmanager
    def _mine(self, status: UploadStatus) -> Iterator[Upload]:
        """The upload, locked and in that state, to be changed and saved. Raises TakenOver."""
        with transaction.atomic():
            upload = Upload.objects.lock(self._id)
            if upload.turn != self._turn or upload.status != status:
                raise TakenOver
            upload.beat = book_now()
            yield upload
            if not upload.is_working:
                upload.takes = 0
            upload.save()

    @transaction.atomic
    def _give_up(self, problem: str) -> None:
        upload = Upload.objects.lock(self._id)
        if upload.turn != self._turn or not upload.is_working:
            raise TakenOver
        fail(upload, problem)


@contextmanager
def _open(upload: Upload) -> Iterator[IO[bytes]]:
    with default_storage.open(str(upload.file), "rb") as file:
        yield file


def _lost_file(error: OSError) -> str:
    logger.warning("The file of an upload can't be read: %s", error)
    return _("The uploaded file can’t be read any more. Upload it again.")
