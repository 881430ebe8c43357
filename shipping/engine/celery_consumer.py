"""How a Celery worker takes tickets: one at a time, of the queues in their order.

Of each queue the broker hands out one ticket ahead. One that was taken from a second queue would wait behind the work
of the first, while others are idle. So a worker that has a ticket shuts all queues and gives back what came meanwhile;
a free one opens a queue only when none before it holds tickets.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker import state
from celery.worker.consumer import Consumer
from django.core.exceptions import ImproperlyConfigured

from shipping.engine import process

logger = logging.getLogger("onceship.worker")

DOOR_SECONDS = 0.2
DELAYED_DELIVERY = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


class TicketConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """All of it runs in the thread that owns the connection to the broker; a ticket's work is the pool's."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        """Without the 28 queues for tickets that are due later: ours are due at once."""

        default_steps = [step for step in Consumer.Blueprint.default_steps if step != DELAYED_DELIVERY]

    def __init__(self, on_task_request: Callable[[Any], None], **kwargs: Any) -> None:
        from shipping.engine.celery_worker import is_attended

        if not is_attended():
            raise ImproperlyConfigured("Start workers with `manage.py worker`: it keeps house and tells them to end.")
        self._work = on_task_request
        super().__init__(self.take, **kwargs)

    def ensure_connected(self, conn: Any) -> Any:
        """Wait for the broker for as long as it takes. Celery's own waits grow to half a minute."""
        conn.ensure_connection(
            self._say_away, interval_start=1, interval_step=1, interval_max=5, callback=state.maybe_shutdown
        )
        self.first_connection_attempt = False
        return conn

    def _say_away(self, error: Exception, seconds: float) -> None:
        logger.warning("The broker can't be reached: %s. Trying again in %s s.", error, seconds)

    def register_with_event_loop(self, hub: Any) -> None:
        """For as long as this connection lasts, look after the queues now and then."""
        super().register_with_event_loop(hub)
        hub.timer.call_repeatedly(DOOR_SECONDS, self.mind_queues)

    def take(self, request: Any) -> None:
        """Have a ticket worked, or give it back when another is being worked, or this process is told to end."""
        if len(state.reserved_requests) > 1 or process.stopping.is_set():
            state.task_ready(request)
            request.reject(requeue=True)
        else:
            self._work(request)
        self.call_soon(self.mind_queues)

    def mind_queues(self) -> None:
        """Shut all queues while there is work; else open them in their order, up to one that holds tickets."""
        if self.task_consumer is None or process.stopping.is_set():
            return
        try:
            self._mind_queues()
        except self.channel_errors as error:
            # The broker has closed the channel, and no ticket would come any more. Celery connects anew after this.
            raise ConnectionResetError(f"The broker closed the channel: {error}") from error

    def _mind_queues(self) -> None:
        queues = list(self.app.amqp.queues.values())
        if state.reserved_requests:
            for queue in queues:
                self.task_consumer.cancel_by_queue(queue.name)
        elif not all(self.task_consumer.consuming_from(queue) for queue in queues):
            for queue in queues:
                self._open(queue)
                # A ticket of this queue may have come meanwhile, or comes next: then those after it stay shut.
                if state.reserved_requests or self._holds_tickets(queue.name):
                    return

    def _open(self, queue: Any) -> None:
        if not self.task_consumer.consuming_from(queue):
            self.task_consumer.add_queue(queue)
            self.task_consumer.consume()

    def _holds_tickets(self, name: str) -> bool:
        return bool(self.connection.default_channel.queue_declare(name, passive=True).message_count)
