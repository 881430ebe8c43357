"""Tickets through Celery: a backend of Django's Tasks API that puts each into the quorum queue that its task names.

It keeps no results: what came of a run stands in the books.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import AMQPError, NotFound
from celery import Celery
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.module_loading import import_string
from kombu import Connection
from kombu.exceptions import KombuError

try:
    from django.tasks import TaskResult, TaskResultStatus
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.signals import task_enqueued
except ImportError:  # Django 5.2: the forerunner of what Django 6 has built in.
    from django_tasks import TaskResult, TaskResultStatus  # type: ignore[assignment,no-redef,unused-ignore]
    from django_tasks.backends.base import BaseTaskBackend  # type: ignore[assignment,no-redef,unused-ignore]
    from django_tasks.signals import task_enqueued

# A person waits for the choice that a ticket belongs to: a broker that doesn't answer is given up soon, and let alone
# for a while. Housekeeping queues the ticket again.
ANSWER_SECONDS = 3.0
LET_ALONE_SECONDS = 5.0


class BrokerAway(ConnectionError):
    """The broker did not answer a moment ago, and is not asked again yet."""


class CeleryBackend(BaseTaskBackend):
    """Its one option `APP` is the dotted path of the Celery app."""

    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._away_until = 0.0

    @property
    def app(self) -> Celery:
        """The Celery app. Found late: it needs the settings, which name this backend."""
        app: Celery = import_string(self.options["APP"])
        return app

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Publish a ticket and wait until the broker has confirmed it. Raises OSError, AMQPError or KombuError when it
        doesn't within some seconds; whether the ticket arrived is then unknown.
        """
        self.validate_task(task)
        ticket_id = get_random_string(32)
        queue = self.app.amqp.queues[task.queue_name]
        with self._connected() as connection:
            self.app.send_task(
                task.module_path, args, kwargs, task_id=ticket_id, queue=queue, connection=connection,
                retry=False, confirm_timeout=ANSWER_SECONDS,
            )  # fmt: skip
        result: Any = TaskResult(
            task=task, id=ticket_id, status=TaskResultStatus.READY, enqueued_at=timezone.now(), started_at=None,
            finished_at=None, last_attempted_at=None, args=args, kwargs=kwargs, backend=self.alias, errors=[],
            worker_ids=[],
        )  # fmt: skip
        task_enqueued.send(type(self), task_result=result)
        return result

    def tickets_wait(self, task: Any) -> bool:
        """Whether tickets wait in the queue of a task, of this task or another. While the broker can't be asked, what
        it holds is not lost.
        """
        try:
            with self._connected() as connection:
                queue = connection.default_channel.queue_declare(task.queue_name, passive=True)
        except NotFound:
            return False
        except (OSError, AMQPError, KombuError):
            return True
        return bool(queue.message_count)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection of its own: one that was kept may have been cut off long ago, which shows only after waiting."""
        if time.monotonic() < self._away_until:
            raise BrokerAway("The broker did not answer a moment ago.")
        limits = {"read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS, "confirm_publish": True}
        try:
            with self.app.connection_for_write(connect_timeout=ANSWER_SECONDS, transport_options=limits) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=ANSWER_SECONDS)
                yield connection
        except NotFound:
            raise
        except (OSError, AMQPError, KombuError):
            self._away_until = time.monotonic() + LET_ALONE_SECONDS
            raise
