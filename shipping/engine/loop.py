"""The loop of one run: one thread owns the database, the wire's threads own the network, a queue lies between."""

import logging
import threading

from django.conf import settings

from shipping.carriers.port import CarrierError, Prepared, Purchase
from shipping.engine import books, filing
from shipping.engine.ahead import Ahead
from shipping.engine.books import CommitUnknown, Outcome, Standing, Wishes
from shipping.engine.letters import Claim, Inbox, Letter, Preparation, Ready, Reply
from shipping.engine.pacing import pacer_of
from shipping.engine.trouble import Trouble
from shipping.engine.wire import Wire, prepares_in_place
from shipping.models import Run
from shipping.models.clock import book_now, local_seconds
from shipping.outages import in_plain_words
from shipping.states import RunEnd

logger = logging.getLogger("onceship.engine")

IDLE_SECONDS = 0.5
ERRANDS_EVERY_SECONDS = 1.0
# How often a run that has had its turn looks whether another job waits.
GIVE_WAY_EVERY_SECONDS = 1.0
BREATH_SECONDS = 0.03
# How often a run looks what else the carrier is to be asked, while labels are being bought.
ERRANDS_WHILE_BUYING_SECONDS = 0.05
# Answers that come within this of each other share one transaction, and its fsync.
LONGEST_LINGER_SECONDS = 0.01

FOR_A_PURCHASE = (Preparation, Claim)


class InternalError(CarrierError):
    """Something in the engine itself went wrong; the job halts and says so."""


class RunLoop:
    """Works a started run until it is handed over, fenced, halted, or nothing is left for it.

    `stopping` is set by the process when it is told to end: what is in the air is settled, then the run hands over.
    """

    def __init__(self, run: Run, wire: Wire, stopping: threading.Event) -> None:
        self.run_id = run.pk
        self.job_id = run.job_id
        self.wire = wire
        self.pacer = pacer_of(run.job.carrier)
        self.stopping = stopping
        self.inbox: list[Reply] = []
        self.ready: list[Ready] = []
        self.out: dict[int, Preparation | Claim] = {}
        failing_for = 0.0 if run.failing_since is None else max(0.0, book_now() - run.failing_since)
        self.preparing = Trouble(failing_for)
        self.buying = Trouble(failing_for)
        self.halting: tuple[CarrierError, int] | None = None
        self.lost_commit = False
        self.standing = Standing.go_on
        self.hand_over_at = local_seconds() + settings.RUN_SECONDS
        self.give_way_at = local_seconds() + settings.RUN_TURN_SECONDS
        self.beat_at = 0.0
        self.errands_at = 0.0
        self.tick_seconds = 0.0
        self.ahead = Ahead(settings.SHIP_CONCURRENCY, settings.RUNS_PER_JOB)
        self.prepares_in_place = prepares_in_place(run.job.carrier)

    def work(self) -> RunEnd:
        """Run to the end; returns why it ended."""
        try:
            reason = None
            while reason is None:
                self._tick()
                reason = self._reason_to_end()
                if reason is None:
                    self._collect()
        except Exception as error:
            logger.exception("Run %s of job %s failed.", self.run_id, self.job_id)
            self.halting = (InternalError("internal_error", in_plain_words(error)), 0)
            reason = RunEnd.halted
            self.wire.put_back(self.inbox)
        self._end(reason)
        return reason

    # --- What comes back ---------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Wait for replies, unless something can be done at once, and sort them."""
        not_before = self.pacer.again_at - local_seconds()
        at_once = bool(self._claimable()) and not_before <= 0
        patience = 0.0 if at_once else min(IDLE_SECONDS, settings.HEARTBEAT_SECONDS / 2)
        if 0 < not_before < patience:
            patience = not_before
        if self.standing is Standing.sweeping:
            # As long as a chunk of the sweep has held the write lock, others may have it.
            patience = max(BREATH_SECONDS, self.tick_seconds)
        others = self._take(self.wire.collect(patience))
        others += self._linger()
        filing.file_late(self.wire, others)

    def _linger(self) -> list[Reply]:
        """Wait a moment, no longer than a transaction takes, for more answers to purchases that can go into the books
        with those that are here; returns replies that are for other jobs.
        """
        others: list[Reply] = []
        most = settings.SHIP_CONCURRENCY + self._ahead
        until = local_seconds() + min(self.tick_seconds, LONGEST_LINGER_SECONDS)
        while 0 < len(self.inbox) < most and self._claims_out:
            replies = self.wire.collect(until - local_seconds())
            if not replies:
                break
            others += self._take(replies)
        return others

    def _take(self, replies: list[Reply]) -> list[Reply]:
        """Sort the replies of this job; returns those for others."""
        for reply in replies:
            if reply.letter.job_id == self.job_id:
                self._sort(reply)
        return [reply for reply in replies if reply.letter.job_id != self.job_id]

    def _sort(self, reply: Reply) -> None:
        letter, outcome = reply.letter, reply.outcome
        if isinstance(letter, FOR_A_PURCHASE):
            self.out.pop(id(letter), None)
            self._note(letter, outcome)
        if isinstance(letter, Preparation) and isinstance(outcome, Prepared):
            self.ready.append(Ready(preparation=letter, prepared=outcome))
        else:
            self.inbox.append(reply)

    def _note(self, letter: Preparation | Claim, outcome: object) -> None:
        trouble = self.buying if isinstance(letter, Claim) else self.preparing
        trouble.note(outcome)
        if isinstance(outcome, CarrierError) and self.halting is None and trouble.too_long():
            self.halting = (outcome, letter.number)

    # --- What goes out -----------------------------------------------------------------------------------

    @property
    def _winding_down(self) -> bool:
        """Claiming nothing more, whatever is left to do."""
        late = local_seconds() >= self.hand_over_at
        return late or self.stopping.is_set() or self.lost_commit or self.halting is not None

    @property
    def _width(self) -> int:
        """How many requests may be out: a carrier in trouble is left alone for a while, then probed with one."""
        if self._winding_down or self.preparing.waiting or self.buying.waiting:
            return 0
        return 1 if self.preparing.lasting or self.buying.lasting else settings.SHIP_CONCURRENCY

    @property
    def _ahead(self) -> int:
        """How many purchases may wait in line: none while the width is less than the settings say."""
        return self.ahead.rows if self._width == settings.SHIP_CONCURRENCY else 0

    @property
    def _claims_out(self) -> int:
        return sum(isinstance(letter, Claim) for letter in self.out.values())

    def _claimable(self) -> list[Ready]:
        if self.standing not in (Standing.go_on, Standing.waiting):
            return []
        room = min(self._width + self._ahead - self._claims_out, self.wire.purchases.room(in_line=self._ahead))
        return self.ready[: max(0, room)]

    def _preparations(self, claimable: int) -> int:
        """How many rows to reserve and prepare, when so many of those that are ready will be claimed."""
        if self.prepares_in_place and self._width == settings.SHIP_CONCURRENCY:
            return self._width + self._ahead - (len(self.ready) - claimable)
        room = min(self._width + self._ahead - len(self.out), self.wire.purchases.room(in_line=self._ahead))
        return room - len(self.ready)

    def _wishes(self) -> Wishes:
        now = local_seconds()
        claimable = self._claimable()
        errands = 0
        if now >= self.errands_at and not self._winding_down:
            errands = self.wire.errands.free
        return Wishes(
            ready=claimable,
            preparations=max(0, self._preparations(len(claimable))),
            errands=errands,
            turn_over=now >= self.give_way_at and not self._winding_down,
        )

    def _allowed(self) -> Wishes:
        """What of the wishes the carrier's pace allows now; while the database can't be asked, nothing."""
        wishes = self._wishes()
        try:
            allowed = self.pacer.allow(wishes)
        except filing.TRY_AGAIN as error:
            filing.let_go_of_database(error)
            return Wishes()
        if self.pacer.resumes:
            self.preparing.lift()
            self.buying.lift()
        pause = self.pacer.pause_of(settings.HALT_AFTER_SECONDS)
        if pause is not None and self.halting is None and not self._winding_down:
            # As if it had said so to this run itself.
            self.halting = (pause, 0)
        return allowed

    def _tick(self) -> None:
        """One transaction, when there is a reason for one; afterwards, and only then, send."""
        wishes = self._allowed()
        now = local_seconds()
        idle = not (self.inbox or wishes.ready or wishes.errands or wishes.preparations)
        if idle and self.standing is not Standing.sweeping and now < self.beat_at:
            return
        outcome = self._tick_durably(wishes)
        self.tick_seconds = local_seconds() - now
        if outcome is None:
            return
        bought = [
            reply.outcome
            for reply in self.inbox
            if isinstance(reply.letter, Claim) and isinstance(reply.outcome, Purchase)
        ]
        answered = sum(isinstance(reply.letter, Claim) for reply in self.inbox)
        self.ahead.note(answered, len(bought))
        self.inbox.clear()
        self.standing = outcome.standing
        self.beat_at = now + settings.HEARTBEAT_SECONDS
        if outcome.give_way:
            self.hand_over_at = now
        elif wishes.turn_over:
            self.give_way_at = now + GIVE_WAY_EVERY_SECONDS
        if outcome.standing in (Standing.go_on, Standing.waiting, Standing.finished):
            # Claimed now, or lost to somebody else: either way no longer waiting here.
            considered = {id(each) for each in wishes.ready}
            self.ready = [each for each in self.ready if id(each) not in considered]
        for letter in outcome.letters:
            self._send(letter)
        ran_errand = any(not isinstance(letter, FOR_A_PURCHASE) for letter in outcome.letters)
        if wishes.errands and not ran_errand:
            self.errands_at = now + ERRANDS_EVERY_SECONDS
        if any(purchase.has_file for purchase in bought):
            self.errands_at = min(self.errands_at, now + ERRANDS_WHILE_BUYING_SECONDS)
        if self._winding_down or outcome.standing in (Standing.halted, Standing.fenced):
            self.wire.purchases.recall()

    def _tick_durably(self, wishes: Wishes) -> Outcome | None:
        """The tick, or None when it has to be tried again. Answers stay in memory until they are in the books."""
        inbox = Inbox()
        for reply in self.inbox:
            inbox.add(reply)
        try:
            return books.tick(self.job_id, inbox, wishes, run_id=self.run_id)
        except CommitUnknown as error:
            # The claims may have been committed, so none of them is ever sent by this run; the rows will be found
            # in doubt once it has ended.
            self.lost_commit = True
            self.ready.clear()
            filing.let_go_of_database(error)
        except filing.TRY_AGAIN as error:
            filing.let_go_of_database(error)
        except Exception:
            if not self.inbox:
                raise
            logger.exception("A tick of run %s failed; filing its answers one by one.", self.run_id)
            self._file_singly()
        return None

    def _file_singly(self) -> None:
        try:
            filing.file_singly(self.job_id, self.inbox)
        except filing.TRY_AGAIN as error:
            filing.let_go_of_database(error)
        else:
            self.inbox.clear()

    def _send(self, letter: Letter) -> None:
        if isinstance(letter, Preparation) and letter.handle:
            # The attempt's handle is pinned: there is nothing to prepare.
            self.ready.append(Ready(preparation=letter, prepared=Prepared(handle=letter.handle)))
            return
        if isinstance(letter, FOR_A_PURCHASE):
            self.out[id(letter)] = letter
        self.wire.send(letter)

    # --- The end -----------------------------------------------------------------------------------------

    def _reason_to_end(self) -> RunEnd | None:
        if self._claims_out or self.inbox:
            return None
        if self.standing is Standing.fenced:
            return RunEnd.fenced
        if self.standing is Standing.halted or self.halting is not None:
            return RunEnd.halted
        if self.standing is Standing.finished:
            return RunEnd.no_work
        return RunEnd.handed_over if self._winding_down else None

    def _end(self, reason: RunEnd) -> None:
        """Write the end down. When the database stays away for a whole lease, the run is left to be found dead."""
        error, row_number = self.halting or (None, 0)
        failing_for = max(self.preparing.failing_for, self.buying.failing_for)
        give_up_at = local_seconds() + settings.LEASE_SECONDS
        while local_seconds() < give_up_at:
            try:
                books.end_run(self.run_id, reason, error, row_number, failing_for=failing_for)
            except filing.TRY_AGAIN as failure:
                filing.let_go_of_database(failure)
            else:
                return
        logger.warning("The end of run %s could not be written down; it is left to be found dead.", self.run_id)
