"""Freezing a process of the product between its last look at the clock and the purchase, which no software can close:
as a virtual machine that is paused there, or a laptop that is shut. An alteration for `tests.support.altered`.
"""

import itertools
import signal
import threading
from pathlib import Path
from typing import Any

from shipping.engine import books, wire
from shipping.engine.letters import Claim
from tests.crash.arming import die


def freeze_before_sending(*, die_when_sent: bool = False) -> None:
    """Have this process stop itself (SIGSTOP) with its second purchase decided and not sent; it goes on when somebody
    continues it. By then its connection to the carrier is warm: it sends as fast as it ever does. With `die_when_sent`
    it dies (SIGKILL) as soon as the carrier has answered.

    It stops between two ticks, so that it holds no lock of the database: that would stop the others, too.
    """
    deliver, tick = wire._deliver, books.tick
    between_ticks = threading.Lock()
    purchases = itertools.count(1)

    def ticking(*arguments: Any, **options: Any) -> books.Outcome:
        with between_ticks:
            return tick(*arguments, **options)

    def freezing(carrier: Any, letter: Any, left: float) -> Any:
        is_it = isinstance(letter, Claim) and next(purchases) == 2
        if is_it:
            with between_ticks:
                # To this very thread, which is stopped before it does anything else; and with it all others.
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        answer = deliver(carrier, letter, left)
        if is_it and die_when_sent:
            die()
        return answer

    books.tick, wire._deliver = ticking, freezing


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped (state T, see proc(5))."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"
