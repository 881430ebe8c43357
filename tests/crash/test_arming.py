"""The arming itself: a process dies exactly where it was told to, and nowhere else."""

import signal

import pytest

from shipping.models import Job, Label, Row, Run
from shipping.services import JobService
from tests.crash.arming import Boundary, Moment
from tests.factories import make_job
from tests.support.altered import program
from tests.support.processes import ChildProcess
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def run_until_it_dies(boundary: Boundary, sandbox: SandboxProcess) -> Job:
    job = make_job(3)
    JobService().start(job.pk)
    with ChildProcess(program([boundary.alteration], "worker"), {"SANDBOX_URL": sandbox.url}) as process:
        assert process.wait(30) == -signal.SIGKILL
    return job


@pytest.mark.parametrize(
    ("moment", "claimed"), [(Moment.before, 0), (Moment.after, 0), (Moment.before_commit, 0), (Moment.after_commit, 3)]
)
def test_it_dies_on_this_side_of_a_commit_or_on_the_other(
    moment: Moment, claimed: int, sandbox: SandboxProcess
) -> None:
    # The first call has nothing to claim yet: its rows are prepared first.
    job = run_until_it_dies(Boundary("claiming", "shipping.engine.books:claim", moment, nth=2), sandbox)
    assert sum(Row.objects.filter(job=job).values_list("claims", flat=True)) <= claimed
    assert Row.objects.filter(job=job, claims__gt=0).exists() == bool(claimed)
    assert sandbox.stats()["charges"] == 0


def test_it_dies_while_a_call_lasts(sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": "buy", "action": "delay", "when": "after", "seconds": 1.5}])
    boundary = Boundary("buying", "shipping.carriers.easypost:EasyPost.buy", Moment.during, seconds=0.7)
    job = run_until_it_dies(boundary, sandbox)
    assert Run.objects.filter(job=job, ended_at=None).count() == 1
    assert not Label.objects.filter(job=job).exists()
    assert sandbox.stats()["charges"] > 0
