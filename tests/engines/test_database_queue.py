"""The database as the queue, on SQLite and, where these tests run on it, on PostgreSQL: three workers on one job, of
which one is killed and one is told to end.
"""

import signal
from pathlib import Path

import pytest
from django.test import override_settings

from shipping.liveness import live_run_ids
from shipping.models import Run
from shipping.states import RunEnd
from tests.ground.scene import MORE_PATIENT, Scene, wait_for
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def start_with_three(scene: Scene) -> None:
    """Three workers, each with a run of the job."""
    for _each in range(3):
        scene.call_worker()
    wait_for(lambda: scene.log.exists() and scene.log.read_text().count("is ready") == 3, what="three workers")
    with override_settings(ROWS_PER_RUN=scene.rows // 3):
        scene.start(buying_takes=0.5)
    wait_for(lambda: len(live_run_ids(scene.job.pk)) == 3, what="three runs")
    assert Run.objects.filter(job=scene.job).values("pid").distinct().count() == 3


def test_three_workers_share_a_job(sandbox: SandboxProcess, tmp_path: Path) -> None:
    with Scene(sandbox, tmp_path, rows=90, **MORE_PATIENT) as scene:
        start_with_three(scene)
        scene.see_it_through(resumes=False)
        assert len(scene.ends_of_runs()) == 3


def test_one_of_three_is_killed_and_one_is_told_to_end(sandbox: SandboxProcess, tmp_path: Path) -> None:
    with Scene(sandbox, tmp_path, rows=90, **MORE_PATIENT) as scene:
        start_with_three(scene)
        wait_for(lambda: scene.in_the_air() >= 3, what="purchases in the air")
        scene.workers.pop(0).kill()
        leaving = scene.workers.pop(0)
        leaving.signal(signal.SIGTERM)
        assert leaving.wait(60) == 0
        scene.see_it_through(resumes=False)
        ends = scene.ends_of_runs()
        assert ends.count(RunEnd.handed_over) == 1
        assert len(ends) == 4
