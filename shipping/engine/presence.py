"""A worker's record in the books, so that pages know whether anybody is there to do the work."""

import logging

from django.conf import settings
from django.db import Error as AnyDatabaseError

from shipping.liveness import this_process
from shipping.models import Worker
from shipping.models.clock import book_now, local_seconds

logger = logging.getLogger("onceship.worker")


class Presence:
    """The record of one worker process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._beat_at = 0.0

    def beat(self) -> None:
        """Say that this process lives, when that is due again. Raises database errors."""
        if local_seconds() < self._beat_at:
            return
        me, now = this_process(), book_now()
        _record, is_new = Worker.objects.update_or_create(
            name=self.name,
            defaults={"host": me.host, "pid": me.pid, "pid_start_ticks": me.start_ticks, "beat": now},
        )
        if is_new:
            # Killed workers could not take their records along; one that is only late makes its own again.
            Worker.objects.filter(beat__lt=now - settings.LEASE_SECONDS).delete()
        self._beat_at = local_seconds() + settings.HEARTBEAT_SECONDS

    def say_goodbye(self) -> None:
        """Remove the record."""
        try:
            Worker.objects.filter(name=self.name).delete()
        except (AnyDatabaseError, OSError) as error:
            logger.warning("The worker's record could not be removed: %s", error)
