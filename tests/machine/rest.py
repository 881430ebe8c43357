"""Letting everything that moves by itself come to its end, and what has to hold then."""

from typing import Any

from shipping.engine.letters import Claim, VoidLetter
from shipping.liveness import Condition, condition
from shipping.models import Job
from shipping.states import JobStatus, RowStatus
from tests.machine.carrier import Verdict
from tests.machine.play import Processes
from tests.machine.promise import Breach
from tests.machine.workers import Worker

# Longer than a lease, and than due + quiet with the patience of a question.
LONG = 400.0
QUIET_ROUNDS = 2
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
        sent = [go_on(play, worker) for worker in play.workers]
        quiet = quiet + 1 if _gist(play) == before and not any(sent) else 0
        if quiet == QUIET_ROUNDS:
            return check_rest(play)
        if quiet:
            play.wait(LONG, orphans)
    raise Breach("books", "what moves by itself never comes to rest")


def next_step(play: Processes, worker: Worker, verdict: Verdict) -> bool:
    """The step that a process would take next by itself; the carrier answers with the verdict if it comes to that.
    False when nothing is left for it to do.
    """
    if worker.wire.waiting:
        play.send(worker)
    elif worker.wire.couriers:
        answer(play, worker, 0, verdict)
    elif worker.wire.replies_waiting():
        play.hear(worker)
    elif worker.loop is not None:
        play.work(worker)
    elif not _take_a_ticket(play, worker):
        play.keep_house(worker)
        return bool(worker.wire.waiting)
    return True


def answer(play: Processes, worker: Worker, place: int, verdict: Verdict) -> None:
    """The carrier decides about a request; what can't be refused is put off instead."""
    refusable = isinstance(worker.wire.couriers[place].letter, Claim | VoidLetter)
    if verdict == Verdict.rejected and not refusable:
        verdict = Verdict.unavailable
    play.answer(worker, place, verdict)


def _take_a_ticket(play: Processes, worker: Worker) -> bool:
    """Bring a run that was never started; true when one has started."""
    return any(
        run["started_at"] is None and run["ended_at"] is None and play.start(worker, ticket)
        for ticket, run in play.books.runs.items()
    )


def go_on(play: Processes, worker: Worker) -> bool:
    """What a process does when nothing stands in its way; true when it had something to send."""
    if worker.loop is None:
        _take_a_ticket(play, worker)
    if worker.loop is None:
        play.keep_house(worker)
    else:
        play.work(worker)
    sent = bool(worker.wire.waiting or worker.wire.couriers or worker.wire.replies_waiting())
    while worker.wire.waiting:
        play.send(worker)
    while worker.wire.couriers:
        play.answer(worker)
    play.hear(worker)
    return sent


def _gist(play: Processes) -> Any:
    """What has to stop changing."""
    job, rows = play.books.job, play.books.rows.values()
    return (
        [job[name] for name in ("status", "epoch", "error_code", "sweep", "sweep_next_row")],
        [[row[name] for name in ("status", "attempt", "handle", "claims", "due", "label_id", "rebuy")] for row in rows],
        [(label["void_requested"], label["voided_at"]) for label in play.books.labels.values()],
        [(run["started_at"], run["ended_at"]) for run in play.books.runs.values()],
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
