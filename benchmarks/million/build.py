"""The books that are measured, written by SQL: as the engine would have left them, but in minutes instead of days.

Counters equal rows, a completed row has its label, rows in flight have handle and due: `check` asks the books. What
the engine writes row by row is written here in chunks, with the ids laid out beforehand.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from benchmarks.million import sql
from shipping.liveness import this_process
from shipping.models import Event, Job, Label, Row, Run, Sender
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus, RunEnd

CHUNK = 50_000
SMALL_ROWS = 20
# Of a hundred small jobs; what is left of them is completed.
SHARES = (
    ("cancelled", 5),
    ("pending", 5),
    ("paused", 4),
    ("interrupted", 10),
    ("at_work", 2),
    ("awaited", 1),
    ("review", 1),
    ("halted", 1),
)
STARTED = ("interrupted", "at_work", "review", "halted", "paused", "cancelled", "completed")
STATUSES = {"pending": JobStatus.pending, "paused": JobStatus.paused, "cancelled": JobStatus.cancelled}
BIG_NAME = "Million orders"
LONG_AGO = 3_600.0  # seconds since a dead worker was heard of
TURNS = 168  # of ten minutes each, four at a time: seven hours of work


def kind_of(place: int) -> str:
    """How the small job at a place stands: `SHARES` of every hundred, mixed, so that each page has some of all."""
    place = place * 37 % 100
    for kind, share in SHARES:
        if place < share:
            return kind
        place -= share
    return "completed"


@dataclass(frozen=True, slots=True)
class Books:
    """The jobs that the measurements look at, by id; small ones by how they stand."""

    big: int
    small: dict[str, int]


def build(rows: int, jobs: int) -> Books:
    """Write the books as quickly as can be, and leave the database as a server has it."""
    sql.prepare()
    write(rows, jobs)
    sql.finish()
    return find()


def write(rows: int, jobs: int) -> None:
    """Write the books: a big job that was interrupted at three fifths, and `jobs` small ones."""
    sql.learn_to_reverse()
    user = User.objects.create_superuser("bench")
    sender = Sender.objects.create(
        name="Warehouse",
        street1="1 Main St",
        city="Denver",
        state="CO",
        zip="80202",
        country="US",
        phone="555-555-0100",
    )
    _small_jobs(jobs, user, sender)
    _big_job(rows, user, sender)
    sql.move_sequences()
    check()


def find() -> Books:
    """The jobs of books that were built before."""
    small: dict[str, int] = {}
    for pk, name in Job.objects.exclude(name=BIG_NAME).order_by("pk").values_list("pk", "name")[:500]:
        small.setdefault(name.split(",")[0], pk)
    return Books(big=Job.objects.get(name=BIG_NAME).pk, small=small)


# --- Small jobs ----------------------------------------------------------------------------------------------


def _small_jobs(jobs: int, user: User, sender: Sender) -> None:
    if not jobs:
        return
    at = timezone.now()
    made = Job.objects.bulk_create(
        (
            Job(
                name=f"{kind_of(place)}, batch {place}",
                carrier="sandbox",
                sender=sender,
                created_by=user,
                status=STATUSES.get(kind_of(place), JobStatus.running),
                epoch=1,
                total_rows=SMALL_ROWS,
                file_name=f"orders-{place}.csv",
                started_at=None if kind_of(place) == "pending" else at,
            )
            for place in range(jobs)
        ),
        batch_size=500,
    )
    first = made[0].pk
    runs = _small_runs(made, first)
    now = book_now()
    for start in range(first, first + jobs, 1_000):
        with transaction.atomic(), connection.cursor() as cursor:
            values = {"base": first, "from": start, "to": min(start + 999, first + jobs - 1), "now": now}
            cursor.execute(sql.small_rows(), values)
            cursor.execute(sql.small_labels(), values)
    _keep_runs(runs)
    for start in range(first, first + jobs, 1_000):
        with transaction.atomic():
            sql.count(start, min(start + 999, first + jobs - 1))
    completed = Q(status=JobStatus.running, processed_rows=SMALL_ROWS)
    Job.objects.filter(completed).exclude(name__startswith="review").update(status=JobStatus.completed, ended_at=at)
    Job.objects.filter(name__startswith="halted").update(
        error_code="ADDRESS.VERIFY.FAILURE", error_message="The address was not found.", error_row_number=11
    )


def _small_runs(made: list[Job], first: int) -> dict[str, list[Run]]:
    now, at = book_now(), timezone.now()
    here = this_process()
    runs: dict[str, list[Run]] = {}
    events: list[Event] = []
    for job in made:
        kind = kind_of(job.pk - first)
        events.append(Event(job=job, kind=EventKind.created, details={"rows": SMALL_ROWS}))
        if kind == "pending":
            continue
        events.append(Event(job=job, kind=EventKind.started))
        run = Run(job=job, epoch=1, issued=now, queued=now)
        if kind in STARTED:
            run.started_at = run.beat_at = at
            run.beat = now
            run.host, run.pid, run.pid_start_ticks = here.host, here.pid, here.start_ticks
        if kind == "interrupted":
            run.beat = now - LONG_AGO
        if kind not in ("interrupted", "at_work", "awaited"):
            run.ended_at, run.end_reason = at, RunEnd.halted if kind == "halted" else RunEnd.no_work
        runs.setdefault(kind, []).append(run)
    for of_kind in runs.values():
        Run.objects.bulk_create(of_kind, batch_size=500)
    Event.objects.bulk_create(events, batch_size=500)
    return runs


def _keep_runs(runs: dict[str, list[Run]]) -> None:
    """Rows in flight are in the hands of their job's run."""
    for kind in ("interrupted", "at_work"):
        for run in runs.get(kind, []):
            Row.objects.filter(job=run.job_id, status=RowStatus.in_flight).update(run=run)


# --- The big job ---------------------------------------------------------------------------------------------


def _big_job(rows: int, user: User, sender: Sender) -> None:
    at, now, here = timezone.now(), book_now(), this_process()
    job = JobService().create_job(
        name=BIG_NAME, carrier="sandbox", sender=sender, created_by=user, stop_on_error=False, file_name="million.csv"
    )
    job.status, job.total_rows, job.epoch, job.started_at = JobStatus.running, rows, 1, at - timedelta(hours=7)
    job.save()
    ended = [
        Run(
            job=job, epoch=1, turn=turn // 4 + 1, issued=now, queued=now, beat=now, started_at=at, beat_at=at,
            ended_at=at, end_reason=RunEnd.handed_over, host=here.host, pid=1, pid_start_ticks=1,
            bought_rows=rows // (2 * TURNS), lowest_row=1, highest_row=rows // 2,
        )
        for turn in range(TURNS)
    ]  # fmt: skip
    Run.objects.bulk_create(ended)
    died = Run.objects.create(
        job=job, epoch=1, turn=TURNS // 4 + 1, issued=now, queued=now, beat=now - LONG_AGO, started_at=at,
        beat_at=at, host=here.host, pid=here.pid, pid_start_ticks=here.start_ticks,
    )  # fmt: skip
    Event.objects.create(job=job, kind=EventKind.created, actor=user, details={"rows": rows})
    Event.objects.create(job=job, kind=EventKind.started, actor=user)
    write_rows(job, 1, rows, done=rows * 3 // 5, run=died)
    adopted = Row.objects.filter(job=job, number__in=range(1_000, rows * 3 // 5, 1_000)).values_list("pk", flat=True)
    Event.objects.bulk_create(
        (Event(job=job, row_id=key, kind=EventKind.adopted, details={"cost_cents": 725}) for key in adopted),
        batch_size=500,
    )
    with transaction.atomic():
        sql.count(job.pk, job.pk)


def write_rows(job: Job, first: int, last: int, *, done: int, run: Run | None) -> None:
    """Write rows of the big job with their labels; those up to `done` are bought but for some that failed, were left
    out or set aside, and the last 16 of these are in doubt, in the hands of `run`.
    """
    values: dict[str, Any] = {"job": job.pk, "code": job.code, "done": done, "run": run and run.pk, "now": book_now()}
    for start in range(first, last + 1, CHUNK):
        with transaction.atomic(), connection.cursor() as cursor:
            chunk = {**values, "from": start, "to": min(start + CHUNK - 1, last), "base": _next_base(job)}
            cursor.execute(sql.big_rows(), chunk)
            cursor.execute(sql.big_labels(), chunk)


def _next_base(job: Job) -> int:
    """What is added to a row's number to make its id: the ids of a job's rows rise with their numbers."""
    mine = Row.objects.filter(job=job).order_by("number").values_list("pk", "number").first()
    if mine is not None:
        return mine[0] - mine[1]
    newest = Row.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    label = Label.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return max(newest, label)


def check() -> None:
    """Raises AssertionError when counters and rows differ, or a completed row's label is not its own."""
    for job in Job.objects.filter(Q(name=BIG_NAME) | Q(pk__lte=200)):
        found = Row.objects.filter(job=job).aggregate(
            all=Count("pk"),
            successful=Count("pk", filter=Q(status=RowStatus.completed)),
            failed=Count("pk", filter=Q(status=RowStatus.failed)),
            skipped=Count("pk", filter=Q(status=RowStatus.skipped)),
            cost=Sum("label__cost_cents", filter=Q(status=RowStatus.completed, label__voided_at__isnull=True)),
        )
        told = (job.total_rows, job.successful_rows, job.failed_rows, job.skipped_rows, job.cost_cents)
        held = (*(found[name] for name in ("all", "successful", "failed", "skipped")), found["cost"] or 0)
        if told != held:
            raise AssertionError(f"The counters of {job.name!r} are {told}, its rows {held}.")
