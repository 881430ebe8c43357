"""The eight rules of the promise as predicates: on rows, on their steps, on steps of the job, and on what is at rest.

Each returns the sentences of what is broken, beginning with the rule's number; nothing when all is well.
"""

from collections import Counter
from collections.abc import Collection, Iterator

from tests.model.moves import Rules, Step
from tests.model.state import (
    ON_THE_WIRE,
    UNDER_WAY,
    How,
    JobStatus,
    Mode,
    Row,
    RowStatus,
    Scene,
    Stage,
    Time,
)
from tests.model.world import Turn, dead_sibling, interrupted, view


def row_breaches(rules: Rules, row: Row) -> Iterator[str]:
    """What must hold of every row in every state."""
    yield from _books(row)
    if any(charge.how == How.unclaimed for charge in row.charges):
        yield "1: money moved without a claim in the books"
    yield from _money(rules, row)
    on_its_way = (letter for letter in row.letters if letter.stage in UNDER_WAY and not letter.current)
    if any(letter.time < Time.after_quiet and letter.stage != Stage.unclaimed for letter in on_its_way):
        yield "3: a doubt was ended while its request could still buy"
    if row.permits < 0:
        yield "6: a label was bought again that no confirmed restart named"


def _books(row: Row) -> Iterator[str]:
    """The database's own constraints."""
    if row.status == RowStatus.in_flight and not (row.handle and row.due):
        yield "1: in flight without handle and due"
    if row.status == RowStatus.pending and row.due:
        yield "3: pending, and yet an answer is owed"
    if row.status == RowStatus.completed and not any(charge.recorded for charge in row.charges):
        yield "2: completed without a label"


def _money(rules: Rules, row: Row) -> Iterator[str]:
    """No charge that nobody will hear of, and none that was not meant."""
    held = {letter.charge for letter in row.letters if letter.stage == Stage.bought}
    asked_for = row.handle if row.due else 0
    if _unheard_of(row, asked_for, held):
        yield "2: a charge that the books don't know and nobody will ask about"
    strict = rules.exactly_once or "window denied" in rules.broken
    # Frozen between its last check and the send: what only adopt or ask can't help.
    meant = Counter(charge.handle // 10 for charge in row.charges if strict or charge.how != How.window)
    if any(count > 1 for count in meant.values()):
        yield "6: one attempt was charged twice, and not through the window that is stated"
    if rules.exactly_once and len({charge.handle for charge in row.charges}) < len(row.charges):
        yield "6: one handle was charged twice"
    if len(meant) > row.attempt:
        yield "6: more attempts were charged than were ordered"


def _unheard_of(row: Row, asked_for: int, held: Collection[int]) -> bool:
    """Whether more charges for a row are unknown to the books, and nobody will hear of them, than came through the
    window: those are `audit_books`' to find. (Of two charges under one reference a look-up may name either; and a row
    that a late label completed has its last claim given up when nobody can be asked about it, with an event.)
    """
    unknown = sum(
        not (charge.recorded or number in held or charge.handle == asked_for)
        for number, charge in enumerate(row.charges)
    )
    return unknown > sum(charge.how == How.window for charge in row.charges)


def step_breaches(scene: Scene, before: Row, step: Step) -> Iterator[str]:
    """What must hold of every step that one row takes."""
    move, after = step.move, step.row
    if before.status == RowStatus.pending and after.status == RowStatus.in_flight:
        if scene.job.sweep:
            yield "8: a row was claimed before the sweep was done"
        if scene.mode(move.worker) != Mode.live:
            yield "5: a run was fenced, and claimed a row"
        if scene.job.status != JobStatus.running or scene.job.error:
            yield "5: a row of a job that was stopped was claimed"
    if move.kind == "carrier" and move_sent_again(before, after):
        yield "4: a purchase was sent, and is to be sent again"
    yield from _heard(before, after)
    if move.by_person and not move.event:
        yield "7: a person decided, and no event tells of it"
    if after.attempt > before.attempt + 1:
        yield "6: a row was set to be bought twice in one step"


def move_sent_again(before: Row, after: Row) -> bool:
    """Whether a purchase that the carrier has answered is still to be sent."""
    return sum(letter.stage in ON_THE_WIRE for letter in after.letters) >= sum(
        letter.stage in ON_THE_WIRE for letter in before.letters
    )


def _heard(before: Row, after: Row) -> Iterator[str]:
    """An answer leaves memory only into the books (a crash is no row's step, and takes them along)."""
    held = {letter.charge for letter in after.letters if letter.stage == Stage.bought}
    held |= {finding.said for finding in after.findings if finding.said >= 0}
    for number in {letter.charge for letter in before.letters if letter.stage == Stage.bought}:
        if number not in held and not after.charges[number].recorded:
            yield "2: a “bought” was received and did not get into the books"


def turn_breaches(scene: Scene, turn: Turn) -> Iterator[str]:
    """What must hold of every step of the job as a whole."""
    move = turn.move
    if move.by_person and not move.event:
        yield "7: a person chose, and no event tells of it"
    if move.kind == "choice" and any(worker.mode in (Mode.live, Mode.lapsed) for worker in turn.scene.workers):
        yield "5: a choice left an older run unfenced"
    if move.kind == "start" and dead_sibling(scene):
        yield "5: an interrupted job was brought back to life without a choice"


def change_breaches(before: Row, after: Row) -> Iterator[str]:
    """What must hold of what a step of the job does to a row."""
    if before.status == RowStatus.completed and after.status != RowStatus.completed:
        yield "8: a choice itself changed what only a sweep may, a chunk at a time"
    if after.attempt != before.attempt or after.charges != before.charges:
        yield "6: a step of the job as a whole touched a row's money"


def rest_breaches(scene: Scene, rows: tuple[Row, ...]) -> Iterator[str]:
    """What must hold when nothing moves any more but by a person, a crash or a freeze: no doubt that is not shown."""
    for row in rows:
        if row.due and row.status != RowStatus.needs_review:
            yield "3: a row is in doubt, and the carrier is never asked"
        if _unheard_of(row, row.handle if row.due else 0, ()):
            yield "2: a charge that the books will never know"
    job = scene.job
    unfinished = any(row.status in (RowStatus.pending, RowStatus.in_flight) for row in rows)
    undone = job.status == JobStatus.running and (unfinished or job.error or job.sweep)
    if undone and not interrupted(scene, tuple(map(view, rows))):
        yield "5: a job that nobody works on is not shown as interrupted"
