"""Comparisons in the hands of real workers, killed with SIGKILL in the middle."""

import signal

import pytest

from shipping.models import Comparison, Event, Job, Orphan
from shipping.services import JobService
from shipping.states import ComparisonStatus, EventKind, JobStatus
from tests.comparing.listed import buy
from tests.crash.arming import Boundary, Moment
from tests.factories import make_job
from tests.support.altered import program
from tests.support.processes import ChildProcess, worker
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

WORK = "shipping.comparing.work:Turn"
KILLS = [
    Boundary("before the list", "shipping.audit.carrier_list:CarrierList._ask_once", Moment.before),
    Boundary("after the orphans are committed", f"{WORK}._write_down", Moment.after),
    Boundary("before the end is committed", "shipping.comparing.work:_end", Moment.before_commit),
]


@pytest.fixture
def job(sandbox: SandboxProcess) -> Job:
    """Ordered to be compared, with two charges that no row owns."""
    job = make_job(3, status=JobStatus.paused)
    buy(job, 2)
    buy(job, 3)
    JobService().compare(job.pk)
    return job


def let_a_lease_pass() -> None:
    """The dead worker was heard of long ago."""
    Comparison.objects.filter(beat__isnull=False).update(beat=0.0)
    Comparison.objects.update(queued=0.0)


@pytest.mark.parametrize("boundary", KILLS, ids=str)
def test_a_comparison_whose_worker_was_killed_is_taken_up_by_another(
    boundary: Boundary, job: Job, sandbox: SandboxProcess
) -> None:
    with ChildProcess(program([boundary.alteration], "worker"), {"SANDBOX_URL": sandbox.url}) as process:
        assert process.wait(60) == -signal.SIGKILL
    comparison = Comparison.objects.get()
    assert (comparison.status, comparison.turn) == (ComparisonStatus.ordered, 1)
    assert not Event.objects.filter(kind=EventKind.compared).exists()
    let_a_lease_pass()

    with worker(sandbox.url, "--until-idle") as process:
        assert process.wait(60) == 0
    comparison.refresh_from_db()
    assert (comparison.status, comparison.turn, comparison.counts) == (ComparisonStatus.done, 2, {"orphan": 2})
    assert sorted(Orphan.objects.open().values_list("row__number", "found_in")) == [(2, 2), (3, 2)]
    assert Event.objects.filter(kind=EventKind.compared).count() == 1


def test_two_workers_compare_once(job: Job, sandbox: SandboxProcess) -> None:
    with worker(sandbox.url, "--until-idle") as one, worker(sandbox.url, "--until-idle") as other:
        assert one.wait(60) == 0
        assert other.wait(60) == 0
    assert Comparison.objects.get().turn == 1
    assert Orphan.objects.count() == 2
