"""The moves of the scenes. They must be playable with the sound product and with the broken one: what is only there in
one of them is looked for before it is used.
"""

from tests.machine.carrier import Verdict
from tests.machine.people import Play
from tests.machine.workers import Worker
from tests.sabotage.parts import (
    DUE_OVER,
    QUIET_OVER,
    ask,
    claimed,
    file,
    one_bought_one_open,
    send_all,
    take_up,
    taken_over,
)

# --- Rules 1 and 2 --------------------------------------------------------------------------------------------


def money_first(play: Play) -> None:
    play.send(claimed(play))


def commit_lost(play: Play) -> None:
    play.begin()
    worker = play.worker(1)
    play.start(worker, play.tickets[-1])
    play.work(worker)
    send_all(play, worker)
    play.hear(worker)
    play.work(worker, lost_commit=False)
    send_all(play, worker)


def paused_with_an_answer_on_its_way(play: Play) -> None:
    worker = claimed(play)
    play.send(worker)
    play.answer(worker)
    play.pause()
    file(play, worker)


def charged_twice_through_the_window(play: Play) -> None:
    sleeper, other = taken_over(play, sent=True)
    play.send(other)
    play.answer(other)
    file(play, other)
    play.thaw(sleeper)
    play.answer(sleeper)
    file(play, sleeper)


def voided_and_bought_again(play: Play) -> None:
    _restart_with_voids(play, Verdict.done)


def _restart_with_voids(play: Play, verdict: Verdict) -> None:
    one_bought_one_open(play)
    shown, worker = play.look(), play.worker(2)
    assert shown is not None
    play.restart(shown, void_first=True)
    play.start(worker, play.tickets[-1])
    play.work(worker)
    send_all(play, worker)
    play.answer(worker, verdict=verdict)
    file(play, worker)


# --- Rule 3 ---------------------------------------------------------------------------------------------------


def asked_at_once(play: Play) -> None:
    worker = claimed(play)
    play.send(worker)
    play.crash(worker)
    ask(play, play.worker(2))


def asked_in_vain(play: Play) -> None:
    worker = claimed(play)
    play.send(worker)
    play.answer(worker, verdict=Verdict.answer_lost)
    play.crash(worker)
    ask(play, play.worker(2), Verdict.unavailable)


def answer_lost(play: Play) -> None:
    worker = claimed(play)
    play.send(worker)
    play.answer(worker, verdict=Verdict.answer_lost)
    file(play, worker)


def two_claims_and_a_late_no(play: Play) -> None:
    sleeper, other = taken_over(play, sent=False)
    play.send(other)
    play.thaw(sleeper)
    play.send(sleeper)
    file(play, sleeper)


def two_claims_and_a_late_label(play: Play) -> None:
    sleeper, other = taken_over(play, sent=True)
    play.send(other)
    play.thaw(sleeper)
    play.answer(sleeper)
    file(play, sleeper)


def cancelled_in_doubt(play: Play) -> None:
    worker = claimed(play)
    play.send(worker)
    play.answer(worker, verdict=Verdict.answer_lost)
    play.crash(worker)
    play.cancel()


def frozen_past_the_due(play: Play) -> None:
    worker = claimed(play)
    play.freeze(worker)
    play.wait(DUE_OVER)
    play.thaw(worker)
    play.send(worker)


def _adopted_early(play: Play, worker: Worker) -> None:
    """The answer for row 1 is lost; asked at once, the carrier says "bought", which does not end what is owed yet."""
    play.send(worker)
    play.answer(worker, verdict=Verdict.answer_lost)
    file(play, worker)
    _asked_by_its_run(play, worker)


def _asked_by_its_run(play: Play, worker: Worker) -> None:
    """The run itself asks about what is in doubt, and files the answer."""
    play.wait(2.0)
    play.work(worker)
    send_all(play, worker)
    play.answer(worker)
    file(play, worker)


def voided_while_it_owes(play: Play) -> None:
    worker = claimed(play)
    _adopted_early(play, worker)
    play.void(max(play.books.labels))
    play.wait(6.0)
    play.work(worker)


def decided_early(play: Play) -> None:
    worker, other = claimed(play), play.worker(2)
    play.send(worker)
    play.crash(worker)
    ask(play, other, Verdict.unavailable)
    play.wait(6.0)
    ask(play, other, Verdict.unavailable)
    play.send_again(play.row_id(1))


def claimed_anew(play: Play) -> None:
    taken_over(play, sent=False)


def restarted_while_it_owes(play: Play) -> None:
    worker, other = claimed(play), play.worker(2)
    send_all(play, worker)
    play.answer(worker, verdict=Verdict.answer_lost)
    play.answer(worker, verdict=Verdict.unavailable)
    file(play, worker)
    _asked_by_its_run(play, worker)
    play.crash(worker)
    shown = play.look()
    assert shown is not None
    play.restart(shown)
    play.start(other, play.tickets[-1])
    play.work(other)


# --- Rules 5, 6, 7 and 8 --------------------------------------------------------------------------------------


def paused_and_gone_on_with(play: Play) -> None:
    """The worker lives all the while: rows of one that was dead are freed by the choice, and could not be claimed."""
    play.begin()
    worker = play.worker(1)
    play.start(worker, play.tickets[-1])
    play.work(worker)
    send_all(play, worker)
    play.pause()
    play.begin()
    file(play, worker)


def two_workers_side_by_side(play: Play) -> None:
    play.begin()
    for worker, ticket in zip(play.workers, play.tickets, strict=True):
        play.start(worker, ticket)
        play.work(worker)
        send_all(play, worker)
        play.hear(worker)
    for worker in play.workers:
        play.work(worker)


def another_ticket_after_a_kill(play: Play) -> None:
    play.begin()
    play.start(play.worker(1), play.tickets[0])
    play.crash(play.worker(1))
    play.start(play.worker(2), play.tickets[1])


def paused_at_once(play: Play) -> None:
    play.begin()
    play.pause()


def left_by_its_worker(play: Play) -> None:
    play.begin()
    play.start(play.worker(1), play.tickets[0])
    play.crash(play.worker(1))


def label_after_the_mark(play: Play) -> None:
    worker, other = claimed(play), play.worker(2)
    send_all(play, worker)
    play.answer(worker)
    play.answer(worker, verdict=Verdict.answer_lost)
    file(play, worker)
    play.crash(worker)
    play.wait(QUIET_OVER)
    shown = play.look()
    assert shown is not None
    play.restart(shown)
    play.start(other, play.tickets[-1])
    # The first row is swept and the second asked about; with the answer filed, the second is swept.
    play.work(other)
    send_all(play, other)
    play.answer(other)
    file(play, other)


def void_refused(play: Play) -> None:
    _restart_with_voids(play, Verdict.rejected)


def confirmed_too_late(play: Play) -> None:
    one_bought_one_open(play)
    shown, worker = play.look(), play.worker(2)
    assert shown is not None
    play.resume(person=1)
    play.start(worker, play.tickets[-1])
    play.crash(worker)
    play.restart(shown)


def cancelled(play: Play) -> None:
    play.begin()
    play.cancel()


def restarted(play: Play) -> None:
    one_bought_one_open(play)
    shown, worker = play.look(), play.worker(2)
    assert shown is not None
    play.restart(shown)
    take_up(play, worker)


def bought(play: Play) -> None:
    worker = claimed(play)
    play.send(worker)
    play.answer(worker)
    file(play, worker)
