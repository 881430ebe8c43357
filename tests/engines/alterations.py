"""What is altered in a worker's process (see tests.support.altered)."""


def heartbeat(*, seconds: int) -> None:
    """The worker and its broker say that they live so often."""
    from shipping.project.celery import app

    app.conf.broker_heartbeat = seconds
