"""The worker process where RabbitMQ carries the tickets: Celery's worker with one thread for its tickets, beside which
an attendant says that the process lives and, while no ticket is worked, keeps house.

Three threads: Celery's own keeps the connection to the broker, so heartbeats go on while a run is worked; the pool's
works tickets; the attendant. All are in one process, the one that the books name: a SIGKILL ends the run with it.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connections

from shipping.engine import filing, process
from shipping.engine.books import CommitUnknown
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.presence import Presence
from shipping.engine.wire import process_wire
from shipping.models.clock import local_seconds

logger = logging.getLogger("onceship.worker")

IDLE_SECONDS = 0.2
# The wire's answers are collected by whoever holds this: a ticket's work, or the housekeeping.
_desk = threading.Lock()
# Set while a ticket has arrived and waits for the desk.
_wanted = threading.Event()
_attended = threading.Event()


def is_attended() -> bool:
    """Whether an attendant is there in this process."""
    return _attended.is_set()


def at_the_desk(work: Callable[..., Any]) -> Callable[..., Any]:
    """A task's function, begun once a round of housekeeping that goes on has ended, which it does soon."""

    def begin(*args: Any, **kwargs: Any) -> Any:
        _wanted.set()
        with _desk:
            _wanted.clear()
            close_old_connections()
            return work(*args, **kwargs)

    return begin


class CeleryWorker:
    """Works tickets until told to end."""

    def __init__(self, app: Celery, *, worker_id: str) -> None:
        self.app = app
        self.worker_id = worker_id
        self.presence = Presence(worker_id)
        self.housekeeper = Housekeeper(process_wire(), wanted=_wanted.is_set)
        self._over = threading.Event()
        self._house_at = 0.0

    def run(self) -> int:
        """Work until SIGTERM, and settle what is in the air first. Returns the exit code."""
        worker_ready.connect(self._say_ready)
        worker_shutting_down.connect(self._stop)
        attendant = threading.Thread(target=self._attend, name="attendant")
        _attended.set()
        attendant.start()
        try:
            worker = self.app.Worker(
                hostname=f"{self.worker_id}@%h", quiet=True,
                without_gossip=True, without_mingle=True, without_heartbeat=True,
            )  # fmt: skip
            worker.start()
        finally:
            process.stopping.set()
            self._over.set()
            attendant.join()
        logger.info("Worker %s has ended.", self.worker_id)
        return int(worker.exitcode or 0)

    def _say_ready(self, **_kwargs: Any) -> None:
        logger.info("Worker %s is ready.", self.worker_id)

    def _stop(self, **_kwargs: Any) -> None:
        logger.info("Ending: purchases in the air are settled first.")
        process.stopping.set()

    def _attend(self) -> None:
        while not self._over.wait(IDLE_SECONDS):
            try:
                close_old_connections()
                self.presence.beat()
                self._keep_house()
            except (AnyDatabaseError, OSError, CommitUnknown) as error:
                # The outermost loop: a locked or lost database ends no worker.
                filing.let_go_of_database(error)
            except Exception:
                logger.exception("Housekeeping failed.")
        self.presence.say_goodbye()
        connections.close_all()

    def _keep_house(self) -> None:
        if local_seconds() < self._house_at or not _desk.acquire(blocking=False):
            return
        try:
            if process.stopping.is_set():
                self.housekeeper.file_answers()
            elif not self.housekeeper.round():
                self._house_at = local_seconds() + min(1.0, settings.HEARTBEAT_SECONDS)
        finally:
            _desk.release()
