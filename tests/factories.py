"""Builders of jobs in every condition, as plain functions that leave consistent books behind.

They write what the engine would have written (labels, counters, claims), under the job's lock; so a test can begin
in the middle of a story without a carrier.
"""

from dataclasses import replace

from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.utils import timezone

from shipping.carriers.port import Order
from shipping.liveness import this_process
from shipping.models import Comparison, Job, Label, Orphan, Row, Run, Sender
from shipping.models.clock import book_now
from shipping.models.row import order_for_carrier
from shipping.services import JobService
from shipping.states import ComparisonStatus, JobStatus, RowStatus

RIGHTS = ("view_job", "change_job", "resume_job", "restart_job", "cancel_job", "resolve_job", "void_job")


def carrier_order(row: Row, job: Job) -> Order:
    """The order of a row as the carrier's port takes it."""
    return order_for_carrier(row.order, reference=job.reference(row.number, row.attempt), sender=job.sender.address)


def make_clerk(username: str) -> User:
    """A user with every right on jobs; the password is the username."""
    user = User.objects.create_user(username, password=username)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="shipping", codename__in=RIGHTS))
    return user


def make_sender() -> Sender:
    """A return address."""
    return Sender.objects.create(
        name="Onceship Warehouse",
        street1="417 Montgomery Street",
        city="San Francisco",
        state="CA",
        zip="94104",
        country="US",
        phone="4155550100",
    )


def make_job(
    rows: int = 5,
    *,
    carrier: str = "sandbox",
    name: str = "Autumn orders",
    status: JobStatus = JobStatus.pending,
    created_by: User | None = None,
    stop_on_error: bool = True,
    sender: Sender | None = None,
) -> Job:
    """A wholly imported job with rows 1 to `rows`, all pending, for "Recipient 1", "Recipient 2" and so on.

    With status `running` it has no run, so it is interrupted.
    """
    job = JobService().create_job(
        name=name,
        carrier=carrier,
        sender=sender or make_sender(),
        created_by=created_by,
        stop_on_error=stop_on_error,
    )
    Row.objects.bulk_create(_new_row(job, number) for number in range(1, rows + 1))
    job.total_rows = rows
    job.status = status
    job.started_at = None if status == JobStatus.pending else timezone.now()
    job.save()
    return job


def _new_row(job: Job, number: int) -> Row:
    order = {
        "reference": f"ORDER-{number}",
        "to_name": f"Recipient {number}",
        "to_street1": f"{number} Market Street",
        "to_city": "Denver",
        "to_state": "CO",
        "to_zip": "80202",
        "to_country": "US",
        "length": "8",
        "width": "6",
        "height": "4",
        "weight": "12",
    }
    return Row(
        job=job,
        number=number,
        account=job.carrier,
        order_reference=order["reference"],
        recipient=order["to_name"],
        order=order,
    )


def row_of(job: Job, number: int) -> Row:
    """The job's row of that number, fresh from the books."""
    return Row.objects.get(job=job, number=number)


@transaction.atomic
def claim_row(row: Row, run: Run | None = None, *, due_in: float = 20.0) -> Row:
    """Claim a pending row as a run does before the money moves; its answer is due in `due_in` seconds (negative:
    the time has passed). Without a run, or with a dead one, the row is in doubt.
    """
    job = Job.objects.lock(row.job_id)
    row.refresh_from_db()
    row.status = RowStatus.in_flight
    row.handle = row.handle or f"shp_{job.code}_{row.number}_{row.attempt}"
    row.claims += 1
    row.run = run
    row.due = book_now() + due_in
    row.claimed_at = timezone.now()
    row.save()
    return row


@transaction.atomic
def complete_row(row: Row, *, cost_cents: int = 750, tracking_number: str = "", adopted: bool = False) -> Label:
    """Record the label of a row that is pending or in flight, with its counters; returns the label."""
    job = Job.objects.lock(row.job_id)
    row.refresh_from_db()
    row.handle = row.handle or f"shp_{job.code}_{row.number}_{row.attempt}"
    label = Label.objects.create(
        job=job,
        row=row,
        attempt=row.attempt,
        account=row.account,
        purchase_id=row.handle,
        tracking_number=tracking_number or f"9400{job.pk:06d}{row.number:08d}{row.attempt}",
        carrier="USPS",
        service="Priority",
        cost_cents=cost_cents,
        currency=job.currency,
        label_url=f"http://127.0.0.1/labels/{row.handle}.pdf",
        bought_at=timezone.now(),
        adopted=adopted,
    )
    row.status = RowStatus.completed
    row.claims = row.claims or 1
    row.run = row.due = None
    row.label = label
    row.save()
    job.processed_rows += 1
    job.successful_rows += 1
    job.cost_cents += cost_cents
    job.save()
    return label


@transaction.atomic
def fail_row(row: Row, *, code: str = "ADDRESS.INVALID", message: str = "The address was not found.") -> Row:
    """Have the carrier reject a row that is pending or in flight, with its counters."""
    job = Job.objects.lock(row.job_id)
    row.refresh_from_db()
    row.status = RowStatus.failed
    row.error_code, row.error_message = code, message
    row.failed_epoch = job.epoch
    row.run = row.due = None
    row.save()
    job.processed_rows += 1
    job.failed_rows += 1
    job.save()
    return row


def halt_job(row: Row, *, code: str = "ADDRESS.INVALID", message: str = "The address was not found.") -> Job:
    """Have a rejected row halt its running job, as `stop_on_error` does."""
    fail_row(row, code=code, message=message)
    with transaction.atomic():
        job = Job.objects.lock(row.job_id)
        job.error_code, job.error_message, job.error_row_number = code, message, row.number
        job.save()
    return job


@transaction.atomic
def set_aside(row: Row, *, due_in: float = -3600.0, answer: str = "The carrier could not say.") -> Row:
    """Claim a pending row and set it aside for review; by default its answer was due an hour ago."""
    claim_row(row, due_in=due_in)
    row.refresh_from_db()
    row.status = RowStatus.needs_review
    row.answer = answer
    row.answered_at = timezone.now()
    row.save()
    return row


@transaction.atomic
def skip_row(row: Row) -> Row:
    """Leave a pending row out, with its counters."""
    job = Job.objects.lock(row.job_id)
    row.refresh_from_db()
    row.status = RowStatus.skipped
    row.save()
    job.processed_rows += 1
    job.save()
    return row


def make_live_run(job: Job) -> Run:
    """A run of the current epoch that this very process is at and that beat just now."""
    return _start_run(job, gone=False)


def make_dead_run(job: Job) -> Run:
    """A run of the current epoch whose process is gone: its number belongs to another process by now."""
    return _start_run(job, gone=True)


def _start_run(job: Job, *, gone: bool) -> Run:
    now = book_now()
    process = this_process()
    if gone:
        process = replace(process, start_ticks=process.start_ticks - 1)
    return Run.objects.create(
        job=job,
        epoch=Job.objects.get(pk=job.pk).epoch,
        issued=now,
        queued=now,
        beat=now,
        started_at=timezone.now(),
        beat_at=timezone.now(),
        host=process.host,
        pid=process.pid,
        pid_start_ticks=process.start_ticks,
    )


def make_interrupted_job(
    rows: int = 5,
    *,
    completed: int = 0,
    cost_cents: int = 750,
    name: str = "Autumn orders",
    created_by: User | None = None,
) -> Job:
    """A running job whose run died after the first `completed` rows were bought."""
    job = make_job(rows, name=name, status=JobStatus.running, created_by=created_by)
    make_dead_run(job)
    for row in Row.objects.filter(job=job, number__lte=completed).order_by("number"):
        complete_row(row, cost_cents=cost_cents)
    job.refresh_from_db()
    return job


def make_comparison(
    job: Job, *, status: ComparisonStatus = ComparisonStatus.done, problem: str = "", listed: int = 5
) -> Comparison:
    """A comparison of a job with the carrier's list: over, or waiting for a worker."""
    over = status != ComparisonStatus.ordered
    return Comparison.objects.create(
        job=job,
        status=status,
        started_at=timezone.now() if over else None,
        ended_at=timezone.now() if over else None,
        problem=problem or ("The carrier did not answer in time." if status == ComparisonStatus.failed else ""),
        listed=listed if over else 0,
        queued=book_now(),
        turn=int(over),
    )


def make_orphan(row: Row, *, cost_cents: int = 825, purchase_id: str = "", tracking_number: str = "") -> Orphan:
    """A charge that a comparison found under the row's reference, and that no label stands for."""
    return Orphan.objects.create(
        job=row.job,
        row=row,
        attempt=row.attempt,
        account=row.account,
        purchase_id=purchase_id or f"shp_charge_{row.job_id}_{row.number}",
        reference=row.job.reference(row.number, row.attempt),
        tracking_number=tracking_number or f"9499{row.job_id:06d}{row.number:08d}",
        carrier="USPS",
        service="Priority",
        cost_cents=cost_cents,
        currency=row.job.currency,
        bought_at=timezone.now(),
        found_in=1,
    )
