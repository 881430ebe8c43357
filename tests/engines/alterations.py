"""What is altered in a worker's process (see tests.support.altered)."""


def heartbeat(*, seconds: int) -> None:
    """The worker and its broker say that they live so often."""
    from shipping.project.celery import app

    app.conf.broker_heartbeat = seconds


def ask_for_a_queue_that_is_not_there() -> None:
    """The worker's first question about a queue is about one that was never made, and the broker closes the channel."""
    from shipping.engine.celery_consumer import TicketConsumer

    ask = TicketConsumer._holds_tickets
    asked: list[str] = []

    def altered(self: TicketConsumer, name: str) -> bool:
        asked.append(name)
        return ask(self, "nowhere" if len(asked) == 1 else name)

    TicketConsumer._holds_tickets = altered  # type: ignore[method-assign]
