"""429 with Retry-After: nothing is sent before that time is over. Told from the carrier's own times, one request at a
time, so the time between two of them is at least as long as was asked for, on however slow a machine.
"""

from datetime import datetime

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from shipping.models import Job, Run
from shipping.models.clock import book_now
from shipping.services import JobService
from tests.factories import make_job
from tests.lies.scene import ASKS, ONCE, SENDS, Guaranteed, at_work, play
from tests.support.ledger import compare_when_over
from tests.support.processes import wait_until
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

# Several times as long as the engine waits of itself after a first failure.
RETRY_AFTER = 3


def begin(guaranteed: Guaranteed) -> Job:
    job = make_job(3, carrier=guaranteed.carrier)
    JobService().start(job.pk)
    return job


def some_heartbeats(job: Job) -> None:
    until = book_now() + 4 * settings.HEARTBEAT_SECONDS
    wait_until(lambda: Run.objects.filter(job=job, beat__gt=until).exists(), 60, what="some heartbeats")


def moments(sandbox: SandboxProcess) -> tuple[list[float], list[float]]:
    """When shipments were created and when they were charged, each in order, in seconds since 1970."""
    created = sandbox.ask("GET", "/v2/shipments?purchased=false&page_size=100")["shipments"]
    charged = sandbox.ledger()
    return (
        sorted(datetime.fromisoformat(each["created_at"]).timestamp() for each in created),
        [datetime.fromisoformat(each["charged_at"]).timestamp() for each in charged],
    )


@pytest.mark.parametrize("guaranteed", [ONCE, ASKS, SENDS], ids=str)
def test_nothing_is_sent_before_the_time_that_a_purchase_was_answered_with_is_over(
    guaranteed: Guaranteed, liar: SandboxProcess, clerk: User
) -> None:
    slow_down = {"on": "buy", "action": "error", "status": 429, "retry_after": RETRY_AFTER, "after": 1, "count": 1}
    liar.faults([slow_down])
    job = begin(guaranteed)
    with at_work(liar, SHIP_CONCURRENCY="1"):
        play(job, clerk)
    assert liar.faults()[0]["hits"] == 1
    created, charged = moments(liar)
    assert len(charged) == 3
    # The answer came after the first charge, so whoever kept it was silent for at least so long since.
    assert charged[1] - charged[0] >= RETRY_AFTER
    # Until then the carrier had been asked for no shipment but that of the purchase which it did not take.
    assert len([each for each in created if charged[0] < each < charged[0] + RETRY_AFTER]) == 1
    assert compare_when_over(job, liar.ledger()).breaches == {}


def test_nothing_is_asked_before_the_time_that_a_look_up_was_answered_with_is_over(
    liar: SandboxProcess, clerk: User
) -> None:
    lost = {"on": "buy", "action": "drop", "when": "after", "count": 1}
    slow_down = {"on": "lookup", "action": "error", "status": 429, "retry_after": 3600}
    liar.faults([lost, slow_down])
    job = begin(ONCE)
    with at_work(liar, HALT_AFTER_SECONDS="7200"):
        wait_until(lambda: liar.faults()[1]["hits"], what="the first question")
        some_heartbeats(job)
        asked = len(liar.arrivals())
        # Of itself, the engine would have asked twice more in these seconds.
        some_heartbeats(job)
        assert len(liar.arrivals()) == asked
        assert liar.faults()[1]["seen"] == 1
        # A person who has it checked wants the carrier to be asked now.
        liar.faults([])
        JobService().check_again(job.pk, actor=clerk)
        play(job, clerk)
    assert compare_when_over(job, liar.ledger()).breaches == {}
