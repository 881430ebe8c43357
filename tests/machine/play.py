"""The moves of processes, carrier and time. After each, everything is checked; what was done is told in `story`."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth.models import User

from shipping.carriers.port import CarrierError, Purchase, Unknown
from shipping.engine.letters import Claim, Letter, Preparation, Question, VoidLetter
from shipping.models import Job
from tests.machine.carrier import Charge, Ledger, MemoryCarrier, Verdict
from tests.machine.clock import Clock
from tests.machine.couriers import Courier, Ruling
from tests.machine.promise import Breach, Moment, Witness, check_arrival, check_move, read_books
from tests.machine.workers import Orphan, Worker, losing_the_commit


class Processes:
    """Two workers, a carrier and a clock around one job. `gone` are the processes that are known to be dead."""

    def __init__(
        self, job: Job, people: tuple[User, User], carrier: MemoryCarrier, clock: Clock, gone: set[int]
    ) -> None:
        self.job_id = job.pk
        self.people = people
        self.carrier = carrier
        self.clock = clock
        self.gone = gone
        self.workers = (Worker(1, self._note_answer), Worker(2, self._note_answer))
        self.orphans: list[Orphan] = []
        self.witness = Witness()
        self.story: list[str] = []
        self.is_broken = False
        self.books = read_books(job.pk)
        self._seen_event = 0

    # --- What there is ------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        return self.carrier.ledger

    @property
    def tickets(self) -> list[int]:
        """The runs that a task engine may bring, now or once more."""
        return list(self.books.runs)

    def worker(self, number: int) -> Worker:
        return self.workers[number - 1]

    def row_id(self, number: int) -> int:
        """The primary key of a row."""
        return next(key for key, row in self.books.rows.items() if row["number"] == number)

    def row_words(self, row_id: int) -> str:
        return f"row {self.books.rows[row_id]['number']}"

    def letter_words(self, letter: Letter) -> str:
        """A letter as the story tells of it."""
        match letter:
            case Claim():
                return f"the purchase of row {letter.number}"
            case Preparation():
                return f"the preparation of row {letter.number}"
            case Question():
                return f"the question about {self.row_words(letter.row_id)}"
            case VoidLetter():
                return f"the void of label {letter.label_id}"
        raise TypeError(f"{type(letter).__name__} goes by itself.")

    # --- Checking -----------------------------------------------------------------------------------------

    @contextmanager
    def move(self, words: str, worker: Worker | None = None, *, writes: bool = True) -> Iterator[None]:
        """Tell of a move, let it happen inside, and check what came of it. `worker`: whose run makes it; `writes`:
        whether it has to do with the database at all.
        """
        self.story.append(words)
        run_id = worker.run_id if worker else None
        voids_waited = self._voids_waiting()
        try:
            yield
            after = read_books(self.job_id, since_event=self._seen_event) if writes else self.books
            self.witness.note_claims(after)
            sent = self._voids_waiting() - voids_waited
            check_move(self.books, after, self.witness, self.ledger, self._moment(run_id, sent))
        except AssertionError:
            self.is_broken = True
            raise
        except Exception as error:
            self.is_broken = True
            raise Breach("books", f"the engine failed: {type(error).__name__}: {error}") from error
        self.books = after
        if after.events:
            self._seen_event = after.events[-1]["id"]

    def _moment(self, run_id: int | None, voids_sent: set[tuple[int, int]]) -> Moment:
        ends = settings.QUIET_SECONDS
        under_way = [
            (claim.row_id, claim.claim, claim.deadline + ends)
            for worker in self.workers
            for claim, _courier in worker.claims_under_way()
        ]
        under_way += [(orphan.claim.row_id, orphan.claim.claim, orphan.until) for orphan in self.orphans]
        return Moment(
            now=self.clock.seconds,
            run_id=run_id,
            gone=self.gone,
            under_way=under_way,
            in_memory=set().union(*(worker.purchases_in_memory() for worker in self.workers)),
            voids_sent={label_id for _worker, label_id in voids_sent},
        )

    def _voids_waiting(self) -> set[tuple[int, int]]:
        return {
            (worker.pid, letter.label_id)
            for worker in self.workers
            for letter in worker.wire.letters_waiting()
            if isinstance(letter, VoidLetter)
        }

    def _note_answer(self, courier: Courier) -> None:
        """An answer has come back to a process: what it settles, and what must not be lost any more."""
        letter, reply = courier.letter, courier.reply
        assert reply is not None
        if isinstance(reply.outcome, Purchase):
            self.witness.heard.add(reply.outcome.purchase_id)
        if isinstance(letter, Claim) and not isinstance(reply.outcome, Unknown):
            self.witness.answered.add((letter.row_id, letter.claim))
        if not isinstance(letter, Question):
            return
        if self.witness.was_asked_late_enough(letter.row_id, letter.claim, letter.asked):
            told = self.witness.asked_in_vain if isinstance(reply.outcome, CarrierError) else self.witness.answered
            told.add((letter.row_id, letter.claim))

    # --- Workers ------------------------------------------------------------------------------------------

    def start(self, worker: Worker, ticket: int) -> bool:
        """A task engine brings a ticket, for the first time or again; true when the run has started."""
        assert not worker.frozen
        assert worker.loop is None
        with self.move(f"{worker} is brought the ticket of run {self.tickets.index(ticket) + 1}"):
            return worker.start(ticket)

    def work(self, worker: Worker, *, lost_commit: bool | None = None) -> None:
        """One pass of a run's loop. `lost_commit`: the database is lost during the COMMIT, which took place or not."""
        assert not worker.frozen
        words = {None: "", True: "; the COMMIT took place, and nobody was told", False: "; the COMMIT was lost"}
        with self.move(f"{worker} makes a tick{words[lost_commit]}", worker):
            if lost_commit is None:
                worker.work()
            else:
                with losing_the_commit(took_place=lost_commit):
                    worker.work()

    def hear(self, worker: Worker) -> None:
        """A process collects what came back; an idle one files it."""
        assert not worker.frozen
        with self.move(f"{worker} collects its answers", worker):
            worker.hear()

    def keep_house(self, worker: Worker) -> None:
        """A round of housekeeping of an idle worker."""
        assert not worker.frozen
        assert worker.loop is None
        with self.move(f"{worker} keeps house"):
            worker.house.round()

    def stop(self, worker: Worker) -> None:
        """SIGTERM: what is in the air is settled, then the run hands over."""
        with self.move(f"{worker} is told to end", writes=False):
            worker.stopping.set()

    def crash(self, worker: Worker, *, seen: bool = True) -> None:
        """SIGKILL, at once followed by a new process. `seen`: on a machine where others see that it is gone."""
        with self.move(f"{worker} is killed" + ("" if seen else " on another machine"), writes=False):
            if seen:
                self.gone.add(worker.pid)
            self.witness.heard -= worker.purchases_in_memory()
            self.orphans += worker.kill(self.clock.seconds)

    def freeze(self, worker: Worker) -> None:
        """SIGSTOP."""
        with self.move(f"{worker} freezes", writes=False):
            worker.frozen = True

    def thaw(self, worker: Worker) -> None:
        """SIGCONT."""
        with self.move(f"{worker} wakes", writes=False):
            worker.frozen = False

    # --- The carrier --------------------------------------------------------------------------------------

    def send(self, worker: Worker, place: int = 0, verdict: Verdict = Verdict.done) -> None:
        """A letter is taken by a courier, who checks its deadline and sends it. `verdict` is for preparations, which
        are answered at once.
        """
        assert not worker.frozen
        letter = worker.wire.letters_waiting()[place]
        told = f" ({verdict.value})" if verdict != Verdict.done else ""
        with self.move(f"{worker} sends {self.letter_words(letter)}{told}", writes=False):
            self.carrier.preparing = verdict
            courier = worker.wire.let_go(place)
            self._check_arrival(courier)

    def answer(self, worker: Worker, place: int = 0, verdict: Verdict = Verdict.done) -> None:
        """The carrier decides about a request that a courier has brought."""
        assert not worker.frozen
        courier = worker.wire.couriers[place]
        letter = courier.letter
        late = isinstance(letter, Claim) and self.clock.seconds >= letter.deadline + settings.QUIET_SECONDS
        asked_by = f", sent by {worker} that was frozen" if late else ""
        with self.move(f"the carrier answers {self.letter_words(letter)}: {verdict.value}{asked_by}", writes=False):
            courier.go_on(Ruling(verdict, late))
            self._check_arrival(courier)

    def _check_arrival(self, courier: Courier) -> None:
        letter, call = courier.letter, courier.call
        if isinstance(letter, Claim) and call is not None:
            now, witness = self.clock.seconds, self.witness
            check_arrival(witness, letter.row_id, letter.claim, call, now=now, deadline=letter.deadline)

    def execute_orphan(self, place: int = 0, *, lost: bool = False) -> Charge | None:
        """A request whose process is dead is executed, or lost."""
        orphan = self.orphans[place]
        claim = orphan.claim
        what = "is lost" if lost else "is executed"
        with self.move(f"the purchase of row {claim.number} by a worker that died {what}", writes=False):
            del self.orphans[place]
            return None if lost else self.ledger.charge(claim.handle, claim.order.reference)

    # --- Time ---------------------------------------------------------------------------------------------

    def wait(self, seconds: float, verdict: Verdict = Verdict.lost) -> None:
        """Time passes. What has left a process that is not frozen does not outlast its quiet period on the way:
        requests that would are decided first, by this verdict.
        """
        until = self.clock.seconds + seconds
        for worker in self.workers:
            for courier in [] if worker.frozen else list(worker.wire.couriers):
                if courier in worker.wire.couriers and self._must_arrive(courier, until):
                    self.answer(worker, worker.wire.couriers.index(courier), verdict)
        for orphan in [each for each in self.orphans if each.until <= until]:
            self.execute_orphan(self.orphans.index(orphan), lost=verdict == Verdict.lost)
        with self.move(f"{seconds:g} seconds pass", writes=False):
            self.clock.advance(seconds)

    def _must_arrive(self, courier: Courier, until: float) -> bool:
        """Whether a request's quiet period ends in this time. (That of a process which was frozen is over long since;
        it takes as long as it likes.)
        """
        if not isinstance(courier.letter, Claim):
            return False
        ends = courier.letter.deadline + settings.QUIET_SECONDS
        return self.clock.seconds < ends <= until

    def close(self) -> None:
        """End all threads."""
        for worker in self.workers:
            worker.wire.kill()
