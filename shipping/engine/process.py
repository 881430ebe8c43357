"""What one worker process has one of: its wire, its wish to stop, and the way a ticket becomes a run."""

import gc
import threading

from shipping.engine import books, filing
from shipping.engine.loop import RunLoop
from shipping.engine.wire import process_wire
from shipping.liveness import this_process
from shipping.models import Run
from shipping.runs import enqueue

# Set when this process is told to end (SIGTERM): its run settles what is in the air and hands over.
stopping = threading.Event()

# Python looks for garbage that refers to itself whenever so many more objects were made than given back (700 by default
# in Python 3.11). A worker makes hundreds in each transaction and leaves no such garbage: looking took a sixth of its
# time.
OBJECTS_BETWEEN_COLLECTIONS = 50_000


def collect_garbage_rarely() -> None:
    """For a process that only works; what it has loaded by now is not looked at any more."""
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)


def work(run_id: int) -> str:
    """Work the run of a ticket in this process; returns how it ended, or that it did not start.

    A ticket that was delivered twice, or late, starts nothing.
    """
    run = _start(run_id)
    if run is None and stopping.is_set():
        enqueue(run_id)
        return "handed back"
    if run is None:
        return "not started"
    return RunLoop(run, process_wire(), stopping).work().value


def _start(run_id: int) -> Run | None:
    perhaps_started = False
    while not stopping.is_set():
        try:
            return books.start_run(run_id, this_process(), perhaps_started=perhaps_started)
        except filing.TRY_AGAIN as error:
            # Without this, a start that did take place would count as somebody else's, and nobody would work the run.
            perhaps_started = perhaps_started or isinstance(error, books.CommitUnknown)
            filing.let_go_of_database(error)
    return None
