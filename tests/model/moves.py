"""The moves of one row: what workers, carriers, time and a person deciding about that row can do next.

Each move is one transaction of the real code, or one step outside any; its docstring names the function.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.settle import (
    answered,
    buy_again,
    charged,
    charges_of,
    forget,
    handles_of,
    settle_bought,
    settle_finding,
    settle_not_bought,
    settle_rejected,
    with_letters,
    without,
)
from tests.model.state import (
    NO_ANSWER,
    NOBODY,
    NOT_BOUGHT,
    ON_THE_WIRE,
    UNDER_WAY,
    WORKERS,
    Finding,
    How,
    JobStatus,
    Letter,
    Mode,
    Move,
    Row,
    RowStatus,
    Scene,
    Stage,
    Time,
)

LATE_ANSWER = "late answer for a newer claim"


class Step(NamedTuple):
    """What a move makes of the row, and whether it halts the job."""

    move: Move
    row: Row
    halts: bool = False


class Rules(NamedTuple):
    """The carrier's guarantee and policy, and what is broken on purpose (names of `tests.model.sabotage`)."""

    exactly_once: bool
    ask_a_person: bool = False
    broken: frozenset[str] = frozenset()


def row_moves(rules: Rules, scene: Scene, row: Row) -> Iterator[Step]:
    """Everything that can happen to one row next."""
    for step in _row_moves(rules, scene, row):
        yield step._replace(row=forget(step.row, late_answers=LATE_ANSWER in rules.broken))


def _row_moves(rules: Rules, scene: Scene, row: Row) -> Iterator[Step]:
    yield from time_passes(scene, row)
    for letter in dict.fromkeys(row.letters):
        if not scene.awake(letter.owner):
            continue
        if letter.stage == Stage.committed:
            yield check(rules, row, letter)
        elif letter.stage in ON_THE_WIRE:
            yield from carrier(rules, row, letter)
            yield from give_up(row, letter)
        else:
            yield from settle(rules, scene, row, letter)
    for finding in row.findings:
        if scene.awake(finding.owner):
            yield from file_finding(rules, row, finding)
    for worker in WORKERS:
        if scene.awake(worker):
            yield from claim(rules, scene, row, worker)
            yield from ask(rules, scene, row, worker)
            yield from sweep(rules, scene, row, worker)
    yield from person_decides(rules, scene, row)


def claim(rules: Rules, scene: Scene, row: Row, worker: int) -> Iterator[Step]:
    """`engine.books.tick` with `engine.claims.claim`: under the job's lock, when epoch, status, error and the run's
    own state allow. The same tick beats and files first what the process has heard, so a lapsed run beats before
    (`world.beats`), and one that holds an answer for the row files it before (`settle`).
    """
    job = scene.job
    mode = scene.mode(worker)
    allowed = mode == Mode.live and job.status == JobStatus.running and not job.error
    if "epoch read without the lock" in rules.broken and mode == Mode.fenced:
        allowed = True
    if job.sweep and "claims before the sweep is done" not in rules.broken:
        allowed = False
    if not allowed or row.status != RowStatus.pending or holds_answer(row, worker):
        return
    pinned = row.handle and "handle not pinned" not in rules.broken
    handle = row.handle if pinned else 10 * row.attempt + len(handles_of(row))
    if "claim after money" in rules.broken:
        sent = Letter(worker, Stage.unclaimed, current=False, time=Time.before_due, handle=handle)
        if not any(letter.stage == Stage.unclaimed for letter in row.letters):
            yield Step(Move("send", "worker {w} sends {r} unclaimed", worker), with_letters(row, (*row.letters, sent)))
        return
    letter = Letter(worker, Stage.committed, current=True, time=0, handle=handle)
    row = row._replace(status=RowStatus.in_flight, handle=handle, due=Time.before_due, waits=worker)
    yield Step(Move("claim", "worker {w} claims {r}", worker), with_letters(row, (*row.letters, letter)))


def holds_answer(row: Row, worker: int) -> bool:
    """Whether a process holds an answer for a row that is not in the books yet."""
    return any(letter.owner == worker and letter.stage not in UNDER_WAY for letter in row.letters)


def check(rules: Rules, row: Row, letter: Letter) -> Step:
    """`engine.wire.deliver`: the last look at the clock. With too little time left, the purchase is not sent."""
    time = row.due if letter.current else letter.time
    if time == Time.before_due:
        stage, words = Stage.checked, "worker {w} makes the last check before it sends {r}"
    elif "sent after its due" in rules.broken:
        stage, words = Stage.checked_late, "worker {w} sends {r} after its due"
    else:
        stage, words = Stage.not_bought, "worker {w} finds that it is too late to send {r}"
    timed = letter.time if stage in UNDER_WAY else 0
    changed = letter._replace(stage=stage, time=timed)
    rest = without(row, letter)
    return Step(Move("check", words, letter.owner), with_letters(rest, (*rest.letters, changed)))


def carrier(rules: Rules, row: Row, letter: Letter) -> Iterator[Step]:
    """`Carrier.buy` at the carrier: it charges or not, and its reply reaches the process or is lost ("unknown", which
    is filed here at once: it only ends the waiting). A purchase whose process died (owner 0) is executed or lost, and
    answered to nobody.
    """
    time = row.due if letter.current else letter.time
    owner = letter.owner
    rest = without(row, letter)
    how = {Stage.unclaimed: How.unclaimed, Stage.checked_late: How.late}.get(
        Stage(letter.stage), How.window if time == Time.after_quiet else How.in_order
    )
    before = charges_of(row, letter.handle)
    refused = rules.exactly_once and bool(before)
    if refused:
        number, after, words = before[0], rest, "the carrier says that {r} was bought already"
    else:
        number, after = len(row.charges), charged(rest, letter.handle, how)
        words = "the carrier charges for {r}" + (", sent by a frozen worker {w} that woke" if how == How.window else "")

    def step(words: str, row: Row, *replies: Letter) -> Step:
        return Step(Move("carrier", words, owner), with_letters(row, (*row.letters, *replies)))

    if not owner:
        if not refused:
            yield step(words + ", for a worker that died", after)
        yield step("the request for {r} of a worker that died is lost", rest)
        return
    answer = Letter(owner, Stage.bought, letter.current, 0, 0, number)
    yield step(words, after, answer)
    if "blind retry" in rules.broken and letter.stage == Stage.checked:
        yield step(words + "; the reply is lost and the client sends it again", after, letter)
    yield step(words + ", and the reply is lost", nobody_waits(after, letter))
    if not refused:
        yield step("the request for {r} is lost", nobody_waits(rest, letter))
        yield step("the carrier says of {r}: not bought", rest, Letter(owner, Stage.not_bought, letter.current, 0, 0))


def nobody_waits(row: Row, letter: Letter) -> Row:
    """`engine.settle._settle_unknown`: whoever sent it knows no more than that it may have been bought."""
    return row._replace(waits=NOBODY) if letter.current and row.waits == letter.owner else row


def give_up(row: Row, letter: Letter) -> Iterator[Step]:
    """`engine.wire.Lane.give_up_overdue`, and the tick that files its "unknown": nobody waits any more, and a late
    answer is still recorded.
    """
    if letter.owner and letter.current and row.waits == letter.owner and row.due > Time.before_due:
        yield Step(Move("give_up", "worker {w} waits for {r} no longer", letter.owner), row._replace(waits=NOBODY))


def settle(rules: Rules, scene: Scene, row: Row, letter: Letter) -> Iterator[Step]:
    """`engine.books.tick` with `engine.settle.settle_purchase` (or `engine.filing.file_late`): whatever the epoch or
    status of the job. "Bought" is recorded in any case, all else only for the claim it belongs to.
    """
    rest, owner = without(row, letter), letter.owner
    own = letter.current or (LATE_ANSWER in rules.broken and row.due > 0)
    if scene.mode(owner) == Mode.fenced and "settle dropped when fenced" in rules.broken:
        yield Step(Move("settle", "worker {w} is fenced and drops the answer for {r}", owner), rest)
    elif letter.stage == Stage.bought:
        after = settle_bought(rest, letter.charge, answers=letter.current)
        yield Step(Move("settle", "worker {w} records that {r} was bought", owner), after)
    elif own:
        after = settle_not_bought(rest)
        yield Step(Move("settle", "worker {w} records that {r} was not bought", owner), after)
        after, halts = settle_rejected(rest)
        yield Step(Move("settle", "worker {w} records that {r} was rejected", owner), after, halts)
    else:
        yield Step(Move("settle", "worker {w} passes over a late answer for {r}", owner), rest)


def ask(rules: Rules, scene: Scene, row: Row, worker: int) -> Iterator[Step]:
    """`engine.reconcile.pick_questions` and `Carrier.lookup`: in a run's loop, or in housekeeping. A question asked
    early and answered late says no less than one answered at once, so both are one step here.
    """
    in_doubt = row.due and row.status != RowStatus.needs_review and scene.mode(row.waits) != Mode.live
    if not in_doubt or any(scene.awake(finding.owner) or finding.owner == worker for finding in row.findings):
        return
    if scene.job.status == JobStatus.cancelled and "cancelled jobs not asked" in rules.broken:
        return
    quiet = row.due == Time.after_quiet or "believed before due and quiet" in rules.broken
    found = charges_of(row, row.handle)
    for said in (*(found or [NOT_BOUGHT]), NO_ANSWER):
        finding = Finding(worker, current=True, quiet=quiet, said=said)
        if said == NO_ANSWER and "could not check means no" in rules.broken and quiet:
            words = "worker {w} can't ask about {r} and takes that for a no"
            yield Step(Move("file", words, worker), filed(rules, row, finding._replace(said=NOT_BOUGHT)))
        elif said == NO_ANSWER:
            words = "worker {w} can't ask about {r}, again and again, and gives it to a person"
            yield Step(Move("file", words, worker), filed(rules, row, finding))
        elif said >= 0:
            # A label stays bought, so this can't grow old between the answer and the books.
            words = "worker {w} asks about {r}; the carrier says: bought"
            yield Step(Move("file", words, worker), filed(rules, row, finding))
        elif quiet:
            # Asked earlier, "not bought" is noted and asked again: nothing else changes.
            words = "worker {w} asks about {r}; the carrier says: not bought"
            asked = row._replace(findings=tuple(sorted((*row.findings, finding))))
            yield Step(Move("ask", words, worker), asked)


def file_finding(rules: Rules, row: Row, finding: Finding) -> Iterator[Step]:
    """`engine.books.tick` with `engine.reconcile.settle_finding`, under the job's lock, some time after the answer."""
    findings = list(row.findings)
    findings.remove(finding)
    rest = row._replace(findings=tuple(findings))
    words = "worker {w} files that {r} was not bought"
    yield Step(Move("file", words, finding.owner), filed(rules, rest, finding))


def filed(rules: Rules, row: Row, finding: Finding) -> Row:
    """The row after an answer about it."""
    return settle_finding(row, finding, ask_a_person=rules.ask_a_person)


def sweep(rules: Rules, scene: Scene, row: Row, worker: int) -> Iterator[Step]:
    """`engine.books.tick` with `engine.sweep.sweep_chunk`: each row once, before any claim. A chunk is one row here,
    in any order, so that a kill can come between any two.
    """
    job = scene.job
    if not row.unswept or not job.sweep or job.error or job.status != JobStatus.running:
        return
    if scene.mode(worker) != Mode.live:
        return
    named = row.named or "restart by status" in rules.broken
    after = row._replace(unswept=False, named=False)
    if row.status == RowStatus.failed:
        after = after._replace(status=RowStatus.pending)
    elif row.status == RowStatus.completed and named:
        waits = row.due and "restart waits for no answer" not in rules.broken
        after = after._replace(rebuy=True) if waits else buy_again(after)
    yield Step(Move("sweep", "worker {w} sweeps {r}", worker), after)


def time_passes(scene: Scene, row: Row) -> Iterator[Step]:
    """`models.clock.book_now` goes on. Until due + quiet are over, whatever left its process is executed or lost, and
    no thread of a process that is not frozen hangs between its last check and the send: that is what the quiet
    period is for. A frozen process sleeps through it.
    """
    stuck = [letter for letter in row.letters if letter.stage in UNDER_WAY and scene.awake(letter.owner)]
    if row.due == Time.before_due:
        yield Step(Move("time", "the due of {r} passes"), row._replace(due=Time.after_due))
    elif row.due == Time.after_due and not any(letter.current for letter in stuck):
        yield Step(Move("time", "the quiet period of {r} passes"), row._replace(due=Time.after_quiet))
    for letter in row.letters:
        if letter.current or letter.stage not in UNDER_WAY or letter.time == Time.after_quiet:
            continue
        if letter.time == Time.after_due and letter in stuck:
            continue
        later = letter._replace(time=letter.time + 1)
        yield Step(
            Move("time", "time passes for an old request of {r}"),
            with_letters(row, (*without(row, letter).letters, later)),
        )


def person_decides(rules: Rules, scene: Scene, row: Row) -> Iterator[Step]:
    """`recovery.review`: a person looks a row in review up at the carrier and tells the truth of that moment."""
    if row.status != RowStatus.needs_review:
        return
    bought = charges_of(row, row.handle)
    for number in bought:
        after = settle_bought(row, number, answers=row.due == Time.after_quiet)
        yield Step(Move("decide", "a person has the label of {r} recorded", by_person=True, event="resolved"), after)
    quiet = row.due in (0, Time.after_quiet) or "decided before due and quiet" in rules.broken
    if bought or not quiet:
        return
    if scene.job.status in (JobStatus.running, JobStatus.paused):
        again = answered(row, status=RowStatus.pending)
        yield Step(Move("decide", "a person has {r} sent again", by_person=True, event="resolved"), again)
    left_out = answered(row, status=RowStatus.skipped)
    yield Step(Move("decide", "a person leaves {r} out", by_person=True, event="skipped"), left_out)


def after_crash(row: Row, worker: int) -> Row:
    """What is left of a row when a process is killed: the books, and what had left the process already."""
    letters = []
    for letter in row.letters:
        time = row.due if letter.current else letter.time
        if letter.owner != worker:
            letters.append(letter)
        elif letter.stage in ON_THE_WIRE and time < Time.after_quiet:
            letters.append(letter._replace(owner=NOBODY))
    findings = tuple(finding for finding in row.findings if finding.owner != worker)
    return with_letters(row._replace(findings=findings, waits=NOBODY if row.waits == worker else row.waits), letters)
