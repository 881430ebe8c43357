"""The Celery app of a site whose tickets go through RabbitMQ (TASK_ENGINE=celery). `manage.py worker` starts its
workers.
"""

import os
from functools import wraps
from typing import Any

import django
from celery import Celery
from celery.signals import import_modules, setup_logging
from django.apps import apps
from django.conf import settings
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shipping.project.settings")

# Without the fixup for Django: it closes connections to the database around every ticket, and `manage.py` has done all
# else.
app = Celery("onceship", fixups=[])


def _queue(name: str) -> Queue:
    # A quorum queue outlives the loss of a minority of a cluster's nodes, and a restart of all of them.
    return Queue(name, Exchange(""), routing_key=name, queue_arguments={"x-queue-type": "quorum"})


app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_timeout=5,
    # A worker hears within a minute that the broker is gone.
    broker_heartbeat=30,
    # In the order in which workers open them.
    task_queues=[_queue(name) for name in settings.TASK_QUEUES],
    task_default_queue=settings.TASK_QUEUES[-1],
    task_create_missing_queues=False,
    # One ticket at a time, and it is the broker's until its work is done.
    worker_pool="threads",
    worker_concurrency=1,
    worker_prefetch_multiplier=1,
    task_acks_late=True,
    worker_consumer="shipping.engine.celery_consumer:TicketConsumer",
    # The work goes on when the broker is lost: the ticket that comes again then starts nothing.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # What came of it is in the books.
    task_ignore_result=True,
    worker_enable_remote_control=False,
    # For `celery beat`, where somebody wants one: idle workers keep house without it.
    beat_schedule={"keep_house": {"task": "shipping.tasks.keep_house", "schedule": 60.0, "options": {"expires": 60.0}}},
    task_routes={"shipping.tasks.keep_house": {"queue": settings.TASK_QUEUES[0]}},
)


def _leave_logging_alone(**_kwargs: Any) -> None:
    """What is logged, and how, the settings say."""


def _register_tasks(**_kwargs: Any) -> None:
    """Make each of our tasks one of Celery's, by the name that tickets carry."""
    if not apps.ready:
        # It was not `manage.py` that began: `celery beat`.
        django.setup()
    from shipping import tasks
    from shipping.engine.celery_worker import at_the_desk

    for each in (tasks.ship, tasks.work_upload, tasks.compare_with_carrier, tasks.keep_house):
        app.task(wraps(each.func)(at_the_desk(each.call)), name=each.module_path)


setup_logging.connect(_leave_logging_alone)
import_modules.connect(_register_tasks, sender=app)
