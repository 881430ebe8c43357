"""The pace of carriers across all processes: what they share of it is in the books, one row for each carrier.

`attend` is called again and again by whoever owns the connection to the database while requests go out from other
threads: it tells all others of a Retry-After that this process has heard, hears of theirs, and gets permits for the
gate where there is a limit. Each of these is a short transaction of its own, under no job's lock.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import transaction

from shipping.carriers.gate import Gate, Permit
from shipping.carriers.registry import UnknownCarrier, gate_of
from shipping.models import Pace
from shipping.models.clock import book_now, local_seconds

Answer = TypeVar("Answer")

# Where there is a limit, permits for what waits at the gate are asked for so often.
ATTENDED_EVERY_SECONDS = 0.1
# A carrier that wants to be left alone for longer is asked again after so long.
LONGEST_WAIT_SECONDS = 3600.0
# Permits are given out for no more than so far ahead, so that a process which dies with some wastes little.
HORIZON_SECONDS = 0.5
# For how long a permit is good. Permits lie that much further apart than the limit alone asks for: however late within
# this time each is used, no more than the limit fall into any second.
PERMIT_SECONDS = 0.1


def attend(carrier: str, wanted: int = 0) -> Gate:
    """Bring the gate of a carrier up to date, with permits for what waits there and for `wanted` requests more, as far
    as they can be had now. Returns the gate.
    """
    gate = gate_or_open(carrier)
    told = gate.told
    if told is not None:
        _pass_on(carrier, told - local_seconds())
        gate.passed_on(told)
    short = wanted - gate.free
    if gate.per_second is None:
        gate.hear(paused_for(carrier))
    elif short > 0:
        permits, left = _draw(carrier, gate.per_second, short)
        gate.hear(left)
        gate.stock(permits)
    return gate


def attend_until(answer: Callable[..., Answer], carrier: str, timeout: float, *, unanswered: type[Exception]) -> Answer:
    """Wait for what other threads of this process ask of a carrier (once it was attended to), and attend to its gate
    meanwhile. `answer` waits for `timeout` seconds at most and raises `unanswered` when nothing came; so does this.
    """
    ends_at = local_seconds() + timeout
    gate = gate_or_open(carrier)
    try:
        while True:
            left = max(0.0, ends_at - local_seconds())
            try:
                return answer(timeout=left if gate.per_second is None else min(left, ATTENDED_EVERY_SECONDS))
            except unanswered:
                if local_seconds() >= ends_at:
                    raise
            attend(carrier)
    finally:
        if gate.told is not None:
            attend(carrier)


def ask(carrier: str, question: Callable[[], Answer], timeout: float) -> Answer:
    """The answer to a question that is asked of a carrier while a person waits. Raises TimeoutError when there is a
    limit and it did not come in time.
    """
    gate = attend(carrier, 1)
    if gate.per_second is not None:
        pool = ThreadPoolExecutor(1, thread_name_prefix="question")
        asked = pool.submit(question)
        pool.shutdown(wait=False)
        return attend_until(asked.result, carrier, timeout, unanswered=TimeoutError)
    try:
        return question()
    finally:
        if gate.told is not None:
            attend(carrier)


def gate_or_open(carrier: str) -> Gate:
    """The gate of a carrier; of one that is not configured, where nothing can be sent, an open one."""
    try:
        return gate_of(carrier)
    except UnknownCarrier:
        return Gate()


def resting() -> list[str]:
    """The carriers that are to be left alone now."""
    waits = dict(Pace.objects.filter(wait_until__gt=0).values_list("carrier", "wait_until"))
    now = book_now() if waits else 0.0
    return [carrier for carrier, until in waits.items() if _left(until, now) > 0]


def lift(carrier: str) -> None:
    """A person wants the carrier to be asked now, whatever it has said."""
    Pace.objects.filter(carrier=carrier).update(wait_until=0.0)


def paused_for(carrier: str) -> float:
    """For how many seconds a carrier is still to be left alone, as the books say."""
    until = Pace.objects.filter(carrier=carrier).values_list("wait_until", flat=True).first()
    return _left(until, book_now()) if until else 0.0


def _left(until: float, now: float) -> float:
    # More than anybody may ask for: the clock was set back, or began anew with the machine.
    left = until - now
    return left if 0.0 < left <= LONGEST_WAIT_SECONDS else 0.0


@transaction.atomic
def _pass_on(carrier: str, seconds: float) -> None:
    pace, now = _lock(carrier), book_now()
    seconds = min(seconds, LONGEST_WAIT_SECONDS)
    if seconds > _left(pace.wait_until, now):
        pace.wait_until = now + seconds
        pace.save(update_fields=["wait_until"])


@transaction.atomic
def _draw(carrier: str, per_second: float, wanted: int) -> tuple[list[Permit], float]:
    """Up to so many permits, in the order of their times, and for how long the carrier is to be left alone."""
    pace = _lock(carrier)
    before = local_seconds()
    now = book_now()
    after = local_seconds()
    left = _left(pace.wait_until, now)
    if left > 0:
        return [], left
    apart = (1.0 + PERMIT_SECONDS) / per_second
    # Further ahead than anybody books: the clock was set back, or the limit was a lower one.
    start = pace.next_send if now < pace.next_send <= now + HORIZON_SECONDS + apart else now
    number = 0
    while number < wanted and start + number * apart <= now + HORIZON_SECONDS:
        number += 1
    if number:
        pace.next_send = start + number * apart
        pace.save(update_fields=["next_send"])
    # The books' `now` was somewhere between the two: a permit is good only while it is for certain.
    opens = [after + start - now + index * apart for index in range(number)]
    return [Permit(each, each - (after - before) + PERMIT_SECONDS) for each in opens], 0.0


def _lock(carrier: str) -> Pace:
    pace = Pace.objects.select_for_update(no_key=True).filter(carrier=carrier).first()
    if pace is None:
        Pace.objects.get_or_create(carrier=carrier)
        pace = Pace.objects.select_for_update(no_key=True).get(carrier=carrier)
    return pace
