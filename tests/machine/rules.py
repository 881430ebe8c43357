"""Hypothesis draws the moves: any that can be made, in any order, until a rule of the promise is broken or the example
is over; then everything comes to rest, and that has its rules, too.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from shipping.engine.letters import Claim, Preparation, VoidLetter
from shipping.states import JobStatus, RowStatus
from tests.machine.carrier import Verdict
from tests.machine.people import Play, Shown
from tests.machine.promise import Breach
from tests.machine.rest import come_to_rest, go_on
from tests.machine.stage import stage
from tests.machine.workers import Worker

Condition = Callable[[Worker], object]

which = st.integers(0, 3)
numbers = st.sampled_from([1, 2])
people = st.sampled_from([0, 1])
seldom = st.sampled_from([False, False, False, True])
# What goes well goes on; so it is drawn more often than each of the others.
verdicts = st.sampled_from([Verdict.done, Verdict.done, Verdict.done, *Verdict])
fates = st.sampled_from([Verdict.done, Verdict.lost])
# Shorter than a heartbeat, past a due, a lease, due + quiet, and all of them.
waits = st.sampled_from([3.0, 7.0, 21.0, 46.0, 111.0, 200.0])


class Tally:
    """How much was played: examples, moves, and how often what was out of the ordinary came about."""

    def __init__(self) -> None:
        self.examples = 0
        self.moves = 0
        self.charges = 0
        self.late_charges = 0

    def add(self, play: Play) -> None:
        """Count what a play came to."""
        self.examples += 1
        self.moves += len(play.story)
        self.charges += len(play.ledger.charges)
        self.late_charges += sum(charge.late for charge in play.ledger.charges)


class PromiseMachine(RuleBasedStateMachine):
    """Two workers and two people at a job of two rows. `carrier`: the options of its `MemoryCarrier`."""

    carrier: ClassVar[dict[str, bool]] = {"exactly_once": True}
    tally: ClassVar[Tally] = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.shown: list[Shown] = []

    @initialize(stop_on_error=st.booleans())
    def set_the_stage(self, stop_on_error: bool) -> None:
        self.play = self.stack.enter_context(stage(stop_on_error=stop_on_error, **self.carrier))
        self.play.begin()

    def teardown(self) -> None:
        try:
            if hasattr(self, "play") and not self.play.is_broken:
                come_to_rest(self.play)
        except Breach:
            self.play.is_broken = True
            raise
        finally:
            if hasattr(self, "play"):
                self.tally.add(self.play)
                if self.play.is_broken:
                    note("\n".join(self.play.story))
            self.stack.close()

    def worker_who(self, condition: Condition, preferred: int = 1) -> Worker | None:
        """The preferred worker, or else the other, who is awake and fits; None when neither does."""
        for number in (preferred, 3 - preferred):
            worker = self.play.worker(number)
            if not worker.frozen and condition(worker):
                return worker
        return None

    def row_in(self, *statuses: RowStatus) -> int | None:
        """The first row in one of these states."""
        return next((key for key, row in self.play.books.rows.items() if row["status"] in statuses), None)

    # --- Processes ----------------------------------------------------------------------------------------

    @precondition(lambda self: self.worker_who(at_work))
    @rule(number=numbers)
    def work(self, number: int) -> None:
        self.play.work(self.must(at_work, number))

    @precondition(lambda self: self.worker_who(at_work))
    @rule(number=numbers, took_place=st.booleans(), really=seldom)
    def work_and_lose_the_commit(self, number: int, took_place: bool, really: bool) -> None:
        self.play.work(self.must(at_work, number), lost_commit=took_place if really else None)

    @precondition(lambda self: self.worker_who(has_answers))
    @rule(number=numbers)
    def hear(self, number: int) -> None:
        self.play.hear(self.must(has_answers, number))

    @precondition(lambda self: self.worker_who(has_letters))
    @rule(number=numbers, which=which, verdict=verdicts)
    def send(self, number: int, which: int, verdict: Verdict) -> None:
        worker = self.must(has_letters, number)
        place = which % len(worker.wire.waiting)
        prepares = isinstance(worker.wire.letters_waiting()[place], Preparation)
        # Preparing is never in doubt.
        sound = verdict in (Verdict.done, Verdict.rejected, Verdict.unavailable)
        self.play.send(worker, place, verdict if prepares and sound else Verdict.done)

    @precondition(lambda self: self.worker_who(has_requests))
    @rule(number=numbers, which=which, verdict=verdicts)
    def answer(self, number: int, which: int, verdict: Verdict) -> None:
        worker = self.must(has_requests, number)
        place = which % len(worker.wire.couriers)
        refusable = isinstance(worker.wire.couriers[place].letter, Claim | VoidLetter)
        if verdict == Verdict.rejected and not refusable:
            verdict = Verdict.unavailable
        self.play.answer(worker, place, verdict)

    @precondition(lambda self: self.worker_who(is_idle))
    @rule(number=numbers, which=which)
    def bring_a_ticket(self, number: int, which: int) -> None:
        """The newest, or an older one once more."""
        tickets = self.play.tickets
        self.play.start(self.must(is_idle, number), tickets[-1 - which % len(tickets)])

    @precondition(lambda self: self.worker_who(is_idle))
    @rule(number=numbers)
    def keep_house(self, number: int) -> None:
        self.play.keep_house(self.must(is_idle, number))

    @precondition(lambda self: self.worker_who(anyone))
    @rule(number=numbers)
    def everything_goes_well(self, number: int) -> None:
        go_on(self.play, self.must(anyone, number))

    @rule(number=numbers, seen=st.booleans())
    def crash(self, number: int, seen: bool) -> None:
        self.play.crash(self.play.worker(number), seen=seen)

    @precondition(lambda self: self.worker_who(anyone))
    @rule(number=numbers)
    def freeze(self, number: int) -> None:
        self.play.freeze(self.must(anyone, number))

    @precondition(lambda self: any(worker.frozen for worker in self.play.workers))
    @rule()
    def thaw(self) -> None:
        self.play.thaw(next(worker for worker in self.play.workers if worker.frozen))

    @precondition(lambda self: self.worker_who(at_work))
    @rule(number=numbers)
    def stop(self, number: int) -> None:
        self.play.stop(self.must(at_work, number))

    @precondition(lambda self: self.play.orphans)
    @rule(lost=st.booleans())
    def the_request_of_a_dead_process_arrives(self, lost: bool) -> None:
        self.play.execute_orphan(lost=lost)

    @rule(seconds=waits, fate=fates)
    def time_passes(self, seconds: float, fate: Verdict) -> None:
        self.play.wait(seconds, fate)

    def must(self, condition: Condition, preferred: int) -> Worker:
        """Who was found by the precondition, the preferred one first."""
        worker = self.worker_who(condition, preferred)
        assert worker is not None
        return worker

    # --- People -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.play.books.job["status"] in (JobStatus.pending, JobStatus.paused))
    @rule(person=people)
    def begin(self, person: int) -> None:
        self.play.begin(person)

    @precondition(lambda self: self.play.books.job["status"] == JobStatus.running)
    @rule(person=people)
    def pause(self, person: int) -> None:
        self.play.pause(person)

    @rule(person=people, retry_failed=st.booleans())
    def resume(self, person: int, retry_failed: bool) -> None:
        self.play.resume(person, retry_failed=retry_failed)

    @rule()
    def look(self) -> None:
        shown = self.play.look()
        if shown is not None:
            self.shown.append(shown)

    @precondition(lambda self: self.shown)
    @rule(person=people, which=which, void_first=st.booleans())
    def restart(self, person: int, which: int, void_first: bool) -> None:
        """With what was shown last, or before."""
        self.play.restart(self.shown[-1 - which % len(self.shown)], person, void_first=void_first)

    @precondition(lambda self: not self.play.is_over)
    @rule(person=people, really=seldom, interrupted=st.booleans())
    def cancel(self, person: int, really: bool, interrupted: bool) -> None:
        if interrupted and really:
            self.play.cancel_interrupted(person)
        elif really:
            self.play.cancel(person)

    @precondition(lambda self: self.row_in(RowStatus.needs_review, RowStatus.failed))
    @rule(person=people, again=st.booleans(), void=st.booleans(), verdict=verdicts)
    def decide(self, person: int, again: bool, void: bool, verdict: Verdict) -> None:
        """A person looks a row up at the carrier, and tells the truth of that moment."""
        row_id = self.row_in(RowStatus.needs_review, RowStatus.failed)
        assert row_id is not None
        handle = self.play.books.rows[row_id]["handle"]
        if handle and self.play.ledger.of(handle):
            sound = Verdict.done if verdict == Verdict.done else Verdict.unavailable
            self.play.record_bought(row_id, person, verdict=sound, void=void)
        elif again:
            self.play.send_again(row_id, person)
        else:
            self.play.leave_out(row_id, person)

    @precondition(lambda self: self.play.books.labels)
    @rule(person=people, which=which)
    def void(self, person: int, which: int) -> None:
        labels = sorted(self.play.books.labels)
        self.play.void(labels[which % len(labels)], person)

    @precondition(lambda self: self.play.is_over and self.play.books.labels)
    @rule(person=people)
    def void_all(self, person: int) -> None:
        self.play.void_all(person)

    @rule()
    def check_again(self) -> None:
        self.play.check_again()


def at_work(worker: Worker) -> bool:
    return worker.loop is not None


def is_idle(worker: Worker) -> bool:
    return worker.loop is None


def has_letters(worker: Worker) -> object:
    return worker.wire.waiting


def has_requests(worker: Worker) -> object:
    return worker.wire.couriers


def has_answers(worker: Worker) -> object:
    return worker.wire.replies_waiting() or worker.wire.couriers


def anyone(_worker: Worker) -> bool:
    return True


EXACTLY_ONCE = {"exactly_once": True}
SEND_AGAIN = {"exactly_once": False, "send_again": True}
ASK_A_PERSON = {"exactly_once": False}
CARRIERS: dict[str, dict[str, bool]] = {
    "exactly once": EXACTLY_ONCE,
    "adopt, else send again": SEND_AGAIN,
    "adopt, else ask a person": ASK_A_PERSON,
}


def machine_for(carrier: dict[str, bool]) -> Any:
    """The machine with a carrier that has these options, and a tally of its own."""
    return type("Machine", (PromiseMachine,), {"carrier": carrier, "tally": Tally()})
