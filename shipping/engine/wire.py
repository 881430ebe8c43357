"""The wire: bounded threads that talk to carriers. Nothing here touches the database.

A lane keeps the total deadline of each letter itself, since a library's timeout is per read. A letter that is not
answered by then is reported as unknown; its thread may still come back with a late answer, which is handed on too.
"""

import logging
import os
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from shipping import labels
from shipping.carriers.port import Carrier, CarrierError, Unavailable, Unknown, Unsent
from shipping.carriers.registry import UnknownCarrier, get_carrier
from shipping.engine.letters import (
    Answer,
    Claim,
    FileOrder,
    Letter,
    Preparation,
    Question,
    RefundQuestion,
    Reply,
    StoredFile,
    VoidLetter,
)
from shipping.models.clock import local_seconds
from shipping.outages import in_plain_words

logger = logging.getLogger("onceship.wire")

ERRAND_THREADS = 8
# A letter with less of its time left than this part of the request timeout is not sent any more.
LEAST_PART_OF_TIMEOUT = 0.1


@dataclass(frozen=True, slots=True)
class Sent:
    """A letter in a lane, and until when it must have been answered (`local_seconds()`)."""

    letter: Letter
    deadline: float


class Lane:
    """A bounded set of threads. A thread that is stuck past a deadline is replaced, up to as many again. Letters that
    find no thread free wait in line. Any answer but a good one has purchases and their preparations taken back from
    there, unsent, and no purchase is sent before that answer was collected.
    """

    def __init__(self, name: str, width: int, replies: "queue.SimpleQueue[Reply]") -> None:
        self._name = name
        self._width = width
        self._replies = replies
        self._letters: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        self._out: dict[int, Sent] = {}
        self._in_line: set[int] = set()
        self._overdue: set[int] = set()
        self._held = False
        self._threads = 0
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """How many more letters may be sent now."""
        return self.room(in_line=0)

    def room(self, *, in_line: int) -> int:
        """How many more letters may be sent when so many of them may wait in line."""
        with self._lock:
            waiting = len(self._out) - len(self._overdue)
            return max(0, in_line + min(self._width - waiting, 2 * self._width - len(self._out)))

    @property
    def waiting(self) -> int:
        """How many letters are out and may still be answered in time."""
        with self._lock:
            return len(self._out) - len(self._overdue)

    def send(self, letter: Letter, deadline: float) -> None:
        sent = Sent(letter, deadline)
        with self._lock:
            self._out[id(sent)] = sent
            self._in_line.add(id(sent))
            if self._held and isinstance(letter, Claim):
                self._take_back([id(sent)])
                return
            self._letters.put(sent)
            self._take_on()

    def release(self) -> None:
        """Let purchases be sent again: every answer that came before this will have been collected."""
        with self._lock:
            self._held = False

    def recall(self) -> None:
        """Take back the letters that still wait in line; they come back as unsent."""
        with self._lock:
            self._take_back(list(self._in_line))

    def give_up_overdue(self) -> list[Reply]:
        """Letters whose time is over, once each, as unknown. Their late answers still come. Those that still wait in
        line come back as unsent.
        """
        now = local_seconds()
        with self._lock:
            late = [key for key, sent in self._out.items() if sent.deadline <= now and key not in self._overdue]
            self._take_back([key for key in late if key in self._in_line])
            late = [key for key in late if key in self._out]
            self._overdue.update(late)
            self._take_on()
            letters = [self._out[key].letter for key in late]
        return [Reply(letter, Unknown("no_answer", "The carrier did not answer in time.")) for letter in letters]

    @property
    def _allowed_threads(self) -> int:
        return self._width + min(len(self._overdue), self._width)

    def _take_on(self) -> None:
        """Start the threads that are missing for what is out. Under the lock."""
        while self._threads < min(len(self._out), self._allowed_threads):
            self._threads += 1
            name = f"{self._name}-{self._threads}"
            # A daemon: a carrier that never answers must not keep the process from ending.
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _take_back(self, keys: Iterable[int]) -> None:
        """Under the lock, as threads take letters from the line."""
        for key in keys:
            self._in_line.discard(key)
            unsent = Unsent("unsent", "The request was taken back before it was sent.")
            self._replies.put(Reply(self._out.pop(key).letter, unsent))

    def _is_for_a_purchase(self, key: int) -> bool:
        """An errand that fails says nothing of the others, which cost nothing."""
        return isinstance(self._out[key].letter, Claim | Preparation)

    def _work(self) -> None:
        while True:
            sent = self._letters.get()
            with self._lock:
                if id(sent) not in self._in_line:
                    continue  # taken back
                self._in_line.remove(id(sent))
            outcome = deliver(sent)
            with self._lock:
                del self._out[id(sent)]
                self._overdue.discard(id(sent))
                if isinstance(outcome, CarrierError):
                    # What it means for the others is for the run to say, before any more is sent.
                    self._take_back([key for key in self._in_line if self._is_for_a_purchase(key)])
                    self._held = True
                # Under the lock: what is no longer waiting can be collected.
                self._replies.put(Reply(sent.letter, outcome))
                if self._threads > self._allowed_threads:
                    # It was stuck, and another has long taken its place.
                    self._threads -= 1
                    return


class Wire:
    """A process's connection to the carriers. `purchases` is as wide as the settings say; errands have their own."""

    def __init__(self, purchases: int, errands: int = ERRAND_THREADS) -> None:
        self._replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        self.purchases = Lane("purchase", purchases, self._replies)
        self.errands = Lane("errand", errands, self._replies)

    def send(self, letter: Letter) -> None:
        """Send a letter once. Purchases end at their claim's deadline, all else after the request timeout. What needs
        no request is answered in place.
        """
        if isinstance(letter, Preparation) and prepares_in_place(letter.carrier):
            sent = Sent(letter, local_seconds() + settings.REQUEST_TIMEOUT_SECONDS)
            self._replies.put(Reply(letter, deliver(sent)))
        elif isinstance(letter, Claim):
            self.purchases.send(letter, letter.deadline)
        else:
            lane = self.purchases if isinstance(letter, Preparation) else self.errands
            lane.send(letter, local_seconds() + settings.REQUEST_TIMEOUT_SECONDS)

    @property
    def expects_answers(self) -> bool:
        """Whether an errand is out that may still be answered in time, or a reply is there to be collected. In this
        order: a reply is put down before its errand counts as no longer out.
        """
        return self.errands.waiting > 0 or not self._replies.empty()

    def put_back(self, replies: Iterable[Reply]) -> None:
        """Return replies that could not be filed yet."""
        for reply in replies:
            self._replies.put(reply)

    def collect(self, timeout: float) -> list[Reply]:
        """Wait for a reply, up to `timeout` seconds, and return all that are there, with what is overdue."""
        replies: list[Reply] = []
        try:
            if timeout > 0:
                replies.append(self._replies.get(timeout=timeout))
        except queue.Empty:
            pass
        self.purchases.release()
        try:
            while True:
                replies.append(self._replies.get_nowait())
        except queue.Empty:
            pass
        return replies + self.purchases.give_up_overdue() + self.errands.give_up_overdue()


def prepares_in_place(carrier: str) -> bool:
    """Whether the carrier of that name prepares purchases without asking anybody."""
    try:
        return not get_carrier(carrier).prepare_sends
    except UnknownCarrier:
        return False


def deliver(sent: Sent) -> Answer:
    """Carry one letter to its carrier and return the answer; every error becomes an answer too."""
    letter = sent.letter
    left = sent.deadline - local_seconds()
    if left < settings.REQUEST_TIMEOUT_SECONDS * LEAST_PART_OF_TIMEOUT:
        return Unsent("unsent", "There was too little time left to send the request.")
    try:
        return _deliver(get_carrier(letter.carrier), letter, left)
    except CarrierError as error:
        return error
    except UnknownCarrier as error:
        return Unavailable("unknown_carrier", str(error))
    except Exception as error:
        # The outermost loop of this thread: whatever went wrong, the request may have left.
        logger.exception("A letter to %s failed.", letter.carrier)
        return Unknown("unexpected", in_plain_words(error))


def _deliver(carrier: Carrier, letter: Letter, left: float) -> Answer:
    match letter:
        case Claim():
            return carrier.buy(letter.order, letter.handle, letter.details, timeout=left)
        case Preparation():
            return carrier.prepare(letter.order, timeout=left)
        case Question():
            return carrier.lookup(letter.handle, letter.reference, timeout=left)
        case VoidLetter():
            return carrier.void(letter.purchase_id, timeout=left)
        case RefundQuestion():
            return carrier.refund_state(letter.purchase_id, timeout=left)
        case FileOrder():
            return _fetch(carrier, letter, left)


def _fetch(carrier: Carrier, order: FileOrder, left: float) -> StoredFile | Unavailable:
    file = carrier.fetch_label(order.purchase_id, order.label_url, timeout=left)
    try:
        return StoredFile(labels.store(order.file_name, file))
    except OSError as error:
        logger.warning("The label %s could not be stored: %s", order.file_name, error)
        return Unavailable("storage", f"The label could not be stored. {in_plain_words(error)}")


@lru_cache(maxsize=1)
def _wire_of(_pid: int) -> Wire:
    return Wire(settings.SHIP_CONCURRENCY)


def process_wire() -> Wire:
    """The wire of this process: it outlives single runs, so that late answers still find their way."""
    return _wire_of(os.getpid())
