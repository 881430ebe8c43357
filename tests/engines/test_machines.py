"""The database as the queue on PostgreSQL, with each worker on a machine of its own: whether a worker of another
machine lives, only its beats tell. One machine is switched off or frozen, or all are.
"""

import signal
from pathlib import Path

import pytest
from django.test import override_settings

from shipping.liveness import live_run_ids, this_process
from shipping.models import Run
from shipping.states import RunEnd
from tests.ground.scene import MORE_PATIENT, Scene, wait_for
from tests.support.databases import postgres_only
from tests.support.machines import ProcessElsewhere, need_machines
from tests.support.sandbox import SandboxProcess

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]


@pytest.fixture(autouse=True)
def _machines() -> None:
    need_machines()


def start_on_three(scene: Scene) -> None:
    """Three machines, each with a worker and a run of the job; this one is the web server's."""
    scene.kind_of_worker = ProcessElsewhere
    for _each in range(3):
        scene.call_worker()
    wait_for(lambda: scene.log.exists() and scene.log.read_text().count("is ready") == 3, what="three workers")
    with override_settings(ROWS_PER_RUN=scene.rows // 3):
        scene.start(buying_takes=0.5)
    wait_for(lambda: len(live_run_ids(scene.job.pk)) == 3, what="three runs")
    hosts = set(Run.objects.filter(job=scene.job).values_list("host", flat=True))
    assert len(hosts | {this_process().host}) == 4
    wait_for(lambda: scene.in_the_air() >= 3, what="purchases in the air")


def test_three_machines_share_a_job(sandbox: SandboxProcess, tmp_path: Path) -> None:
    with Scene(sandbox, tmp_path, rows=90, **MORE_PATIENT) as scene:
        start_on_three(scene)
        scene.see_it_through(resumes=False)
        assert len(scene.ends_of_runs()) == 3


def test_a_machine_is_switched_off_and_another_taken_down_in_order(sandbox: SandboxProcess, tmp_path: Path) -> None:
    with Scene(sandbox, tmp_path, rows=90, **MORE_PATIENT) as scene:
        start_on_three(scene)
        scene.workers.pop(0).kill()
        # Nobody can tell yet that it is gone, so what it had in the air is left to it.
        assert len(live_run_ids(scene.job.pk)) == 3
        leaving = scene.workers.pop(0)
        leaving.signal(signal.SIGTERM)
        assert leaving.wait(60) == 0
        scene.see_it_through(resumes=False)
        ends = scene.ends_of_runs()
        assert ends.count(RunEnd.handed_over) == 1
        assert len(ends) == 4


def test_all_machines_are_switched_off_and_a_person_resumes_on_a_new_one(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path, rows=90, **MORE_PATIENT) as scene:
        start_on_three(scene)
        for worker in scene.workers:
            worker.kill()
        scene.workers.clear()
        assert not scene.is_interrupted()
        wait_for(scene.is_interrupted, what="the ends of all leases")
        scene.assert_books_hold()
        scene.told()
        scene.resume()
        scene.call_worker()
        scene.see_it_through(resumes=False)
        assert scene.ends_of_runs()[:3] == [RunEnd.died] * 3


def test_a_machine_that_was_frozen_for_a_lease_buys_nothing_more_of_what_others_have_taken_over(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path, rows=90, **MORE_PATIENT) as scene:
        start_on_three(scene)
        for worker in scene.workers:
            worker.signal(signal.SIGSTOP)
        wait_for(scene.is_interrupted, what="the ends of all leases")
        scene.resume()
        scene.call_worker()
        wait_for(lambda: live_run_ids(scene.job.pk), what="a run of another machine")
        for worker in scene.workers[:3]:
            worker.signal(signal.SIGCONT)
        scene.see_it_through(resumes=False)
        assert scene.ends_of_runs()[:3] == [RunEnd.died] * 3
