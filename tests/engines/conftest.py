"""A RabbitMQ node for all tests here that want one, empty for each."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.connection import Connection

from tests.support.rabbitmq import RabbitMQ, need_rabbitmq


@pytest.fixture(scope="session")
def rabbitmq_node() -> Iterator[RabbitMQ]:
    need_rabbitmq()
    with tempfile.TemporaryDirectory(prefix="onceship-rabbitmq-") as name, RabbitMQ(Path(name)) as node:
        yield node


@pytest.fixture
def broker(rabbitmq_node: RabbitMQ, settings: Any) -> Iterator[RabbitMQ]:
    """A broker without queues, which this process's tickets go to; what the workers need is `celery_on(broker)`."""
    from shipping.project.celery import app

    if not rabbitmq_node.is_running():
        rabbitmq_node.start()
    with Connection(rabbitmq_node.url) as connection:
        for queue in settings.TASK_QUEUES:
            connection.default_channel.queue_delete(queue)
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
