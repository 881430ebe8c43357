"""The moves of a whole job: runs, workers that die or freeze, people's choices.

Each says what becomes of the scene, and by name what becomes of each row (`CHANGES`); of the rows it looks only at what
`View` tells.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

from tests.model.moves import Rules, after_crash
from tests.model.settle import with_letters
from tests.model.state import (
    NOBODY,
    UNDER_WAY,
    WORKERS,
    Cost,
    Job,
    JobStatus,
    Mode,
    Move,
    Row,
    RowStatus,
    Scene,
    Worker,
)

RUNS_PER_JOB = 2
DONE = frozenset({RowStatus.completed, RowStatus.failed, RowStatus.skipped})


class View(NamedTuple):
    """What the moves of a job look at in a row. `out`: workers that wait for its purchase or hold an answer to it;
    `touched`: workers whose death it would feel.
    """

    out: frozenset[int]
    touched: frozenset[int]
    work_left: bool
    done: bool
    completed: bool
    unswept: bool


def view(row: Row) -> View:
    """What the moves of a job look at in this row."""
    return View(
        out=frozenset(worker for worker in WORKERS if _still_out(row, worker)),
        touched=frozenset(worker for worker in WORKERS if after_crash(row, worker) != row),
        work_left=_work_left(row),
        done=row.status in DONE and not row.due,
        completed=row.status == RowStatus.completed,
        unswept=row.unswept,
    )


def _still_out(row: Row, worker: int) -> bool:
    return any(
        letter.owner == worker and (letter.stage not in UNDER_WAY or (letter.current and row.waits == worker))
        for letter in row.letters
    )


def _work_left(row: Row) -> bool:
    """`liveness.work_left`: pending rows, and debts that the carrier can be asked for."""
    return row.status == RowStatus.pending or (row.due > 0 and row.status != RowStatus.needs_review)


# --- What becomes of a row -----------------------------------------------------------------------------------


def _unwaited(row: Row) -> Row:
    """Runs that were ended wait for no answer."""
    return row._replace(waits=NOBODY)


def _retried(row: Row) -> Row:
    """`JobService._retry_rows`: what was rejected is tried again (of a job that halts at the first, all of it)."""
    return _unwaited(row)._replace(status=RowStatus.pending if row.status == RowStatus.failed else row.status)


def _named(row: Row) -> Row:
    """A restart whose mark lies at or after this row's label; the person confirmed to buy it once more."""
    return _unwaited(row)._replace(named=True, unswept=True, permits=1)


def _not_named(row: Row) -> Row:
    return _unwaited(row)._replace(named=False, unswept=True)


def _swept_off(row: Row) -> Row:
    return _unwaited(row)._replace(named=False, unswept=False)


CHANGES: Mapping[str, Callable[[Row], Row]] = {
    "same": lambda row: row,
    "crash of 1": lambda row: after_crash(row, 1),
    "crash of 2": lambda row: after_crash(row, 2),
    "end of 1": lambda row: _unwaited(row) if row.waits == 1 else row,
    "end of 2": lambda row: _unwaited(row) if row.waits == 2 else row,
    "new epoch": _unwaited,
    "retried": _retried,
    "named": _named,
    "not named": _not_named,
    "swept off": _swept_off,
}


class Turn(NamedTuple):
    """A move with the scene it leads to and what becomes of each row."""

    move: Move
    scene: Scene
    changes: tuple[str, ...]


def job_moves(rules: Rules, scene: Scene, rows: tuple[View, ...]) -> Iterator[Turn]:
    """Everything that can happen next and is no move of a single row."""
    for worker in WORKERS:
        yield from starts(rules, scene, rows, worker)
        yield from ends(scene, rows, worker)
        yield from crashes(scene, rows, worker)
        yield from freezes(scene, rows, worker)
    yield from sweep_done(scene, rows)
    yield from choices(rules, scene, rows)


def put(
    scene: Scene, worker: int, *, mode: int | None = None, frozen: bool | None = None, job: Job | None = None
) -> Scene:
    """The scene with one worker, and perhaps the job, changed."""
    workers = list(scene.workers)
    before = workers[worker - 1]
    workers[worker - 1] = Worker(
        before.mode if mode is None else mode,
        before.frozen if frozen is None else frozen,
    )
    return Scene(job or scene.job, (workers[0], workers[1]))


def end_runs(scene: Scene) -> Scene:
    """`shipping.runs.end_runs`: those that live will find it out; those not started never do."""
    ended = [
        worker._replace(mode=Mode.fenced) if worker.mode in (Mode.live, Mode.lapsed) else worker
        for worker in scene.workers
    ]
    job = scene.job._replace(first_turns=0, successors=0, died=False)
    return Scene(job, (ended[0], ended[1]))


def with_status(scene: Scene, status: JobStatus) -> Scene:
    return scene._replace(job=scene.job._replace(status=status))


def halted(scene: Scene) -> Scene:
    """`engine.settle.halt`: a job that halts at the first rejected row."""
    job = scene.job
    return scene._replace(job=job._replace(error=True)) if job.status == JobStatus.running else scene


def completed(scene: Scene) -> Scene | None:
    """`engine.books.complete_if_done`, for a job whose rows are done; None when it can't be completed."""
    job = scene.job
    if job.status != JobStatus.running or job.error or job.sweep:
        return None
    return with_status(end_runs(scene), JobStatus.completed)


def _maybe_completed(move: Move, scene: Scene, rows: tuple[View, ...], change: str) -> Turn:
    over = completed(scene) if all(row.done for row in rows) else None
    return Turn(move, over or scene, ("new epoch" if over else change,) * len(rows))


def starts(rules: Rules, scene: Scene, rows: tuple[View, ...], worker: int) -> Iterator[Turn]:
    """`engine.books.start_run` with `liveness.may_start`; and `engine.books._beat`: a late heartbeat revives a run
    that nobody ended.
    """
    job, unchanged = scene.job, ("same",) * len(rows)
    if not scene.awake(worker):
        return
    if scene.mode(worker) == Mode.lapsed:
        yield Turn(Move("beat", "worker {w} beats again", worker), put(scene, worker, mode=Mode.live), unchanged)
    if scene.mode(worker) != Mode.idle or job.status != JobStatus.running or job.error:
        return
    first_may = not dead_sibling(scene) or "queue brings the dead to life" in rules.broken
    if job.first_turns and first_may:
        begun = put(scene, worker, mode=Mode.live, job=job._replace(first_turns=job.first_turns - 1))
        yield Turn(Move("start", "worker {w} starts a run", worker), begun, unchanged)
    if job.successors:
        begun = put(scene, worker, mode=Mode.live, job=job._replace(successors=job.successors - 1))
        yield Turn(Move("succeed", "worker {w} starts a run that was handed over", worker), begun, unchanged)


def dead_sibling(scene: Scene) -> bool:
    """Whether a started run of this epoch is not live, and was not ended."""
    return scene.job.died or any(worker.mode == Mode.lapsed for worker in scene.workers)


def ends(scene: Scene, rows: tuple[View, ...], worker: int) -> Iterator[Turn]:
    """`engine.loop.RunLoop._reason_to_end` and `engine.books.end_run`: once nothing it sent is waited for."""
    job, mode = scene.job, scene.mode(worker)
    if mode not in (Mode.live, Mode.fenced) or not scene.awake(worker) or any(worker in row.out for row in rows):
        return
    ended = put(scene, worker, mode=Mode.idle)
    change = f"end of {worker}"
    if mode == Mode.fenced:
        yield Turn(Move("end", "worker {w} finds its run ended", worker), ended, ("same",) * len(rows))
    elif job.error:
        yield Turn(Move("end", "worker {w} ends its run: the job halted", worker), ended, (change,) * len(rows))
    elif not job.sweep and not any(row.work_left for row in rows):
        move = Move("end", "worker {w} ends its run: nothing is left for it", worker)
        yield _maybe_completed(move, ended, rows, change)
    else:
        handed = put(scene, worker, mode=Mode.idle, job=job._replace(successors=job.successors + 1))
        yield Turn(Move("hand_over", "worker {w} hands its run over", worker), handed, (change,) * len(rows))


def crashes(scene: Scene, rows: tuple[View, ...], worker: int) -> Iterator[Turn]:
    """SIGKILL, at any point. Its run counts as dead at once (`liveness.is_gone`); a new process takes its place."""
    mode = scene.mode(worker)
    if mode == Mode.idle and not any(worker in row.touched for row in rows):
        return
    died = scene.job.died or mode in (Mode.live, Mode.lapsed)
    after = put(scene, worker, mode=Mode.idle, frozen=False, job=scene.job._replace(died=died))
    move = Move("crash", "worker {w} is killed", worker, cost=Cost.crash)
    yield Turn(move, after, (f"crash of {worker}",) * len(rows))


def freezes(scene: Scene, rows: tuple[View, ...], worker: int) -> Iterator[Turn]:
    """SIGSTOP past the lease, and SIGCONT. Others take its run for dead (`liveness.is_live`)."""
    unchanged = ("same",) * len(rows)
    mode = scene.mode(worker)
    if not scene.awake(worker):
        yield Turn(Move("wake", "worker {w} wakes", worker), put(scene, worker, frozen=False), unchanged)
    elif mode != Mode.idle or any(worker in row.touched for row in rows):
        lapsed = Mode.lapsed if mode == Mode.live else mode
        move = Move("freeze", "worker {w} freezes past its lease", worker, cost=Cost.freeze)
        yield Turn(move, put(scene, worker, mode=lapsed, frozen=True), unchanged)


def sweep_done(scene: Scene, rows: tuple[View, ...]) -> Iterator[Turn]:
    """`engine.sweep.sweep_chunk` when no row is left, and the end of the same tick."""
    job = scene.job
    working = job.sweep and not job.error and job.status == JobStatus.running
    if not working or any(row.unswept for row in rows):
        return
    if any(scene.mode(worker) == Mode.live and scene.awake(worker) for worker in WORKERS):
        swept = scene._replace(job=job._replace(sweep=False))
        yield _maybe_completed(Move("sweep_done", "the sweep is done"), swept, rows, "same")


# --- People's choices, each one transaction under the job's lock (`shipping.services.JobService`) -------------


def interrupted(scene: Scene, rows: tuple[View, ...]) -> bool:
    """`liveness.is_interrupted`."""
    job = scene.job
    if job.status != JobStatus.running or any(worker.mode == Mode.live for worker in scene.workers):
        return False
    awaited = job.successors or (job.first_turns and not dead_sibling(scene))
    if awaited and not job.error:
        return False
    return bool(job.error or job.sweep or any(row.work_left for row in rows))


def choices(rules: Rules, scene: Scene, rows: tuple[View, ...]) -> Iterator[Turn]:
    """Resume, restart, cancel, pause and start, where the job allows them. Each raises the epoch
    (`JobService._new_epoch`): after its commit no older run claims a row.
    """
    status = scene.job.status
    ended = end_runs(scene)
    running = ended.job._replace(status=JobStatus.running, error=False, first_turns=RUNS_PER_JOB)
    going_on = ended._replace(job=running)
    if interrupted(scene, rows):
        yield _chosen("resumed", "a person resumes", going_on, ("retried",) * len(rows))
        yield from restarts(going_on, rows)
    if status == JobStatus.paused:
        yield _chosen("started", "a person carries it on", going_on, ("retried",) * len(rows))
    if status == JobStatus.running:
        paused = with_status(end_runs(scene), JobStatus.paused)
        yield _chosen("paused", "a person pauses", paused, ("new epoch",) * len(rows))
    if status in (JobStatus.running, JobStatus.paused):
        event = "" if "choice without a trace" in rules.broken else "cancelled"
        cancelled = ended.job._replace(status=JobStatus.cancelled, sweep=False, error=False)
        stopped = ended._replace(job=cancelled)
        yield _chosen(event, "a person cancels", stopped, ("swept off",) * len(rows))


def _chosen(event: str, words: str, scene: Scene, changes: tuple[str, ...]) -> Turn:
    return Turn(Move("choice", words, cost=Cost.choice, by_person=True, event=event), scene, changes)


def restarts(going_on: Scene, rows: tuple[View, ...]) -> Iterator[Turn]:
    """`JobService.restart`: bound to the labels that were shown. They may be fewer than there are by now (labels that
    turned up since the person looked are newer than the mark), so any of the completed rows may be the named ones.
    """
    scene = going_on._replace(job=going_on.job._replace(sweep=True))
    for changes in product(*(("not named", "named") if row.completed else ("not named",) for row in rows)):
        numbers = [f"row {number}" for number, change in enumerate(changes, 1) if change == "named"]
        words = "a person restarts and confirms to buy again " + (" and ".join(numbers) or "no label")
        yield _chosen("restarted", words, scene, changes)


# --- States that differ in names alone -----------------------------------------------------------------------

OTHER = (NOBODY, 2, 1)


def swapped(scene: Scene) -> Scene:
    """The same with the workers' names exchanged."""
    return Scene(scene.job, (scene.workers[1], scene.workers[0]))


def swapped_row(row: Row) -> Row:
    """The same with the workers' names exchanged."""
    letters = [letter._replace(owner=OTHER[letter.owner]) for letter in row.letters]
    findings = sorted(finding._replace(owner=OTHER[finding.owner]) for finding in row.findings)
    return with_letters(row._replace(waits=OTHER[row.waits], findings=tuple(findings)), letters)
