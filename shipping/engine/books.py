"""Every durable write of a run: starting, ticking, ending. One transaction each, under the job's lock.

A tick beats, files what came back, claims what goes out, and keeps the counters; only what it returns after its
commit may be sent.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.utils import timezone

from shipping.carriers.port import CarrierError, Purchase, Rejected, VoidAnswer
from shipping.engine.claims import claim, let_go, reserve
from shipping.engine.files import pick_files, settle_file
from shipping.engine.letters import (
    Claim,
    FileOrder,
    Inbox,
    Letter,
    Preparation,
    Question,
    Ready,
    RefundQuestion,
    Reply,
    StoredFile,
    VoidLetter,
)
from shipping.engine.reconcile import pick_questions, settle_finding
from shipping.engine.refunds import pick_refunds, settle_refund
from shipping.engine.settle import (
    halt,
    note_bought,
    settle_plainly_bought,
    settle_purchase,
    settle_rejected_preparation,
)
from shipping.engine.sweep import drop_unsent_voids, sweep_chunk
from shipping.engine.together import LockedJob, beat, release_rows, started_runs
from shipping.engine.turns import should_give_way
from shipping.engine.voids import pick_voids, settle_void
from shipping.liveness import ProcessIdentity, beats, may_start
from shipping.models import Job, Label, Row, Run
from shipping.models.clock import book_now, local_seconds
from shipping.runs import end_runs, issue_run, note_crashes, record
from shipping.states import EventKind, JobStatus, RowStatus, RunEnd, Sweep

# What a tick reads of a job and, where it changed, writes back: all that engines and choices change, and not what the
# file was.
_OF_A_JOB = (
    "code", "carrier", "sender", "stop_on_error", "status", "epoch", "error_code", "error_message", "error_row_number",
    "sweep", "sweep_next_row", "sweep_mark", "sweep_void", "total_rows", "processed_rows", "successful_rows",
    "failed_rows", "cost_cents", "replaced_cents", "currency", "ended_at",
)  # fmt: skip


class CommitUnknown(Exception):
    """The database was lost during COMMIT: nobody can tell whether the transaction took place."""


class Standing(Enum):
    """What a run may do after a tick."""

    go_on = "go_on"  # claim rows
    sweeping = "sweeping"  # tick again: a sweep goes before any claim
    waiting = "waiting"  # nothing to claim for now, but others' rows, doubts or voids are open
    halted = "halted"  # the job has an error: claim nothing more, then end
    fenced = "fenced"  # a choice has ended this run: claim nothing more
    finished = "finished"  # nothing is left but rows in review


@dataclass(slots=True)
class Wishes:
    """What a caller has room for: rows ready to be claimed, rows to reserve and prepare, errands to run. `turn_over`:
    it asks whether it should give way to another job.
    """

    ready: list[Ready] = field(default_factory=list)
    preparations: int = 0
    errands: int = 0
    turn_over: bool = False


@dataclass(slots=True)
class Outcome:
    """What a committed tick allows to be sent, how the run stands, whether a sweep that it may do goes on, and whether
    the run should give way to another job.
    """

    standing: Standing
    letters: list[Letter] = field(default_factory=list)
    sweeping: bool = False
    give_way: bool = False


@contextmanager
def _told_apart() -> Iterator[None]:
    """A transaction. Raises CommitUnknown when the database was lost during its COMMIT; after every other error it is
    certain that nothing was written.
    """
    at_commit = False
    try:
        with transaction.atomic():
            yield
            at_commit = True
    except (AnyDatabaseError, OSError) as error:
        if at_commit:
            raise CommitUnknown(str(error)) from error
        raise


def start_run(run_id: int, process: ProcessIdentity, *, perhaps_started: bool = False) -> Run | None:
    """Start an issued run. None when it may not: started before, fenced, or its job can't go on.

    Raises CommitUnknown. Who then tries again says `perhaps_started`: a start by this very process was its own.
    """
    with _told_apart():
        return _start_run(run_id, process, perhaps_started=perhaps_started)


def _start_run(run_id: int, process: ProcessIdentity, *, perhaps_started: bool) -> Run | None:
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        return None
    job = Job.objects.lock(run.job_id)
    run.refresh_from_db()
    now = book_now()
    run.job = job
    if perhaps_started and run.started_at and not run.ended_at and _runs_in(run, process):
        return run
    if not may_start(run, job, job.runs.open(), now):
        return None
    run.started_at = run.beat_at = timezone.now()
    run.beat = now
    run.host, run.pid, run.pid_start_ticks = process.host, process.pid, process.start_ticks
    run.save()
    return run


def _runs_in(run: Run, process: ProcessIdentity) -> bool:
    return (run.host, run.pid, run.pid_start_ticks) == (process.host, process.pid, process.start_ticks)


def tick(job_id: int, inbox: Inbox, wishes: Wishes, *, run_id: int | None = None) -> Outcome:
    """One transaction: beat, settle what came back, sweep, claim what goes out. Without a run (housekeeping) nothing
    is claimed and nothing beats.

    Raises CommitUnknown, or a database error of which it is certain that nothing was written. In both cases nothing
    may be sent.
    """
    before = local_seconds()
    with _told_apart():
        return _tick(job_id, inbox, wishes, run_id, before)


def _tick(job_id: int, inbox: Inbox, wishes: Wishes, run_id: int | None, before: float) -> Outcome:
    locked = LockedJob(job_id, _OF_A_JOB)
    job = locked.job
    # Taken under the lock, so waiting for the lock has not made it old; `before` was, and so deadlines that are
    # counted from `before` in this process end no later than `due` in the books.
    now = book_now()
    beating = run_id is not None and _beat(job, run_id, now)
    _file(job, inbox, now)
    live = _living(job, now)
    may_sweep = beating and job.status == JobStatus.running and not job.error_code
    sweeping = bool(job.sweep) and (may_sweep or (job.is_over and job.sweep == Sweep.void))
    if sweeping:
        sweep_chunk(job)
    elif job.is_over:
        sweeping = drop_unsent_voids(job)
    standing = _standing(job, run_id, beating)
    letters: list[Letter] = []
    if run_id is not None and standing is Standing.go_on:
        letters += claim(job, run_id, wishes.ready, now, before)
        letters += reserve(job, run_id, live, wishes.preparations)
    working = standing in (Standing.go_on, Standing.sweeping)
    letters += _errands(job, live, wishes.errands, now, working=working)
    if complete_if_done(job):
        standing = Standing.finished
    elif standing is Standing.go_on and not _rows_wait(job, letters):
        standing = Standing.waiting if _work_left(job) else Standing.finished
    if run_id is not None and standing is Standing.finished:
        _end(run_id, RunEnd.no_work)
    locked.save()
    give_way = run_id is not None and wishes.turn_over and should_give_way(run_id, now)
    return Outcome(standing=standing, letters=letters, sweeping=sweeping, give_way=give_way)


def _rows_wait(job: Job, letters: list[Letter]) -> bool:
    """Whether rows of the job wait to be claimed. One that was reserved just now does."""
    return any(isinstance(letter, Preparation) for letter in letters) or job.rows.pending().exists()


def _beat(job: Job, run_id: int, now: float) -> bool:
    """Say that the run lives; false when a choice has ended it. A late beat revives a run that nobody ended."""
    return beat(run_id, job.epoch, now)


def _living(job: Job, now: float) -> list[int]:
    """The job's live runs. The deaths of the others are counted on the rows that they had."""
    started = started_runs(job.pk)
    live = [run.pk for run in started if beats(run, now)]
    if len(live) < len(started):
        note_crashes(job, job.runs.started().exclude(pk__in=live))
    return live


def _standing(job: Job, run_id: int | None, beating: bool) -> Standing:
    if run_id is None or not beating or job.status != JobStatus.running:
        return Standing.fenced
    if job.error_code:
        return Standing.halted
    return Standing.sweeping if job.sweep else Standing.go_on


def _file(job: Job, inbox: Inbox, now: float) -> None:
    """Settle everything that came back, purchases first."""
    settled = settle_plainly_bought(job, inbox.purchases) if inbox.purchases else set()
    replies = [reply for reply in inbox.replies() if id(reply) not in settled]
    if not replies:
        return
    letters = [reply.letter for reply in replies]
    row_ids = {letter.row_id for letter in letters if isinstance(letter, Claim | Question | Preparation)}
    rows = Row.objects.defer("order", "extra").in_bulk(list(row_ids))
    label_ids = {letter.label_id for letter in letters if isinstance(letter, VoidLetter | RefundQuestion | FileOrder)}
    labels_by_id = Label.objects.in_bulk(list(label_ids))
    sent_by = {row.pk: row.run_id for row in rows.values() if row.status == RowStatus.in_flight}
    for reply in replies:
        _file_reply(job, reply, rows, labels_by_id, now)
    note_bought(
        (run_id, rows[row_id].number)
        for row_id, run_id in sent_by.items()
        if rows[row_id].status == RowStatus.completed
    )


def _file_reply(job: Job, reply: Reply, rows: dict[int, Row], labels_by_id: dict[int, Label], now: float) -> None:
    match reply.letter, reply.outcome:
        case Claim() as claim, Purchase() | CarrierError() as outcome:
            settle_purchase(job, rows[claim.row_id], claim.attempt, claim.claim, outcome)
        case Question() as question, Purchase() | CarrierError() | None as outcome:
            settle_finding(job, rows[question.row_id], question, outcome, now)
        case VoidLetter() as letter, VoidAnswer() | CarrierError() as outcome:
            settle_void(job, labels_by_id[letter.label_id], outcome, now)
        case RefundQuestion() as letter, VoidAnswer() | CarrierError() as outcome:
            settle_refund(job, labels_by_id[letter.label_id], outcome, now)
        case FileOrder() as order, StoredFile() | CarrierError() as outcome:
            settle_file(labels_by_id[order.label_id], outcome, now)
        case Preparation() as preparation, CarrierError() as error:
            _settle_preparation(job, rows[preparation.row_id], preparation, error)
        case letter, outcome:
            raise TypeError(f"{type(outcome).__name__} is no answer to a {type(letter).__name__}.")


def _settle_preparation(job: Job, row: Row, preparation: Preparation, error: CarrierError) -> None:
    """A preparation that was refused fails the row; one that did not work out lets it go. Nothing was bought."""
    untouched = row.status == RowStatus.pending and row.attempt == preparation.attempt and not row.handle
    if not untouched:
        return
    if isinstance(error, Rejected):
        settle_rejected_preparation(job, row, error)
    else:
        let_go(job, preparation.run_id, [row.pk])


def _errands(job: Job, live: Collection[int], limit: int, now: float, *, working: bool) -> list[Letter]:
    """What else the carrier is asked: doubts first, then voids, then label files, then how refunds stand."""
    if limit <= 0:
        return []
    letters: list[Letter] = [*pick_questions(job, live, limit, now)]
    letters += pick_voids(job, limit - len(letters), now, working=working)
    letters += pick_files(job, limit - len(letters), now)
    letters += pick_refunds(job, limit - len(letters), now)
    return letters


def _work_left(job: Job) -> bool:
    """Whether a run could still do something: others' rows, doubts, voids. Not for rows in review alone."""
    if job.sweep or job.rows.pending().exists() or job.rows.owed_to_us().exists():
        return True
    return Label.objects.void_owed().filter(job=job).exists()


def complete_if_done(job: Job) -> bool:
    """Complete a running job in the transaction that settles its last open row (the caller saves `job`)."""
    if job.status != JobStatus.running or job.error_code or job.sweep or job.remaining_rows:
        return False
    if job.rows.owed().exists() or Label.objects.void_owed().filter(job=job).exists():
        return False
    job.status = JobStatus.completed
    job.ended_at = timezone.now()
    end_runs(job, live=RunEnd.no_work)
    record(job, EventKind.completed, successful=job.successful_rows, failed=job.failed_rows, skipped=job.skipped_rows)
    return True


@transaction.atomic
def end_run(
    run_id: int, reason: RunEnd, error: CarrierError | None = None, row_number: int = 0, *, failing_for: float = 0.0
) -> None:
    """End a run in an orderly way: let its reserved rows go, and for a hand-over issue the successor, which is told for
    how many seconds the carrier has failed. With `error`, the job halts.
    """
    run = Run.objects.get(pk=run_id)
    job = Job.objects.lock(run.job_id)
    if error is not None and job.epoch == run.epoch:
        halt(job, error, row_number)
    release_rows(run_id)
    ended = _end(run_id, reason)
    goes_on = job.status == JobStatus.running and not job.error_code and job.epoch == run.epoch
    if ended and reason == RunEnd.handed_over and goes_on:
        issue_run(job, turn=run.turn + 1, failing_since=book_now() - failing_for if failing_for else None)
    complete_if_done(job)
    job.save()


def _end(run_id: int, reason: RunEnd) -> bool:
    """Write the end of a run down, once; false when it had ended before."""
    return Run.objects.open().filter(pk=run_id).update(ended_at=timezone.now(), end_reason=reason) == 1
