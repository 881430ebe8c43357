"""What many scenes begin with, or have in the middle."""

from tests.machine.carrier import Verdict
from tests.machine.people import Play
from tests.machine.workers import Worker

# Seconds after a claim, or after a beat.
LEASE_OVER = 46.0
DUE_OVER = 21.0
QUIET_OVER = 111.0


def send_all(play: Play, worker: Worker) -> None:
    """Everything that waits is sent."""
    while worker.wire.waiting:
        play.send(worker)


def take_up(play: Play, worker: Worker) -> None:
    """A worker is brought the newest ticket, and claims what it may: its purchases wait to be sent."""
    play.start(worker, play.tickets[-1])
    play.work(worker)
    send_all(play, worker)
    play.hear(worker)
    play.work(worker)


def file(play: Play, worker: Worker) -> None:
    """What came back goes into the books."""
    play.hear(worker)
    if worker.loop:
        play.work(worker)


def ask(play: Play, worker: Worker, verdict: Verdict = Verdict.done) -> None:
    """Housekeeping asks about what is in doubt, and files the answer."""
    play.keep_house(worker)
    send_all(play, worker)
    while worker.wire.couriers:
        play.answer(worker, verdict=verdict)
    play.hear(worker)


def claimed(play: Play) -> Worker:
    """A job is started, and worker 1 has claimed what there is."""
    play.begin()
    worker = play.worker(1)
    take_up(play, worker)
    return worker


def one_bought_one_open(play: Play) -> None:
    """Of two rows one is bought, of the other the carrier said "later", and their worker is killed."""
    worker = claimed(play)
    send_all(play, worker)
    play.answer(worker)
    play.answer(worker, verdict=Verdict.unavailable)
    file(play, worker)
    play.crash(worker)


def taken_over(play: Play, *, sent: bool) -> tuple[Worker, Worker]:
    """Worker 1 froze with a purchase (at its very end before the send, or still to be checked), which counts as not
    bought by now; after a resume worker 2 has claimed the row anew.
    """
    sleeper, other = claimed(play), play.worker(2)
    if sent:
        play.send(sleeper)
    play.freeze(sleeper)
    play.wait(QUIET_OVER)
    ask(play, other)
    play.resume()
    take_up(play, other)
    return sleeper, other
