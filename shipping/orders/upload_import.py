"""From a checked upload to its job: when that is made, what it notes, and when it starts. Under the upload's lock."""

from django.utils import timezone
from django.utils.translation import gettext as _

from shipping.models import Job, Sender, Upload
from shipping.orders.checking import FileReport
from shipping.orders.earlier import import_under_way, lock_digest
from shipping.orders.importer import RECORDED_ERRORS, require_no_duplicate
from shipping.orders.row_warnings import WarningKind
from shipping.orders.upload_states import move
from shipping.refusals import Refused
from shipping.runs import record
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, UploadStatus

# Signs of a mistake that costs money: with these, even what ships at once waits for a person.
HOLDING_WARNINGS = frozenset({WarningKind.zip_state, WarningKind.double_order, WarningKind.heavy})


def ship_at_once(upload: Upload, report: FileReport, *, duplicate: bool) -> None:
    """Go on to import and start without asking, where nothing at all speaks against it; else a person is shown the
    preview. In memory; the caller saves.
    """
    sender = Sender.objects.current()
    held = sorted(kind.value for kind in report.rows_by_kind if kind in HOLDING_WARNINGS)
    if duplicate or held or sender is None or not report.good_rows:
        upload.problem = _("It was not shipped at once, because there is something to look at first.")
        move(upload, UploadStatus.ready)
        return
    upload.starts = True
    upload.skip_bad = False
    upload.sender = sender
    upload.confirmed_by = upload.person
    upload.confirmed_at = timezone.now()
    upload.rows_read = 0
    move(upload, UploadStatus.importing)


def make_job(upload: Upload) -> Job:
    """The job of a confirmed upload, made in the transaction that notes it: a kill leaves both or neither.

    Raises Refused.
    """
    lock_digest(upload.digest)
    duplicate = duplicate_job_id(upload)
    accepted = duplicate is not None and duplicate == upload.accepted_duplicate
    require_no_duplicate(upload.digest, allow_duplicate=accepted)
    # Its labels were wanted once more, not twice: whoever has said the same meanwhile came first.
    if another := import_under_way(upload.digest):
        raise Refused(another)
    sender = upload.sender or Sender.objects.current()
    if sender is None:
        raise Refused(_("No sender is set."))
    job = JobService().create_job(
        name=upload.name,
        carrier=upload.carrier,
        sender=sender,
        created_by=upload.confirmed_by,
        stop_on_error=upload.stop_on_error,
        file_name=upload.file_name,
        file_digest=upload.digest,
        file_columns=upload.headers,
        import_complete=False,
    )
    job.file = upload.file.name
    job.file_mapping = upload.mapping
    job.save(update_fields=["file", "file_mapping"])
    upload.job = job
    _record_creation(job, upload)
    return job


def end_import(upload: Upload, job_id: int) -> None:
    """Note that the job is wholly imported, and start it where that was wanted: in one transaction, so it starts once.
    In memory; the caller saves.
    """
    job = Job.objects.lock(job_id)
    if upload.starts and job.status == JobStatus.pending:
        try:
            JobService().start(job.pk, actor=upload.confirmed_by)
        except Refused as error:
            upload.problem = str(error)
    upload.rows_read = upload.rows
    move(upload, UploadStatus.imported)


def duplicate_job_id(upload: Upload) -> int | None:
    """The newest job that was made from the same file, other than by this upload."""
    made = Job.objects.filter(file_digest=upload.digest, import_complete=True)
    if upload.job_id is not None:
        made = made.exclude(pk=upload.job_id)
    return made.values_list("pk", flat=True).first()


def _record_creation(job: Job, upload: Upload) -> None:
    record(
        job,
        EventKind.created,
        actor=upload.confirmed_by,
        file_name=upload.file_name,
        upload=upload.pk,
        rows=upload.good_rows,
        skipped_rows=upload.bad_rows,
        skip_bad=upload.skip_bad,
        ships_at_once=upload.ships_at_once,
        accepted_duplicate=upload.accepted_duplicate,
        corrected_rows=len(upload.corrections),
        warned_rows=upload.warned_rows,
        shown_estimate={key: upload.estimate.get(key) for key in ("total_cents", "currency", "answered")},
        errors=[
            f"Row {error['row']} (line {error['line']}), {error['column']}: {error['message']}"
            for error in upload.report.get("errors", [])[:RECORDED_ERRORS]
        ],
        notices=upload.report.get("notices", []),
    )
