"""Which runs live, which jobs are interrupted. Always derived, never stored: no crash can fail to record it."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db.models import BooleanField, Case, DateTimeField, Exists, F, Max, OuterRef, Q, Subquery, When
from django.db.models.functions import Coalesce

from shipping.models import Comparison, Job, Label, Row, Run, Upload, Worker
from shipping.models.clock import book_now, boot_id
from shipping.models.job import JobQuerySet
from shipping.models.run import RunQuerySet
from shipping.states import JobStatus, Sweep


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process that can be told from any other, on this machine and since this boot."""

    host: str
    pid: int
    start_ticks: int


def this_process() -> ProcessIdentity:
    """The calling process."""
    return _identity(os.getpid())


@cache
def _identity(pid: int) -> ProcessIdentity:
    # Once for each process: later on there may be no file handle left to read it with.
    start_ticks = _start_ticks_and_state(pid)
    return ProcessIdentity(host=_this_host(), pid=pid, start_ticks=start_ticks[0] if start_ticks else 0)


@cache
def _this_host() -> str:
    """The boot and the PID namespace: only inside both does a process number mean the same process."""
    return f"{boot_id()}/{os.readlink('/proc/self/ns/pid')}"


def _start_ticks_and_state(pid: int) -> tuple[int, str] | None:
    """When a process started (clock ticks since boot) and its state letter; None when there is no such process.

    Fields 22 and 3 of /proc/<pid>/stat, see proc(5); the name in brackets before them may hold anything.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        # Where /proc hides other users' processes, a missing file says nothing: then this raises PermissionError.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            raise PermissionError(f"process {pid} is hidden") from None
        return None
    return int(fields[19]), fields[0]


def is_gone(identity: ProcessIdentity) -> bool:
    """Whether a process has certainly ended. "Can't tell" (another host, no rights) counts as alive."""
    if identity.host != _this_host() or identity == this_process():
        return False
    try:
        found = _start_ticks_and_state(identity.pid)
    except (OSError, ValueError, IndexError):
        return False
    return found is None or found[0] != identity.start_ticks or found[1] == "Z"


class Beating(Protocol):
    """What says that it lives: a run, a worker, or what was read of one."""

    @property
    def beat(self) -> float | None: ...
    @property
    def host(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def pid_start_ticks(self) -> int | None: ...


def process_of(each: Beating) -> ProcessIdentity:
    """The process that a run was started in."""
    return ProcessIdentity(host=each.host, pid=each.pid or 0, start_ticks=each.pid_start_ticks or 0)


def beats(each: Beating, now: float) -> bool:
    """Whether something beat within a lease and its process has not certainly ended. `now` is `book_now()`."""
    if each.beat is None or each.beat < now - settings.LEASE_SECONDS:
        return False
    return not is_gone(process_of(each))


def is_live(run: Run, now: float) -> bool:
    """Whether a run has started, has not ended, and beats. `now` is `book_now()`."""
    started = run.started_at is not None and run.ended_at is None
    return started and beats(run, now)


def _beating(now: float) -> RunQuerySet:
    """Started runs that beat within a lease. In no order: in that of their ids, SQLite would go through all runs that
    there ever were to find the few open ones, which have an index.
    """
    return Run.objects.started().filter(beat__gte=now - settings.LEASE_SECONDS).order_by()


def live_run_ids(job_id: int | None = None) -> list[int]:
    """The ids of the live runs, of one job or of all. Only runs that beat within a lease are looked at."""
    runs = _beating(book_now())
    return _told_apart(runs if job_id is None else runs.filter(job=job_id))[0]


def _told_apart(beating: RunQuerySet) -> tuple[list[int], list[int]]:
    """The ids of runs that beat within a lease: of those whose process may live, and of those whose process has
    certainly ended. Each process is looked at once, however many runs name it.
    """
    runs_by_process: dict[tuple[str, int, int], list[int]] = {}
    for pk, host, pid, start_ticks in beating.values_list("pk", "host", "pid", "pid_start_ticks"):
        runs_by_process.setdefault((host, pid or 0, start_ticks or 0), []).append(pk)
    live: list[int] = []
    dead: list[int] = []
    for process, pks in runs_by_process.items():
        (dead if is_gone(ProcessIdentity(*process)) else live).extend(pks)
    return live, dead


def may_start(run: Run, job: Job, siblings: Iterable[Run], now: float) -> bool:
    """Whether an issued run may still start. `siblings` are the job's open runs.

    A first-turn run may not once a started run of its epoch died: no task engine brings an interrupted job back
    to life. The successor that a run handed over to always may.
    """
    if run.started_at is not None or run.ended_at is not None or run.epoch != job.epoch:
        return False
    if job.status != JobStatus.running or job.error_code:
        return False
    return run.turn > 1 or not any(
        sibling.epoch == run.epoch and sibling.started_at is not None and not is_live(sibling, now)
        for sibling in siblings
    )


@cache
def work_left() -> Q:
    """A filter on jobs: something is left that a run has to do (or an error that a choice has to clear). Voids that
    are no part of a restart need neither: housekeeping sends them.
    """
    rows = Row.objects.filter(job=OuterRef("pk"))
    voids = Label.objects.rebuy_owed().filter(job=OuterRef("pk"))
    return (
        ~Q(error_code="")
        | ~Q(sweep=Sweep.none)
        | Q(Exists(rows.pending()))
        | Q(Exists(rows.owed_to_us()))
        | Q(Exists(voids))
    )


def _worked_on_and_awaited() -> tuple[Exists, Exists]:
    """Two conditions on jobs: a live run works on it; an issued run of it may still start (if it has no error).

    Both are parts of the one statement that reads the jobs, because a run goes from issued to live to handed over
    while anybody looks: between two statements it could be missed in both places. Only which processes are gone is
    found out before, and what is gone stays gone.
    """
    now = book_now()
    beating = Q(beat__gte=now - settings.LEASE_SECONDS)
    _live, gone = _told_apart(_beating(now))
    live = Run.objects.started().filter(beating).exclude(pk__in=gone)
    dead = Run.objects.started().filter(~beating | Q(pk__in=gone))
    dead_siblings = dead.filter(job=OuterRef("job"), epoch=OuterRef("epoch"))
    may_start = Run.objects.issued().filter(Q(turn__gt=1) | ~Exists(dead_siblings))
    return (
        Exists(live.filter(job=OuterRef("pk"))),
        Exists(may_start.filter(job=OuterRef("pk"), epoch=OuterRef("epoch"))),
    )


def interrupted_jobs() -> JobQuerySet:
    """Jobs that run on the books while nobody works on them and nobody is coming; the latest first.

    Each carries `last_sign_at`: when a run of it was last heard of.
    """
    worked_on, awaited = _worked_on_and_awaited()
    # Not joined: then the conditions would be asked once for each run, and counting would have to group.
    heard_of = Run.objects.filter(job=OuterRef("pk")).order_by().values("job")
    latest = heard_of.annotate(at=Max(Coalesce(F("ended_at"), F("beat_at"), F("issued_at")))).values("at")
    return (
        Job.objects.running()
        .filter(~worked_on, ~Q(error_code="") | ~awaited)
        .filter(work_left())
        .annotate(
            last_sign_at=Coalesce(Subquery(latest), F("started_at"), F("created_at"), output_field=DateTimeField())
        )
        .order_by("-last_sign_at", "-pk")
    )


def waiting_for_person() -> JobQuerySet:
    """Jobs that have nothing left but rows that a person has to decide; the newest first."""
    worked_on, awaited = _worked_on_and_awaited()
    in_review = Exists(Row.objects.filter(job=OuterRef("pk")).in_review())
    return Job.objects.running().filter(~worked_on, ~awaited, ~work_left(), in_review).order_by("-pk")


class Condition(Enum):
    """How a job stands for a person: its status, with "running" told apart."""

    not_started = "not_started"
    working = "working"
    waiting_for_worker = "waiting_for_worker"
    waiting_for_person = "waiting_for_person"
    interrupted = "interrupted"
    paused = "paused"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"


_BY_STATUS = {
    JobStatus.pending: Condition.not_started,
    JobStatus.paused: Condition.paused,
    JobStatus.completed: Condition.completed,
    JobStatus.failed: Condition.failed,
    JobStatus.cancelled: Condition.cancelled,
}


def conditions(jobs: Sequence[Job]) -> dict[int, Condition]:
    """The condition of each job by its id, in a fixed number of queries. A job that is running here and no longer in
    the books stands as it does there.
    """
    running = [job.pk for job in jobs if job.status == JobStatus.running]
    found = {job.pk: _BY_STATUS[JobStatus(job.status)] for job in jobs if job.status != JobStatus.running}
    if not running:
        return found
    worked_on, awaited = _worked_on_and_awaited()
    in_review = Exists(Row.objects.filter(job=OuterRef("pk")).in_review())
    read = Job.objects.filter(pk__in=running).annotate(
        worked_on=worked_on,
        awaited=Case(When(error_code="", then=awaited), default=False, output_field=BooleanField()),
        with_work=Case(When(work_left(), then=True), default=False, output_field=BooleanField()),
        reviewed=in_review,
    )
    for pk, status, *signs in read.values_list("pk", "status", "worked_on", "awaited", "with_work", "reviewed"):
        found[pk] = _of_a_running_job(*signs) if status == JobStatus.running else _BY_STATUS[JobStatus(status)]
    return found


def _of_a_running_job(worked_on: bool, awaited: bool, with_work: bool, reviewed: bool) -> Condition:
    if worked_on:
        return Condition.working
    if awaited:
        return Condition.waiting_for_worker
    if with_work:
        return Condition.interrupted
    # With nothing open at all, housekeeping completes it.
    return Condition.waiting_for_person if reviewed else Condition.waiting_for_worker


def condition(job: Job) -> Condition:
    """The condition of one job."""
    return conditions([job])[job.pk]


def is_interrupted(job: Job) -> bool:
    """Whether a job is interrupted at this moment. Under the job's lock, the answer holds until the lock goes."""
    return condition(job) == Condition.interrupted


def worker_alive() -> bool:
    """Whether any worker process, idle or busy, was heard of within a lease."""
    now = book_now()
    since = now - settings.LEASE_SECONDS
    workers = Worker.objects.filter(beat__gte=since)
    if any(beats(each, now) for each in workers):
        return True
    # A worker that checks or imports a file, or compares a job with the carrier, beats there.
    return (
        bool(live_run_ids())
        or Upload.objects.working().filter(beat__gte=since).exists()
        or Comparison.objects.working().filter(beat__gte=since).exists()
    )
