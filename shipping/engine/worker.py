"""The worker process: django-tasks-db's worker, made to outlive a locked database, to end in an orderly way, and to
keep house while it is idle.
"""

import logging
import os
import signal
import time
from types import FrameType

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections
from django_tasks_db.management.commands.db_worker import Worker as TaskWorker
from django_tasks_db.models import DBTaskResult, DBTaskResultQuerySet
from django_tasks_db.utils import exclusive_transaction

from shipping.engine import filing, process
from shipping.engine.books import CommitUnknown
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.presence import Presence
from shipping.engine.wire import process_wire
from shipping.models.clock import local_seconds

logger = logging.getLogger("onceship.worker")

IDLE_SECONDS = 0.2


class ShippingWorker(TaskWorker):
    """Takes tickets from the queue and works them, one at a time.

    Never reloads itself: with a reloader, a SIGKILL would hit the parent while the child works on.
    """

    def __init__(self, *, worker_id: str, until_idle: bool = False) -> None:
        super().__init__(
            queue_names=["*"],
            interval=IDLE_SECONDS,
            batch=until_idle,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=worker_id,
            excluded_queue_names=[],
        )
        self.housekeeper = Housekeeper(process_wire(), wanted=lambda: self._tickets().exists())
        self.presence = Presence(worker_id)
        self.house_at = 0.0

    def shutdown(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the parent's signature)
        """End once what is in the air is settled; a second signal ends at once, and leaves doubts behind."""
        if not self.running:
            logger.warning("Ending at once: purchases in the air are left in doubt.")
            os._exit(1)
        logger.info("Ending: purchases in the air are settled first.")
        self.running = False
        process.stopping.set()

    def configure_signals(self) -> None:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(name, self.shutdown)

    def run(self) -> None:
        """Work until told to end, or (until idle) until the queue is empty and no errand is out."""
        logger.info("Worker %s is ready.", self.worker_id)
        while self.running:
            try:
                close_old_connections()
                self._beat()
                worked = self._work_one()
                busy = self._keep_house(at_once=worked)
                if self.batch and not worked and not busy and not self._tickets().exists():
                    break
            except (AnyDatabaseError, OSError, CommitUnknown) as error:
                # The outermost loop: a locked or lost database, a full disk, too many open files end no worker.
                filing.let_go_of_database(error)
                continue
            if self.running and not worked:
                time.sleep(IDLE_SECONDS)
        self.presence.say_goodbye()
        logger.info("Worker %s has ended.", self.worker_id)

    def _tickets(self) -> DBTaskResultQuerySet:
        return DBTaskResult.objects.ready().filter(backend_name=self.backend_name)

    def _work_one(self) -> bool:
        tickets = self._tickets()
        # Looked at without the lock first: an idle worker must not hold up the others.
        if not tickets.exists():
            return False
        with exclusive_transaction(tickets.db):
            ticket = tickets.get_locked()
            if ticket is not None:
                ticket.claim(self.worker_id)
        if ticket is None:
            return False
        self.run_task(ticket)
        return True

    def _keep_house(self, *, at_once: bool) -> bool:
        if not self.running:
            self.housekeeper.file_answers()
            return False
        now = local_seconds()
        if not at_once and now < self.house_at:
            return False
        busy = self.housekeeper.round()
        self.house_at = now if busy else now + min(1.0, settings.HEARTBEAT_SECONDS)
        return busy

    def _beat(self) -> None:
        self.presence.beat()
