"""Hypothesis draws the moves: any that can be made, in any order, until a rule of the promise is broken or the example
is over; then everything comes to rest, and that has its rules, too.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from shipping.engine.letters import Preparation
from shipping.states import JobStatus, RowStatus
from tests.machine.carrier import Verdict
from tests.machine.people import Shown
from tests.machine.promise import Breach
from tests.machine.rest import answer, come_to_rest, go_on, next_step
from tests.machine.stage import stage
from tests.machine.tally import Tally
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
LEASE_OVER = 46.0
waits = st.sampled_from([3.0, 7.0, 21.0, LEASE_OVER, 111.0, 200.0])
ROWS = 3


class PromiseMachine(RuleBasedStateMachine):
    """Two workers and two people at a job of three rows. `carrier`: the options of its `MemoryCarrier`."""

    carrier: ClassVar[dict[str, bool]] = {"exactly_once": True}
    tally: ClassVar[Tally] = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.shown: list[Shown] = []

    @initialize(stop_on_error=st.booleans())
    def set_the_stage(self, stop_on_error: bool) -> None:
        self.play = self.stack.enter_context(stage(rows=ROWS, stop_on_error=stop_on_error, **self.carrier))
        self.play.begin()

    def teardown(self) -> None:
        try:
            if hasattr(self, "play") and not self.play.is_broken:
                come_to_rest(self.play)
                if self.play.resume():
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

    def somebody_awake(self, preferred: int) -> Worker:
        """The preferred worker, or the other; where both sleep, the preferred one wakes."""
        worker = self.worker_who(anyone, preferred)
        if worker is None:
            worker = self.play.worker(preferred)
            self.play.thaw(worker)
        return worker

    def row_in(self, *statuses: RowStatus) -> int | None:
        """The first row in one of these states."""
        return next((key for key, row in self.play.books.rows.items() if row["status"] in statuses), None)

    # --- What goes on by itself ---------------------------------------------------------------------------

    @rule(number=numbers, verdicts=st.lists(verdicts, min_size=2, max_size=12))
    def go_on(self, number: int, verdicts: list[Verdict]) -> None:
        """Some steps of one process, each the one that it would take next."""
        worker = self.somebody_awake(number)
        for verdict in verdicts:
            if not next_step(self.play, worker, verdict):
                break

    @rule(number=numbers, passes=st.integers(1, 3))
    def everything_goes_well(self, number: int, passes: int) -> None:
        worker = self.somebody_awake(number)
        for _pass in range(passes):
            go_on(self.play, worker)

    @rule(person=people, number=numbers, verdicts=st.lists(verdicts, min_size=4, max_size=12))
    def somebody_carries_on(self, person: int, number: int, verdicts: list[Verdict]) -> None:
        """A person has the job go on, if it does not, and a worker takes it up."""
        status, retry_failed = self.play.books.job["status"], len(verdicts) % 2 == 0
        if status == JobStatus.paused:
            self.play.begin(person)
        elif (
            status == JobStatus.running
            and not self.worker_who(at_work)
            and not self.play.resume(person, retry_failed=retry_failed)
        ):
            # Those who died on another machine are missed only after their lease.
            self.play.wait(LEASE_OVER)
            self.play.resume(person, retry_failed=retry_failed)
        self.go_on(number, verdicts)

    @rule(seconds=waits, fate=fates)
    def time_passes(self, seconds: float, fate: Verdict) -> None:
        self.play.wait(seconds, fate)

    # --- What goes another way ----------------------------------------------------------------------------

    @rule(number=numbers, which=which, verdict=verdicts)
    def send_something(self, number: int, which: int, verdict: Verdict) -> None:
        """Any of the letters that wait, whichever was first."""
        worker = self.worker_who(has_letters, number)
        if worker is None:
            return self.go_on(number, [verdict])
        place = which % len(worker.wire.waiting)
        prepares = isinstance(worker.wire.letters_waiting()[place], Preparation)
        # Preparing is never in doubt.
        sound = verdict in (Verdict.done, Verdict.rejected, Verdict.unavailable)
        return self.play.send(worker, place, verdict if prepares and sound else Verdict.done)

    @rule(number=numbers, which=which, verdict=verdicts)
    def answer_something(self, number: int, which: int, verdict: Verdict) -> None:
        """Any of the requests that are at the carrier, whichever was first."""
        worker = self.worker_who(has_requests, number)
        if worker is None:
            return self.go_on(number, [verdict])
        return answer(self.play, worker, which % len(worker.wire.couriers), verdict)

    @rule(number=numbers, which=which)
    def bring_a_ticket_again(self, number: int, which: int) -> None:
        """The newest, or an older one once more."""
        worker = self.worker_who(is_idle, number)
        if worker is not None:
            tickets = self.play.tickets
            self.play.start(worker, tickets[-1 - which % len(tickets)])

    @rule(number=numbers, took_place=st.booleans(), verdicts=st.lists(verdicts, max_size=6))
    def lose_a_commit(self, number: int, took_place: bool, verdicts: list[Verdict]) -> None:
        self.go_on(number, verdicts)
        worker = self.worker_who(at_work, number)
        if worker is not None:
            self.play.work(worker, lost_commit=took_place)

    # --- Kills and freezes --------------------------------------------------------------------------------

    @rule(number=numbers, seen=st.booleans(), lost=st.booleans(), verdicts=st.lists(verdicts, max_size=8))
    def die(self, number: int, seen: bool, lost: bool, verdicts: list[Verdict]) -> None:
        """A process is killed after some steps, preferably with a purchase out. An older orphan arrives before."""
        self.go_on(number, verdicts)
        if self.play.orphans:
            self.play.execute_orphan(lost=lost)
        self.play.crash(self.worker_who(has_purchases, number) or self.play.worker(number), seen=seen)

    @rule(number=numbers, seconds=waits, verdicts=st.lists(verdicts, max_size=8), taken_over=st.booleans())
    def freeze(self, number: int, seconds: float, verdicts: list[Verdict], taken_over: bool) -> None:
        """A process freezes, preferably with a purchase under way, and does not wake for a while. Perhaps the other one
        asks about its doubts and takes its rows over.
        """
        self.go_on(number, verdicts)
        worker = self.worker_who(has_purchases, number) or self.worker_who(anyone, number)
        # One of them may sleep; with both, nothing would happen.
        if worker is None or any(each.frozen for each in self.play.workers):
            return
        self.play.freeze(worker)
        self.play.wait(seconds)
        if taken_over:
            other = 3 - worker.number
            self.everything_goes_well(other, 1)
            self.somebody_carries_on(0, other, [Verdict.done] * 8)

    @precondition(lambda self: any(worker.frozen for worker in self.play.workers))
    @rule(verdicts=st.lists(verdicts, min_size=1, max_size=8))
    def wake(self, verdicts: list[Verdict]) -> None:
        """A process wakes and goes on where it stood."""
        worker = next(worker for worker in self.play.workers if worker.frozen)
        self.play.thaw(worker)
        self.go_on(worker.number, verdicts)

    @rule(number=numbers)
    def stop(self, number: int) -> None:
        """A process is told to end; its run hands over."""
        worker = self.somebody_awake(number)
        if worker.loop is not None:
            self.play.stop(worker)
        go_on(self.play, worker)

    # --- People -------------------------------------------------------------------------------------------

    @rule(person=people, choice=st.sampled_from(["pause", "resume", "cancel the interrupted", "cancel"]), really=seldom)
    def choose(self, person: int, choice: str, really: bool) -> None:
        """Something that may well be refused."""
        if choice == "pause":
            self.play.pause(person)
        elif choice == "resume" or not really:
            self.play.resume(person)
        elif choice == "cancel the interrupted":
            self.play.cancel_interrupted(person)
        else:
            self.play.cancel(person)

    @rule(person=people, which=which, void_first=st.booleans(), confirmed=st.booleans())
    def restart(self, person: int, which: int, void_first: bool, confirmed: bool) -> None:
        """A person looks, and confirms what was shown just now or before; or only looks."""
        shown = self.play.look()
        if shown is not None:
            self.shown.append(shown)
        if confirmed and self.shown:
            self.play.restart(self.shown[-1 - which % len(self.shown)], person, void_first=void_first)

    @rule(person=people, again=st.booleans(), void=st.booleans(), verdict=verdicts)
    def decide(self, person: int, again: bool, void: bool, verdict: Verdict) -> None:
        """A person looks a row up at the carrier, and tells the truth of that moment."""
        row_id = self.row_in(RowStatus.needs_review, RowStatus.failed)
        if row_id is None:
            return self.play.check_again()
        handle = self.play.books.rows[row_id]["handle"]
        if handle and self.play.ledger.of(handle):
            sound = Verdict.done if verdict == Verdict.done else Verdict.unavailable
            self.play.record_bought(row_id, person, verdict=sound, void=void)
        elif again:
            self.play.send_again(row_id, person)
        else:
            self.play.leave_out(row_id, person)
        return None

    @precondition(lambda self: self.play.books.labels)
    @rule(person=people, which=which)
    def void(self, person: int, which: int) -> None:
        """One label, or all of a job that is over."""
        labels = sorted(self.play.books.labels)
        if self.play.is_over and which == 0:
            self.play.void_all(person)
        else:
            self.play.void(labels[which % len(labels)], person)


def at_work(worker: Worker) -> bool:
    return worker.loop is not None


def is_idle(worker: Worker) -> bool:
    return worker.loop is None


def has_letters(worker: Worker) -> object:
    return worker.wire.waiting


def has_requests(worker: Worker) -> object:
    return worker.wire.couriers


def has_purchases(worker: Worker) -> object:
    return any(True for _each in worker.claims_under_way())


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


def machine_for(carrier: dict[str, bool], *, chance: int | None = None) -> Any:
    """The machine with a carrier that has these options, and a tally of its own. `chance`: what is drawn from."""
    machine: Any = type("Machine", (PromiseMachine,), {"carrier": carrier, "tally": Tally()})
    return machine if chance is None else seed(chance)(machine)


def play_settings(examples: int, steps: int, *, derandomize: bool, shrink: bool = True) -> settings:
    """How much is played. `derandomize`: always the same; `shrink`: what breaks a rule is then made as short as can
    be, which takes its time.
    """
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if shrink else [])]
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=derandomize,
        phases=phases,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
