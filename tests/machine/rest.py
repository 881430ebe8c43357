"""Letting everything that moves by itself come to its end, and what has to hold then."""

from typing import Any

from shipping.liveness import Condition, condition
from shipping.models import Job
from shipping.states import JobStatus, RowStatus
from tests.machine.carrier import Verdict
from tests.machine.play import Processes
from tests.machine.promise import Breach
from tests.machine.workers import Worker

# Longer than a lease, and than due + quiet with the patience of a question.
LONG = 200.0
QUIET_ROUNDS = 3
MOST_ROUNDS = 60


def come_to_rest(play: Processes, *, orphans: Verdict = Verdict.done) -> None:
    """Wake who is frozen, answer everything, bring every ticket and let time pass, until nothing happens any more but
    by a person. Raises Breach. `orphans`: what becomes of the requests of the dead.
    """
    for worker in play.workers:
        if worker.frozen:
            play.thaw(worker)
    quiet = 0
    for _round in range(MOST_ROUNDS):
        before = _gist(play)
        for worker in play.workers:
            go_on(play, worker)
        quiet = quiet + 1 if _gist(play) == before else 0
        if quiet == QUIET_ROUNDS:
            return check_rest(play)
        if quiet:
            play.wait(LONG, orphans)
    raise Breach("books", "what moves by itself never comes to rest")


def go_on(play: Processes, worker: Worker) -> None:
    """What a process does when nothing stands in its way."""
    if worker.loop is None:
        for ticket, run in play.books.runs.items():
            if run["started_at"] is None and run["ended_at"] is None and play.start(worker, ticket):
                break
    if worker.loop is None:
        play.keep_house(worker)
    else:
        play.work(worker)
    while worker.wire.waiting:
        play.send(worker)
    while worker.wire.couriers:
        play.answer(worker)
    play.hear(worker)


def _gist(play: Processes) -> Any:
    """What has to stop changing."""
    job, rows = play.books.job, play.books.rows.values()
    return (
        [job[name] for name in ("status", "epoch", "error_code", "sweep", "sweep_next_row")],
        [[row[name] for name in ("status", "attempt", "handle", "claims", "due", "label_id", "rebuy")] for row in rows],
        [(label["void_requested"], label["voided_at"]) for label in play.books.labels.values()],
        [(run["started_at"], run["ended_at"]) for run in play.books.runs.values()],
        [bool(worker.wire.waiting or worker.wire.couriers) for worker in play.workers],
    )


def check_rest(play: Processes) -> None:
    """Raises Breach for what nobody will ask about, and for a job that is left alone and does not say so."""
    books = play.books
    statuses = {row["status"] for row in books.rows.values()}
    if any(row["due"] is not None and row["status"] != RowStatus.needs_review for row in books.rows.values()):
        raise Breach(3, "a row is in doubt, and the carrier is never asked")
    if books.job["status"] != JobStatus.running:
        return
    stands = condition(Job.objects.get(pk=play.job_id))
    to_do = bool({RowStatus.pending, RowStatus.in_flight} & statuses or books.job["error_code"] or books.job["sweep"])
    owed = any(each["void_requested"] == "rebuy" and each["voided_at"] is None for each in books.labels.values())
    if to_do or owed:
        expected = Condition.interrupted
    elif RowStatus.needs_review in statuses:
        expected = Condition.waiting_for_person
    else:
        raise Breach(5, "nothing is left to do, and the job is not over")
    if stands != expected:
        raise Breach(5, f"a job that nobody works on is shown as {stands.value}, and is {expected.value}")
