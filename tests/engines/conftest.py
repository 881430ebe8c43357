"""A RabbitMQ node for all tests here that want one, empty for each."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.connection import Connection

from shipping.project.celery import app
from tests.support.rabbitmq import RabbitMQ, need_rabbitmq


@pytest.fixture(scope="session")
def rabbitmq_node() -> Iterator[RabbitMQ]:
    need_rabbitmq()
    with tempfile.TemporaryDirectory(prefix="onceship-rabbitmq-") as name, RabbitMQ(Path(name)) as node:
        with Connection(node.url) as connection:
            for queue in app.amqp.queues.values():
                queue(connection.default_channel).declare()
        # A node that is killed in the first second of a quorum queue's life forgets it half, and the queue is of no use
        # any more. So the queues stay, and are old when a test kills the node.
        time.sleep(5)
        yield node


@pytest.fixture
def broker(rabbitmq_node: RabbitMQ, settings: Any) -> Iterator[RabbitMQ]:
    """A broker with empty queues, which this process's tickets go to; what the workers need is `celery_on(broker)`."""
    if not rabbitmq_node.is_running():
        rabbitmq_node.start()
    for queue in settings.TASK_QUEUES:
        rabbitmq_node.purge(queue)
    before = app.conf.broker_url
    app.conf.broker_url = rabbitmq_node.url
    settings.TASK_ENGINE = "celery"
    settings.TASKS = {
        "default": {
            "BACKEND": "shipping.celery_backend.CeleryBackend",
            "OPTIONS": {"APP": "shipping.project.celery.app"},
            "QUEUES": [],
        }
    }
    yield rabbitmq_node
    app.conf.broker_url = before


def celery_on(broker: RabbitMQ) -> dict[str, str]:
    """The environment of workers whose tickets come from this broker."""
    return {"TASK_ENGINE": "celery", "CELERY_BROKER_URL": broker.url}
