"""The backend of the Tasks API that puts tickets into RabbitMQ: it waits for a broker, but not for long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from amqp.exceptions import PreconditionFailed
from django.utils.module_loading import import_string
from kombu import Connection
from kombu.exceptions import KombuError

from shipping.celery_backend import ANSWER_SECONDS, LET_ALONE_SECONDS, BrokerAway, CeleryBackend
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.wire import process_wire
from shipping.liveness import Condition, condition
from shipping.models import Job, Run
from shipping.runs import enqueue, ship_task
from shipping.services import JobService
from shipping.states import EventKind
from shipping.tickets import ticket_waits, tickets_wait
from tests.factories import make_job
from tests.support.processes import wait_until
from tests.support.rabbitmq import RabbitMQ

pytestmark = pytest.mark.django_db(transaction=True)

FILES, RUNS = "onceship.files", "onceship.runs"
# Several runs of one choice are queued one after the other; only the first waits for the broker.
BOUND_SECONDS = 4 * ANSWER_SECONDS


def started_job() -> Job:
    """A job of four runs that a person has just started."""
    job = make_job(8)
    JobService().start(job.pk)
    return job


@pytest.fixture
def four_runs(settings: Any) -> None:
    settings.ROWS_PER_RUN = 2


def test_each_kind_of_ticket_goes_into_its_quorum_queue(broker: RabbitMQ) -> None:
    for name in ("work_upload", "compare_with_carrier", "keep_house"):
        task = import_string(f"shipping.tasks.{name}")
        task.enqueue(*([] if name == "keep_house" else [1]))
    enqueue(1)
    assert (broker.depth(FILES), broker.depth(RUNS)) == (3, 1)
    with Connection(broker.url) as connection, pytest.raises(PreconditionFailed, match="quorum"):
        connection.default_channel.queue_declare(
            RUNS, durable=True, auto_delete=False, arguments={"x-queue-type": "classic"}
        )


def test_it_tells_whether_tickets_wait(broker: RabbitMQ) -> None:
    upload = import_string("shipping.tasks.work_upload")
    assert not tickets_wait(ship_task().using(queue_name="nowhere")), "there is not even a queue"
    assert not tickets_wait(ship_task())
    enqueue(1)
    assert tickets_wait(ship_task())
    assert not ticket_waits(upload, 5)
    upload.enqueue(5)
    assert ticket_waits(upload, 5)
    broker.purge(RUNS)
    assert not tickets_wait(ship_task())


def test_a_choice_stands_when_the_broker_is_dead_and_its_runs_are_queued_when_it_is_back(
    broker: RabbitMQ, four_runs: None
) -> None:
    broker.kill()
    before = time.monotonic()
    job = started_job()
    assert time.monotonic() - before < BOUND_SECONDS
    assert condition(Job.objects.get(pk=job.pk)) is Condition.waiting_for_worker
    assert job.runs.count() == 4
    Run.objects.update(queued=0)
    Housekeeper(process_wire()).round()
    assert not job.events.filter(kind=EventKind.run_requeued).exists(), "what the broker holds is not lost"
    broker.start()
    wait_until(lambda: _queued_again(job) == 4, LET_ALONE_SECONDS + 30, what="four runs queued again")
    assert broker.depth(RUNS) == 4


def _queued_again(job: Job) -> int:
    Housekeeper(process_wire()).round()
    return job.events.filter(kind=EventKind.run_requeued).count()


def test_a_choice_does_not_hang_when_the_broker_is_frozen(broker: RabbitMQ, four_runs: None) -> None:
    broker.freeze()
    try:
        before = time.monotonic()
        job = started_job()
        assert time.monotonic() - before < BOUND_SECONDS
        assert job.runs.count() == 4
        assert tickets_wait(ship_task()), "nobody can tell, so nothing counts as lost"
    finally:
        broker.thaw()


def test_a_broker_that_freezes_in_the_middle_is_not_waited_for_either(
    broker: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(1)
    connected = CeleryBackend._connected

    @contextmanager
    def connected_and_frozen(self: CeleryBackend) -> Iterator[Connection]:
        with connected(self) as connection:
            broker.freeze()
            yield connection

    monkeypatch.setattr(CeleryBackend, "_connected", connected_and_frozen)
    before = time.monotonic()
    try:
        with pytest.raises(KombuError):
            enqueue(2)
        assert time.monotonic() - before < BOUND_SECONDS
        with pytest.raises(BrokerAway):
            enqueue(3)
    finally:
        broker.thaw()
