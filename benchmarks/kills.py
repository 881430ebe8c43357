"""What SIGKILLs do to a batch of 1,000 rows: the worker is killed again and again and started anew each time. At the
end the label server's ledger is held against the books: how many charges were duplicates, and how many the books
never learned of.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import peers
from benchmarks.report import Line
from benchmarks.stage import ROOT, Stage, kill_worker, start_worker

ROWS = 1_000
LATENCY_SECONDS = 0.05
# When nothing has been charged for so long, the batch is over, or stuck for good.
STILL_SECONDS = 25.0
LONGEST_SECONDS = 240.0
NOTE = "{kills} SIGKILLs, {rows:,} rows"


class Kills:
    """Starts a worker, kills it at random moments of its work, and waits until nothing moves any more."""

    def __init__(self, stage: Stage, start: Callable[[], "subprocess.Popen[bytes]"], kills: int) -> None:
        self._stage, self._start, self._kills = stage, start, kills
        self._chance = random.Random(kills)  # noqa: S311 (the moments of the kills)

    def play(self, is_over: Callable[[int], bool], resume: Callable[[], None] = lambda: None) -> dict[str, int]:
        """The charges by reference, once `is_over` (which is told how many rows were charged) or nothing moves."""
        worker = self._start()
        try:
            for _each in range(self._kills):
                # It is killed at work: some rows after it began to buy.
                self._wait_for_charges(self._charges() + self._chance.randint(1, ROWS // (2 * self._kills)))
                kill_worker(worker)
                worker = self._start()
                resume()
            self._wait_until_still(is_over, resume)
        finally:
            kill_worker(worker)
        found: dict[str, int] = self._stage.ledger.read()["charges"]
        return found

    def _charges(self) -> int:
        return int(sum(self._stage.ledger.read()["charges"].values()))

    def _wait_for_charges(self, wanted: int) -> None:
        ends_at = time.monotonic() + STILL_SECONDS
        while self._charges() < wanted and time.monotonic() < ends_at:
            time.sleep(0.02)

    def _wait_until_still(self, is_over: Callable[[int], bool], resume: Callable[[], None]) -> None:
        charges, since = self._charges(), time.monotonic()
        ends_at = since + LONGEST_SECONDS
        while time.monotonic() < min(ends_at, since + STILL_SECONDS):
            time.sleep(0.3)
            resume()
            if is_over(len(self._stage.ledger.read()["charges"])):
                return
            if self._charges() != charges:
                charges, since = self._charges(), time.monotonic()


def compared(charges: dict[str, int], done: set[str], rows: int) -> dict[str, int]:
    """Duplicates: charges beyond the first. Losses: rows that were charged and that the books do not have as bought.
    Left: rows that were never bought.
    """
    return {
        "duplicates": sum(charges.values()) - len(charges),
        "losses": len(set(charges) - done),
        "left": rows - len(charges),
    }


def of_peer(peer: peers.Peer, kills: int, stage: Stage) -> dict[str, int]:
    """A peer under the kills. It is over when all rows are charged and its books have had time to hear of it."""
    with peers.batch(peer, ROWS, stage) as (database, more):
        stage.ledger.reset(LATENCY_SECONDS)
        play = Kills(stage, lambda: peer.worker(ROWS, stage.environment(database, **more)), kills)

        def is_over(charged: int) -> bool:
            return charged == ROWS and len(peer.tell("books", ROWS, stage, database, more)) == ROWS

        charges = play.play(is_over)
        return compared(charges, set(peer.tell("books", ROWS, stage, database, more)), ROWS)


def of_onceship(kind: str, kills: int, stage: Stage) -> dict[str, int]:
    """Onceship under the kills: a person resumes whenever the job is interrupted. Waits are those of the tests."""
    waits = {"REQUEST_TIMEOUT_SECONDS": "2", "HEARTBEAT_SECONDS": "0.5", "LEASE_SECONDS": "9", "QUIET_SECONDS": "1"}
    settings = {**waits, "LOG_LEVEL": "ERROR", "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    with stage.database(kind) as database:
        environment = stage.environment(database, **settings)
        command = [sys.executable, "-m", "benchmarks.person", str(ROWS)]
        person = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stage.ledger.reset(LATENCY_SECONDS)

        def ask(what: str) -> Any:
            assert person.stdin is not None
            assert person.stdout is not None
            person.stdin.write(what + "\n")
            person.stdin.flush()
            return json.loads(person.stdout.readline())

        def start() -> "subprocess.Popen[bytes]":
            return start_worker([sys.executable, "manage.py", "worker"], environment)

        try:
            ask("start")
            charges = Kills(stage, start, kills).play(lambda _charged: ask("over"), lambda: ask("resume"))
            return compared(charges, set(ask("books")), ROWS)
        finally:
            person.kill()
            person.wait()


def measures(kills: int) -> list[Any]:
    """Two lines for each contender: duplicates, and losses; rows that were never bought stand in the note."""
    from benchmarks.measures import Measure

    takers: dict[str, Callable[[Stage], dict[str, int]]] = {
        "Onceship, SQLite": lambda stage: of_onceship("sqlite", kills, stage),
        "Onceship, PostgreSQL": lambda stage: of_onceship("postgres", kills, stage),
    }
    for peer in peers.available():
        takers[peer.title] = lambda stage, peer=peer: of_peer(peer, kills, stage)  # type: ignore[misc]
    found = []
    for title, take in takers.items():
        note = NOTE.format(kills=kills, rows=ROWS)
        duplicates = Line("4. kills: duplicates", title, "charges", note=note)
        losses = Line("4. kills: losses", title, "charges", note="that the books have not as bought")
        left = Line("4. kills: left", title, "rows", note="never bought")

        def first(
            stage: Stage,
            take: Callable[[Stage], dict[str, int]] = take,
            others: tuple[Line, Line] = (losses, left),
        ) -> float:
            told = take(stage)
            others[0].values.append(told["losses"])
            others[1].values.append(told["left"])
            return float(told["duplicates"])

        found += [Measure(duplicates, first, once=True), Measure(losses, None), Measure(left, None)]
    return found
