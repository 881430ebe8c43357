"""Putting right what a kill left behind, as a person does who knows only what the pages show, and a second kill
meanwhile.
"""

import contextlib
import time

from recovery import RecoveryChoice, handle_recovery_choice
from recovery.review import NotBought, record_bought, send_again, skip
from shipping.liveness import Condition, condition
from shipping.models import Job, Label, Row, Upload
from shipping.models.clock import book_now
from shipping.orders.uploads import confirm
from shipping.services import JobService, Refused
from shipping.states import RowStatus, UploadStatus
from tests.crash.arming import Boundary, Moment
from tests.crash.boundaries import Case
from tests.crash.site import Site, end_orderly, let_a_lease_pass, wait_for_death

# Seconds are what it takes; minutes are for a machine that has many other things to do.
SECONDS = 300.0
# A refund that was decided is not asked about for an hour; one that is due is asked about now.
SOON_SECONDS = 60.0

_CARRIER = "shipping.carriers.easypost:EasyPost"
_BOOKS = "shipping.engine.books"

REGISTERED = Boundary("registered", "shipping.engine.worker:ShippingWorker._beat", Moment.after)
FIRST_TICK = Boundary("first tick committed", f"{_BOOKS}:_tick", Moment.after_commit)
CLAIMED = Boundary("claim committed", "shipping.engine.claims:Claim", Moment.after_commit)
BOUGHT = Boundary("purchase executed, unanswered", f"{_CARRIER}.buy", Moment.after)
ASKED = Boundary("question answered, in memory alone", f"{_CARRIER}.lookup", Moment.after)
SETTLED = Boundary("first question settled", f"{_BOOKS}:settle_finding", Moment.after_commit)
SWEPT = Boundary("chunk swept", f"{_BOOKS}:sweep_chunk", Moment.after_commit)
VOIDED = Boundary("void executed, unanswered", f"{_CARRIER}.void", Moment.after)
VOID_SETTLED = Boundary("void about to be settled", f"{_BOOKS}:settle_void", Moment.before_commit)
FETCHED = Boundary("label file written, the books not told", "shipping.labels:store", Moment.after)
IMPORTED = Boundary("chunk of rows imported", "shipping.orders.importer:_insert", Moment.after)


def second_boundaries(site: Site) -> list[Boundary]:
    """The boundaries that the recovery surely comes by, by what the books say is left to do."""
    if site.upload is not None:
        made = site.upload.job
        all_in = made is not None and made.total_rows == site.upload.good_rows
        return [CLAIMED, BOUGHT] if all_in else [CLAIMED, IMPORTED, BOUGHT]
    job = site.job
    found: list[Boundary] = []
    if job.is_open and job.import_complete and (_good_pending(job) or job.sweep):
        found += [FIRST_TICK, CLAIMED, BOUGHT]
    if job.rows.owed_to_us().exists():
        found += [SETTLED, ASKED, FIRST_TICK]
    if job.sweep:
        found += [SWEPT]
    if Label.objects.void_may_have_begun().filter(job=job).exists():
        found += [VOIDED, VOID_SETTLED]
    if not found and Label.objects.file_missing().filter(job=job).exists():
        found += [FETCHED]
    return list(dict.fromkeys(found)) or [REGISTERED]


def _good_pending(job: Job) -> bool:
    return any("REJECT" not in row.order["to_street1"] for row in job.rows.pending())


def recover(site: Site, case: Case, second: Boundary | None) -> None:
    """Start a worker, and do what a person does, until nothing moves any more. With `second`, that worker dies there,
    and another is started. Fails when the recovery never came by there, or is not over within SECONDS.
    """
    let_a_lease_pass()
    process = site.start_worker([*case.scene.small, *([second.alteration] if second else [])])
    ends_at = time.monotonic() + SECONDS
    while second is not None or not is_at_rest(site):
        assert time.monotonic() < ends_at, f"not over within {SECONDS:g} s: {_standing(site)}; to die at {second}"
        if process.poll() is not None:
            assert second is not None, f"the recovering worker ended by itself with {process.poll()}"
            wait_for_death(process, 1, where=second.name)
            second = None
            let_a_lease_pass()
            process = site.start_worker(case.scene.small)
        act(site)
        time.sleep(0.2)
    end_orderly(process)


def is_at_rest(site: Site) -> bool:
    """Whether all is done for the job that workers have to do, its label files and the voids included."""
    if not site.has_job:
        return False
    job = site.job
    if job.is_open or job.sweep or job.rows.owed().exists():
        return False
    labels = Label.objects.filter(job=job)
    refunds = labels.refund_open().filter(refund_ask_after__lt=book_now() + SOON_SECONDS)
    open_labels = (labels.void_may_have_begun(), labels.rebuy_unsent(), labels.file_missing(), refunds)
    return not any(each.exists() for each in open_labels)


def act(site: Site) -> None:
    """What a person does at this moment, if there is anything to be done. Facts that move meanwhile are looked at again
    the next time.
    """
    with contextlib.suppress(Refused):
        if site.upload is not None and not site.has_job:
            _act_on_upload(site, site.upload)
        else:
            _act_on_job(site, site.job)


def _act_on_job(site: Site, job: Job) -> None:
    stands = condition(job)
    if stands in (Condition.not_started, Condition.paused):
        JobService().start(job.pk, actor=site.clerk)
    elif stands is Condition.interrupted:
        # A row that the carrier refuses is left out; what else halted the job is tried again.
        refused = job.rows.filter(number=job.error_row_number or 0, status=RowStatus.failed).exists()
        handle_recovery_choice(RecoveryChoice.resume, job.pk, JobService(), actor=site.clerk, skip_failed_row=refused)
    for row in job.rows.in_review().select_related("job"):
        _decide(site, row)


def _decide(site: Site, row: Row) -> None:
    """A row in review: the carrier's own list tells whether it was bought."""
    try:
        record_bought(row, actor=site.clerk)
    except NotBought:
        decide = skip if row.job.is_over else send_again
        decide(row, actor=site.clerk)


def _act_on_upload(site: Site, upload: Upload) -> None:
    upload.refresh_from_db()
    if upload.status == UploadStatus.ready:
        confirm(upload.pk, actor=site.clerk, start=True, revision=upload.revision)
    elif upload.status == UploadStatus.imported and upload.job is not None:
        site.job = upload.job


def _standing(site: Site) -> str:
    if not site.has_job:
        return f"upload {site.upload and Upload.objects.get(pk=site.upload.pk).status}"
    job = site.job
    rows = [f"{row.number} {row.status}{' owed' if row.due else ''} {row.answer}" for row in job.rows.all()]
    return f"{condition(job).value}, {rows}"
