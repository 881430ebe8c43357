"""What the tests of the pace look for is found where the pace is not shared."""

from typing import Any

import pytest

from shipping.models import Job, Pace
from shipping.models.clock import local_seconds
from tests.factories import make_job
from tests.pace.scene import PATIENCE_SECONDS, WINDOW_SECONDS, most_within, start, workers
from tests.support.altered import Alteration
from tests.support.processes import wait_until
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 4


def test_a_limit_that_is_counted_per_process_is_caught(sandbox: SandboxProcess, settings: Any) -> None:
    settings.ROWS_PER_RUN = 20
    broken: Alteration = ("tests.pace.alterations:limit_counted_per_process", {})
    with workers(sandbox, broken, MAX_REQUESTS_PER_SECOND=str(LIMIT)):
        start(make_job(200))
        wait_until(
            lambda: most_within(sandbox.arrivals(), WINDOW_SECONDS) > LIMIT * WINDOW_SECONDS,
            PATIENCE_SECONDS,
            what="more requests than the limit allows",
        )


def test_a_retry_after_that_one_process_keeps_to_itself_is_caught(sandbox: SandboxProcess, settings: Any) -> None:
    settings.ROWS_PER_RUN = 100
    sandbox.faults(
        [
            {"on": "buy", "action": "delay", "when": "after", "seconds": 1.0},
            {"on": "buy", "action": "error", "status": 429, "retry_after": 60, "after": 20, "count": 1},
        ]
    )
    job = make_job(1000)
    broken: Alteration = ("tests.pace.alterations:retry_after_kept_to_oneself", {})
    with workers(sandbox, broken, HALT_AFTER_SECONDS="100"):
        start(job)
        wait_until(lambda: Pace.objects.filter(wait_until__gt=0).exists(), PATIENCE_SECONDS, what="the wait")
        known = local_seconds()
        wait_until(lambda: sandbox.arrivals()[-1] > known + 20, 40, what="a request in spite of the wait")
        assert Job.objects.get(pk=job.pk).error_code == ""
