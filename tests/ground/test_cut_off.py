"""A worker is cut off from PostgreSQL in the middle of a batch, for longer than its lease, and is let back in."""

import time
from pathlib import Path

import pytest
from django.test import override_settings

from shipping.liveness import Condition, condition, live_run_ids
from shipping.models import Job, Run
from shipping.services import JobService
from shipping.states import JobStatus, RunEnd
from tests.factories import make_job
from tests.ground.gate import Gate
from tests.ground.scene import Scene, wait_for
from tests.support.databases import postgres_only
from tests.support.sandbox import SandboxProcess

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]

HOW = ["close", "fall_silent"]


def cut_off(scene: Scene, gate: Gate, how: str) -> int:
    """Cut the worker off while it buys, until its lease is over. It has stopped buying by then: each purchase was in
    the books before. Returns how many labels were charged.
    """
    wait_for(lambda: scene.bought() >= 4 and scene.in_the_air() >= 2, what="some bought, some in the air")
    getattr(gate, how)()
    wait_for(lambda: not live_run_ids(scene.job.pk), what="a lease that is over")
    claims, charged = scene.claims(), scene.charges()
    assert sum(claims) < scene.rows, "nothing was left to be bought"
    time.sleep(3)
    assert scene.claims() == claims
    assert scene.charges() == charged <= sum(claims)
    assert condition(scene.fresh) is Condition.interrupted
    scene.assert_books_hold()
    scene.assert_workers_live()
    return charged


@pytest.mark.parametrize("how", HOW)
def test_a_worker_that_is_let_back_in_goes_on_by_itself(how: str, sandbox: SandboxProcess, tmp_path: Path) -> None:
    with Gate() as gate, Scene(sandbox, tmp_path, rows=60, REQUEST_TIMEOUT_SECONDS="4") as scene:
        scene.start(buying_takes=1.0)
        scene.call_worker(DATABASE_URL=gate.url)
        charged = cut_off(scene, gate, how)
        gate.open()
        wait_for(lambda: scene.bought() >= charged, what="in the books what was answered meanwhile")
        scene.see_it_through(resumes=False)
        # Handed over when the cut came just between a commit and its answer.
        assert set(scene.ends_of_runs()) <= {RunEnd.no_work, RunEnd.handed_over}
        assert "Traceback" not in scene.log.read_text()


@pytest.mark.parametrize("how", HOW)
def test_a_worker_whose_job_a_person_has_resumed_meanwhile_buys_nothing_more_of_it_and_takes_other_work(
    how: str, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Gate() as gate, Scene(sandbox, tmp_path, rows=60, REQUEST_TIMEOUT_SECONDS="4") as scene:
        scene.start(buying_takes=1.0)
        scene.call_worker(DATABASE_URL=gate.url)
        cut_off(scene, gate, how)
        scene.resume()
        heir = scene.call_worker()
        wait_for(lambda: Run.objects.filter(job=scene.job, started_at__isnull=False).count() == 2, what="an heir")
        gate.open()
        scene.slow_down(0)
        wait_for(lambda: condition(scene.fresh) is Condition.completed, what="a completed job")
        heir.kill()
        scene.workers.remove(heir)
        other = make_job(3)
        JobService().start(other.pk)
        wait_for(
            lambda: Job.objects.get(pk=other.pk).status == JobStatus.completed,
            what="other work, done by who was cut off",
        )
        sandbox_charges = [each for each in sandbox.ledger() if each["reference"].startswith(f"{scene.job.code}-")]
        assert len(sandbox_charges) == scene.rows
        assert scene.ends_of_runs()[0] == RunEnd.died


def test_the_siblings_of_a_worker_that_was_cut_off_ship_its_rows(sandbox: SandboxProcess, tmp_path: Path) -> None:
    with Gate() as gate, Scene(sandbox, tmp_path, rows=90, REQUEST_TIMEOUT_SECONDS="4") as scene:
        for each in range(3):
            scene.call_worker(**({} if each else {"DATABASE_URL": gate.url}))
        wait_for(lambda: scene.log.exists() and scene.log.read_text().count("is ready") == 3, what="three workers")
        with override_settings(ROWS_PER_RUN=30):
            scene.start(buying_takes=1.0)
        wait_for(lambda: len(live_run_ids(scene.job.pk)) == 3, what="three runs")
        wait_for(lambda: scene.bought() >= 6, what="some bought")
        gate.fall_silent()
        wait_for(lambda: condition(scene.fresh) is Condition.completed, what="a job that two of three completed")
        gate.open()
        scene.see_it_through(resumes=False)
        assert len(set(Run.objects.filter(job=scene.job).values_list("pid", flat=True))) == 3
