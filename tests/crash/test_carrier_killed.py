"""The carrier dies by SIGKILL in the middle of each kind of request, once and twice, and is back on the same file."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from shipping.models import Job, Label
from shipping.sandbox.faults import Endpoint
from shipping.services import JobService
from tests.crash import web_jobs
from tests.crash.arming import Boundary, Moment
from tests.crash.web_books import breaches_when_over, let_back_offs_pass
from tests.crash.web_scenes import put
from tests.crash.web_stage import DEATH_SECONDS, Stage
from tests.factories import row_of
from tests.support.altered import Alteration
from tests.support.ledger import compare_at_any_time
from tests.support.sandbox import SandboxProcess

RATES_EXPIRE_SECONDS = 3.0
# More than are bought at once, so that some are left after the first death.
ROWS = 14
ANSWERING = "shipping.sandbox.server:SandboxHandler._drip"
# About 2,000 bytes of an answer, so it takes a second, and is cut off in the middle.
DRIP = {"action": "drip", "bytes_per_second": 2_000, "count": 1}
# Meanwhile the others wait for theirs: answered at once, they could be the last of their kind.
HOLD = {"action": "delay", "seconds": 2.0}


@dataclass(frozen=True, slots=True)
class Request:
    """A kind of request: how the carrier carries it out, and a job for which it is sent. `after` lets the first ones
    pass. A command that sends it may stand for the worker. `again` alters a carrier that is to get it once more.
    """

    name: str
    point: str
    prepare: Callable[[], Job]
    after: int = 0
    alterations: Sequence[Alteration] = ()
    again: Sequence[Alteration] = ()
    command: str = ""

    def deaths(self) -> list[Boundary]:
        """Where the carrier dies."""
        nth = self.after + 1
        return [
            Boundary("before it is carried out", self.point, Moment.before, nth),
            Boundary("after it is carried out", self.point, Moment.after, nth),
            Boundary("in the middle of its answer", ANSWERING, Moment.during, seconds=0.3),
        ]


def _in_vain() -> Job:
    """A row goes out again whose rates have expired meanwhile."""
    job = web_jobs.interrupted(3, bought=1)
    web_jobs.send_in_vain(row_of(job, 2))
    time.sleep(RATES_EXPIRE_SECONDS + 0.1)
    JobService().resume(job.pk)
    return job


def _in_doubt() -> Job:
    job = web_jobs.interrupted(4, doubts=True)
    JobService().resume(job.pk)
    return job


def _to_be_voided() -> Job:
    return JobService().void_labels(web_jobs.over(3).pk)


def _begun() -> Job:
    return web_jobs.started(ROWS)


def _expiring_after(seconds: float) -> list[Alteration]:
    return [put("shipping.sandbox.options:RATES_EXPIRE_AFTER_SECONDS", seconds)]


LEDGER = "shipping.sandbox.ledger:Ledger"
REQUESTS = [
    Request("create", f"{LEDGER}.create", _begun, after=1),
    Request("buy", f"{LEDGER}.buy", _begun, after=1),
    Request(
        "rerate",
        f"{LEDGER}.rerate",
        _in_vain,
        alterations=_expiring_after(RATES_EXPIRE_SECONDS),
        # What was rerated before the first death is good for a purchase no more either, however soon that comes.
        again=_expiring_after(0.0),
    ),
    Request("lookup", f"{LEDGER}.find", _in_doubt),
    Request("refund", f"{LEDGER}.refund", _to_be_voided, after=1),
    Request("label", f"{LEDGER}.charged", _begun, after=1),
    Request("list", f"{LEDGER}.page", lambda: web_jobs.over(3), command="audit_books"),
]
CASES = [
    pytest.param(request, boundary, again, id=f"{request.name}, {boundary}{', and once more' if again else ''}")
    for request in REQUESTS
    for boundary in request.deaths()
    for again in (False, True)
]


def test_the_carrier_dies_in_every_kind_of_request() -> None:
    # The list is one more kind: to the faults it is a look-up, too.
    assert {each.name for each in REQUESTS} == {endpoint.value for endpoint in Endpoint} | {"list"}


@pytest.fixture
def carrier(sandbox: SandboxProcess) -> Iterator[SandboxProcess]:
    """The sandbox, which runs and will die no more when the test is over."""
    yield sandbox
    sandbox.alterations = ()
    sandbox.restart()


@pytest.mark.parametrize(("request_", "boundary", "again"), CASES)
def test_a_carrier_that_died_in_a_request_has_every_charge_in_the_books_in_the_end(
    request_: Request, boundary: Boundary, again: bool, carrier: SandboxProcess, stage: Stage
) -> None:
    carrier.alterations = request_.alterations
    carrier.restart()
    job = request_.prepare()
    carrier.stop()
    _arm(carrier, request_, boundary, request_.alterations, after=request_.after)
    with stage.command(None, request_.command) if request_.command else stage.worker() as sender:
        carrier.wait_for_death(DEATH_SECONDS)
        if again:
            _arm(carrier, request_, replace(boundary, nth=1), request_.again)
            carrier.wait_for_death(DEATH_SECONDS)
        carrier.alterations = request_.alterations
        carrier.start()
        carrier.faults([])
        assert not compare_at_any_time(job, carrier.ledger()).breaches
        if request_.command:
            assert sender.wait(DEATH_SECONDS) == 0, stage.nursery.last_words()
    stage.see_through(job)
    assert not breaches_when_over(job, carrier.ledger())
    let_back_offs_pass()
    stage.work_until(lambda: not Label.objects.file_missing().filter(job=job).exists(), what="the labels' files")


def _arm(
    carrier: SandboxProcess, request: Request, boundary: Boundary, alterations: Sequence[Alteration], *, after: int = 0
) -> None:
    """Start a carrier that dies there, at the request after so many of its kind. To die in the middle of its answer, it
    has to give it slowly.
    """
    carrier.alterations = [*alterations, boundary.alteration]
    carrier.start()
    if boundary.point == ANSWERING:
        endpoint = "lookup" if request.name == "list" else request.name
        carrier.faults([{**DRIP, "on": endpoint, "after": after}, {**HOLD, "on": endpoint, "after": after + 1}])
