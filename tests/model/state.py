"""What the model's books, processes and carrier hold at one moment: small values, equal when they mean the same."""

from enum import IntEnum, StrEnum
from typing import NamedTuple

NOBODY = 0
WORKERS = (1, 2)


class Time(IntEnum):
    """Where a claim stands on the books' clock."""

    before_due = 1
    after_due = 2
    after_quiet = 3


class Mode(IntEnum):
    """How a worker process stands to its run."""

    idle = 0  # none
    live = 1  # a started run of the current epoch, whose heart beats
    lapsed = 2  # the same, its lease over: others take it for dead
    fenced = 3  # a run that was ended, which the process has not yet found out


class Stage(IntEnum):
    """How far a purchase has come, as its own process sees it."""

    committed = 0  # claimed in the books, not yet on its way
    checked = 1  # its last check before the send is done: it is on its way, or frozen just before that
    checked_late = 2  # only in a sabotaged model: on its way although its due is over
    unclaimed = 3  # only in a sabotaged model: on its way without a claim
    bought = 4  # answered, and the answer not yet in the books
    not_bought = 5  # the same: rejected, unavailable, or known unsent


UNDER_WAY = frozenset({Stage.committed, Stage.checked, Stage.checked_late, Stage.unclaimed})
ON_THE_WIRE = UNDER_WAY - {Stage.committed}


class How(IntEnum):
    """How a charge came about."""

    in_order = 0
    window = 1  # checked before its due, and frozen between that check and the send until due + quiet were over
    unclaimed = 2  # without a claim in the books
    late = 3  # checked, or sent once more, when it must not be


class Charge(NamedTuple):
    """What the carrier's own ledger holds: a label that was bought. `recorded`: our books hold it, too."""

    handle: int
    how: int = How.in_order
    recorded: bool = False


class Letter(NamedTuple):
    """A purchase in a process's memory, or (owner 0) on the wire of one that died. `current`: the row still owes the
    answer to its claim. `time` counts only for one that is under way and not current; a current one has the row's.
    """

    owner: int
    stage: int
    current: bool
    time: int
    handle: int
    charge: int = -1


NOT_BOUGHT, NO_ANSWER = -1, -2


class Finding(NamedTuple):
    """A look-up's answer in a process's memory: the number of a charge, NOT_BOUGHT or NO_ANSWER. `quiet`: asked after
    due and quiet period.
    """

    owner: int
    current: bool
    quiet: bool
    said: int


class RowStatus(StrEnum):
    pending = "pending"
    in_flight = "in flight"
    completed = "completed"
    failed = "failed"
    needs_review = "in review"
    skipped = "skipped"


class Row(NamedTuple):
    """One row of the books, with what the carrier and the processes hold of it. `named` is the mark of a restart;
    `permits` (no part of the books) is 1 for a
    confirmed restart that named the row and was not used up.
    """

    status: RowStatus = RowStatus.pending
    attempt: int = 1
    permits: int = 0
    handle: int = 0
    due: int = 0
    waits: int = NOBODY
    rebuy: bool = False
    unswept: bool = False
    named: bool = False
    charges: tuple[Charge, ...] = ()
    letters: tuple[Letter, ...] = ()
    findings: tuple[Finding, ...] = ()


class JobStatus(StrEnum):
    running = "running"
    paused = "paused"
    cancelled = "cancelled"
    completed = "completed"


class Job(NamedTuple):
    """The job: `first_turns` and `successors` are runs issued and not yet started; `died`: a started run of this epoch
    ended with its process.
    """

    status: JobStatus = JobStatus.running
    error: bool = False
    sweep: bool = False
    first_turns: int = 2
    successors: int = 0
    died: bool = False


class Worker(NamedTuple):
    mode: int = Mode.idle
    frozen: bool = False


class Scene(NamedTuple):
    """All but the rows."""

    job: Job = Job()
    workers: tuple[Worker, Worker] = (Worker(), Worker())

    def mode(self, worker: int) -> int:
        return self.workers[worker - 1].mode if worker else Mode.idle

    def awake(self, worker: int) -> bool:
        """Whether this process can take a step. What is on the wire of a dead one (owner 0) moves by itself."""
        return not worker or not self.workers[worker - 1].frozen


class Cost(StrEnum):
    """What a move uses up of the bounds; all other moves are free."""

    crash = "crash"
    freeze = "freeze"
    choice = "choice"


class Move(NamedTuple):
    """A step in words, what it costs, and the event that its transaction writes (only people's steps need one)."""

    kind: str
    words: str
    worker: int = NOBODY
    row: int = 0
    cost: Cost | None = None
    by_person: bool = False
    event: str = ""
