"""Batch after batch until so many kills are done, or a promise is broken."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.support.ledger import Comparison
from tests.support.processes import wait_until
from tests.torture.batch import Batch
from tests.torture.person import NoAnswer, Person
from tests.torture.scene import FORGETFUL, Scene, draw_scene
from tests.torture.stage import Stage
from tests.torture.tally import Tally

Say = Callable[[str], None]
START_SECONDS = 120.0


@dataclass(slots=True)
class Result:
    """What a run came to: its counts, and the batch that broke a promise, if one did."""

    tally: Tally
    broken: int | None = None
    found: Comparison | None = None


def torture(
    directory: Path,
    username: str,
    *,
    kills: int,
    seed: int,
    say: Say,
    only: int | None = None,
    rows: tuple[int, int] = (30, 90),
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Batches until so many kills are done, or until `stop` says so between two; each is drawn from the seed and its
    number, and `only` plays a single one. Ends with the first that breaks a promise. The database is the one of this
    process, which has the user.
    """
    result = Result(Tally())
    tally = result.tally
    with Stage(directory) as stage:
        person = sign_in(stage, username)
        number = only or 1
        while tally.kills.total() < kills and not stop():
            name = f"{seed}/{number}"
            # With BATCH=, all that this batch would have had: where it stands in the row is not known.
            scene = draw_scene(Random(name), kills - tally.kills.total(), rows=rows)
            before = tally.kills.copy()
            found = play(name, scene, stage, person, tally)
            done = tally.kills - before
            each = ", ".join(f"{kind} {count}" for kind, count in sorted(done.items()))
            say(
                f"batch {number}: {scene.rows} rows, {scene.workers} workers, kills {done.total()} ({each}), "
                f"{found.charges} charges, {'BROKEN' if found.breaches else 'holds'}; "
                f"{tally.kills.total()} of {kills} kills, {tally.kills_a_minute:.1f} a minute"
            )
            if found.breaches:
                result.broken, result.found = number, found
                break
            if only is not None:
                break
            number += 1
        tally.errors_on_pages = len(person.errors)
        for error in person.errors:
            say(f"server error: {error}")
    return result


def sign_in(stage: Stage, username: str) -> Person:
    """The person at the stage's web server, signed in."""
    assert stage.web is not None
    wait_until(stage.web.is_ready, START_SECONDS, what="the web server")
    person = Person(stage.web.url, username)
    for attempt in range(3):
        try:
            person.sign_in()
        except NoAnswer:
            if attempt == 2:
                raise
        else:
            break
    return person


def play(name: str, scene: Scene, stage: Stage, person: Person, tally: Tally) -> Comparison:
    """One batch; its workers are gone afterwards."""
    try:
        return Batch(name, scene, stage, person, tally).play()
    finally:
        stage.dismiss_workers()
        stage.revive(at_once=True)


# So slow that a living sibling asks about a dead one's purchases while they are still on their way.
_CRAWLING_PURCHASES = {"on": "buy", "action": "delay", "seconds": [1.0, 1.7]}
_SLOW_PURCHASES = {"on": "buy", "action": "delay", "seconds": [0.4, 1.2]}
# Of the broken builds (`tests.sabotage.builds`) those that real processes and real kills are to show, too.
CONTROL_SCENES: dict[str, Scene] = {
    "drop_when_fenced": Scene(40, 1, 3, [_SLOW_PURCHASES, FORGETFUL], pauses=4, mischief=0.0),
    "doubt_means_no": Scene(
        60,
        3,
        8,
        [_CRAWLING_PURCHASES, {"on": "lookup", "action": "error", "probability": 0.7}, FORGETFUL],
        mischief=0.0,
        lasting=True,
    ),
    "retry_blindly": Scene(
        20,
        1,
        2,
        [_SLOW_PURCHASES, {"on": "buy", "action": "drop", "when": "after", "probability": 0.3}, FORGETFUL],
        mischief=0.0,
        lasting=True,
    ),
    "believe_at_once": Scene(60, 3, 8, [_CRAWLING_PURCHASES, FORGETFUL], mischief=0.0),
    "forget_counters": Scene(30, 1, 2, [_SLOW_PURCHASES], mischief=0.0),
}
MOST_TRIES = 5


def control(directory: Path, username: str, sabotage: str, *, seed: int) -> tuple[int, Comparison]:
    """Plays a scene with a broken build until a comparison tells; returns the batches it took, and what told it. With
    no breach in the last, the build went unnoticed.
    """
    found = Comparison()
    with Stage(directory, sabotage=sabotage) as stage:
        person = sign_in(stage, username)
        for number in range(1, MOST_TRIES + 1):
            found = play(f"{seed}/{sabotage}/{number}", CONTROL_SCENES[sabotage], stage, person, Tally())
            if found.breaches:
                return number, found
    return MOST_TRIES, found
