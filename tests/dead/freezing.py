"""Freezing a process of the product, as a virtual machine that is paused or a laptop that is shut: alterations for
`tests.support.altered`. It goes on when somebody continues it (SIGCONT).

It stops between two ticks, so that it holds no lock of the database: that would stop the others, too.
"""

import itertools
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shipping.engine import books, wire
from shipping.engine.letters import Claim
from tests.crash.arming import die


def freeze_before_sending(*, die_when_sent: bool = False) -> None:
    """Have this process stop itself (SIGSTOP) between its last look at the clock and the send of its second purchase.
    By then its connection to the carrier is warm: it sends as fast as it ever does. With `die_when_sent` it dies
    (SIGKILL) as soon as the carrier has answered.
    """
    deliver, stop = wire._deliver, _stopping()
    purchases = itertools.count(1)

    def freezing(carrier: Any, letter: Any, left: float) -> Any:
        is_it = isinstance(letter, Claim) and next(purchases) == 2
        if is_it:
            stop()
        answer = deliver(carrier, letter, left)
        if is_it and die_when_sent:
            die()
        return answer

    wire._deliver = freezing


def freeze_while_waiting(*, purchase: int, seconds: float) -> None:
    """Have this process stop itself so many seconds after it has begun to send its purchase of that number."""
    deliver, stop = wire._deliver, _stopping()
    purchases = itertools.count(1)

    def freezing(carrier: Any, letter: Any, left: float) -> Any:
        if isinstance(letter, Claim) and next(purchases) == purchase:
            threading.Timer(seconds, stop).start()
        return deliver(carrier, letter, left)

    wire._deliver = freezing


def _stopping() -> Callable[[], None]:
    """What stops this process between two ticks."""
    tick = books.tick
    between_ticks = threading.Lock()

    def ticking(*arguments: Any, **options: Any) -> books.Outcome:
        with between_ticks:
            return tick(*arguments, **options)

    def stop() -> None:
        with between_ticks:
            # To this very thread, which is stopped before it does anything else; and with it all others.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    books.tick = ticking
    return stop


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped (state T, see proc(5))."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"
