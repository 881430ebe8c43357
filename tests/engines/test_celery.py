"""Celery on RabbitMQ: real workers, a real broker that is killed, purged, and delivers twice."""

import signal
import time
from pathlib import Path

import pytest
from celery.beat import Scheduler
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import override_settings
from django.utils.module_loading import import_string

from shipping.engine.housekeeping import Housekeeper
from shipping.engine.wire import process_wire
from shipping.liveness import Condition, condition, live_run_ids
from shipping.models import Job, Row, Run, Worker
from shipping.project.celery import app
from shipping.runs import enqueue
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RunEnd
from tests.engines.conftest import celery_on
from tests.factories import make_job
from tests.ground.scene import MORE_PATIENT, PATIENCE_SECONDS, SETTINGS, Scene, wait_for
from tests.support.processes import ChildProcess
from tests.support.rabbitmq import RabbitMQ
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

FILES, RUNS = "onceship.files", "onceship.runs"


class CeleryScene(Scene):
    """A scene whose workers get their tickets from a broker; so many share the job."""

    def __init__(self, broker: RabbitMQ, sandbox: SandboxProcess, directory: Path, *, rows: int = 60, **extra: str):
        waits = {**MORE_PATIENT, "ROWS_PER_RUN": "20", **celery_on(broker), **extra}
        super().__init__(sandbox, directory, rows=rows, **waits)

    def start_with(self, workers: int, *, buying_takes: float = 0.2) -> None:
        """Call the workers, start the job for as many, and wait until each has a run of it."""
        for _each in range(workers):
            self.call_worker()
        wait_for(lambda: self.log.exists() and self.log.read_text().count("is ready") == workers, what="ready workers")
        with override_settings(ROWS_PER_RUN=self.rows // workers):
            self.start(buying_takes=buying_takes)
        wait_for(lambda: self.started() >= workers, what="a run for each worker")

    def started(self) -> int:
        """How many runs of the job have started."""
        return self.job.runs.filter(started_at__isnull=False).count()


def test_three_workers_share_a_job(broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path) -> None:
    with CeleryScene(broker, sandbox, tmp_path) as scene:
        scene.start_with(3)
        assert Run.objects.filter(job=scene.job).values("pid").distinct().count() == 3
        scene.see_it_through(resumes=False)
        assert len(scene.ends_of_runs()) == 3
        assert broker.depth(RUNS) == 0
        assert "Traceback" not in scene.log.read_text()


def test_a_broker_that_is_killed_stops_no_run(broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path) -> None:
    with CeleryScene(broker, sandbox, tmp_path) as scene:
        scene.start_with(3, buying_takes=1.0)
        broker.kill()
        scene.slow_down(0.2)
        wait_for(lambda: condition(scene.fresh) is Condition.completed, what="a job that needs no broker any more")
        broker.start()
        wait_for(lambda: broker.depth(RUNS) == 0, what="the tickets that came again, and started nothing")
        scene.see_it_through(resumes=False)
        assert len(scene.ends_of_runs()) == 3


def test_successors_that_could_not_be_queued_are_queued_when_the_broker_is_back(
    broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    waits = {"RUN_SECONDS": "10", "HALT_AFTER_SECONDS": "9"}
    with CeleryScene(broker, sandbox, tmp_path, rows=360, **waits) as scene:
        scene.start_with(3, buying_takes=0.5)
        broker.kill()
        wait_for(lambda: not live_run_ids(scene.job.pk), what="hand-overs without a broker")
        assert condition(scene.fresh) is Condition.waiting_for_worker
        assert scene.ends_of_runs().count(RunEnd.handed_over) >= 3
        assert scene.bought() < scene.rows
        broker.start()
        scene.see_it_through(resumes=False)
        assert scene.events(EventKind.run_requeued) >= 1


def test_a_purged_queue_is_noticed_and_its_runs_queued_again(
    broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with CeleryScene(broker, sandbox, tmp_path) as scene:
        with override_settings(ROWS_PER_RUN=20):
            scene.start(buying_takes=0.1)
        assert broker.purge(FILES) + broker.purge(RUNS) == 3
        assert condition(scene.fresh) is Condition.waiting_for_worker
        for _each in range(3):
            scene.call_worker()
        scene.see_it_through(resumes=False)
        assert scene.events(EventKind.run_requeued) == 3


def test_a_queue_that_is_deleted_is_made_anew(broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path) -> None:
    # The first worker is busy for longer than a busy machine takes to start another.
    with CeleryScene(broker, sandbox, tmp_path, rows=120, RUN_TURN_SECONDS="600") as scene:
        scene.start_with(1, buying_takes=2.0)
        idle = scene.call_worker()
        assert idle.process is not None
        idle_pid = idle.process.pid
        wait_for(lambda: scene.log.read_text().count("is ready") == 2, what="an idle worker")
        for queue in (FILES, RUNS):
            broker.delete(queue)
        other = make_job(3)
        JobService().start(other.pk)
        wait_for(lambda: Run.objects.filter(job=other, pid=idle_pid).exists(), what="a ticket that the idle one took")
        scene.see_it_through(resumes=False)


def test_a_worker_whose_channel_was_closed_connects_anew(
    broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with CeleryScene(broker, sandbox, tmp_path, rows=6) as scene:
        scene.call_worker(("tests.engines.alterations:ask_for_a_queue_that_is_not_there", {}))
        scene.start(buying_takes=0)
        wait_for(lambda: "closed the channel" in scene.log.read_text(), what="a channel that was closed")
        other = make_job(3)
        JobService().start(other.pk)
        wait_for(lambda: Job.objects.get(pk=other.pk).status == JobStatus.completed, what="other work")
        scene.see_it_through(resumes=False)


def test_a_ticket_that_is_delivered_three_times_starts_one_run(
    broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with CeleryScene(broker, sandbox, tmp_path) as scene:
        scene.start_with(1)
        scene.call_worker()
        for _each in range(2):
            enqueue(scene.job.runs.get().pk)
        wait_for(lambda: broker.depth(RUNS) == 0, what="tickets that an idle worker took")
        scene.see_it_through(resumes=False)
        assert scene.ends_of_runs() == [RunEnd.no_work]


def test_a_killed_workers_ticket_comes_again_and_starts_nothing_while_its_siblings_go_on(
    broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with CeleryScene(broker, sandbox, tmp_path) as scene:
        scene.start_with(3)
        wait_for(lambda: scene.in_the_air() >= 3, what="purchases in the air")
        scene.workers.pop(0).kill()
        scene.slow_down(0)
        wait_for(lambda: condition(scene.fresh) is Condition.completed, what="siblings that did the dead one's rows")
        wait_for(lambda: broker.depth(RUNS) == 0, what="the ticket that came again, and was taken")
        scene.see_it_through(resumes=False)
        assert scene.started() == 3
        assert broker.depth(RUNS) == 0


def test_no_redelivery_brings_an_interrupted_job_back_to_life_and_a_person_does(
    broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with CeleryScene(broker, sandbox, tmp_path) as scene:
        scene.start_with(1)
        wait_for(lambda: scene.bought() >= 4 and scene.in_the_air() >= 2, what="some bought, some in the air")
        scene.workers.pop(0).kill()
        assert scene.is_interrupted()
        claims = scene.claims()
        scene.call_worker()
        enqueue(scene.job.runs.get().pk)
        wait_for(lambda: not Row.objects.filter(job=scene.job).owed().exists(), what="nothing in doubt")
        wait_for(lambda: broker.depth(RUNS) == 0, what="the tickets taken")
        assert scene.is_interrupted()
        assert (scene.started(), scene.claims()) == (1, claims)
        scene.resume()
        scene.see_it_through(resumes=False)


def test_a_worker_that_is_told_to_end_hands_over(broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path) -> None:
    with CeleryScene(broker, sandbox, tmp_path) as scene:
        scene.start_with(1)
        wait_for(lambda: scene.in_the_air() >= 2, what="purchases in the air")
        leaving = scene.workers.pop(0)
        leaving.signal(signal.SIGTERM)
        assert leaving.wait(60) == 0
        assert not Row.objects.filter(job=scene.job).owed().exists()
        assert not scene.is_interrupted()
        assert not Worker.objects.exists()
        scene.call_worker()
        scene.see_it_through(resumes=False)
        assert scene.ends_of_runs() == [RunEnd.handed_over, RunEnd.no_work]


def test_tickets_of_runs_that_wait_behind_busy_workers_do_not_pile_up(
    broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    # Its one worker gives no way to others, however long a busy machine takes over this.
    with CeleryScene(broker, sandbox, tmp_path, rows=80, RUN_TURN_SECONDS="600") as scene:
        scene.start_with(1, buying_takes=2.0)
        for _each in range(3):
            JobService().start(make_job(1).pk)
        assert (broker.depth(FILES), broker.depth(RUNS)) == (3, 0)
        Run.objects.issued().update(queued=F("queued") - 100.0)
        for _each in range(5):
            Housekeeper(process_wire()).round()
        assert (broker.depth(FILES), broker.depth(RUNS)) == (3, 0)
        scene.slow_down(0)
        wait_for(lambda: not Job.objects.exclude(status=JobStatus.completed).exists(), what="all shipped")
        scene.see_it_through(resumes=False)


def test_files_go_before_runs_and_a_worker_that_is_busy_keeps_no_ticket_to_itself(
    broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with CeleryScene(broker, sandbox, tmp_path) as scene:
        scene.start_with(1, buying_takes=1.0)
        for _each in range(3):
            import_string("shipping.tasks.ship").enqueue(0)
            import_string("shipping.tasks.compare_with_carrier").enqueue(0)
        wait_for(lambda: (broker.depth(FILES), broker.depth(RUNS)) == (3, 3), what="all tickets waiting")
        time.sleep(2)
        assert (broker.depth(FILES), broker.depth(RUNS)) == (3, 3)
        scene.slow_down(0)
        wait_for(lambda: broker.depth(RUNS) < 3, what="a run's ticket that was taken")
        assert broker.depth(FILES) == 0
        scene.see_it_through(resumes=False)
        assert "Traceback" not in scene.log.read_text()


def test_heartbeats_go_on_while_a_run_is_worked(broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path) -> None:
    with CeleryScene(broker, sandbox, tmp_path, rows=40) as scene:
        scene.call_worker(("tests.engines.alterations:heartbeat", {"seconds": 2}))
        scene.start(buying_takes=1.0)
        wait_for(lambda: scene.bought() >= 36, what="a run that lasted for many heartbeats")
        assert scene.started() == 1
        scene.see_it_through(resumes=False)
        assert "missed heartbeats" not in broker.log()
        assert "Connection to broker lost" not in scene.log.read_text()


def test_what_a_beat_queues_comes_where_workers_look_and_is_worked(
    broker: RabbitMQ, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    beat = Scheduler(app)
    beat.setup_schedule()
    beat.apply_entry(beat.schedule["keep_house"])
    wait_for(lambda: broker.depth(FILES) == 1, what="the beat's ticket")
    with CeleryScene(broker, sandbox, tmp_path) as scene:
        scene.call_worker()
        wait_for(lambda: broker.depth(FILES) == 0, what="a ticket that was taken")
        scene.dismiss_workers()
        assert broker.depth(FILES) == 0, "its work did not end"
        assert "Traceback" not in scene.log.read_text()


def test_celerys_own_command_starts_no_worker(broker: RabbitMQ, tmp_path: Path) -> None:
    log = tmp_path / "celery.log"
    command = ["-m", "celery", "--app", "shipping.project.celery", "worker"]
    with ChildProcess(command, {**SETTINGS, **celery_on(broker)}, log=log) as process:
        assert process.wait(PATIENCE_SECONDS) != 0
    assert "Start workers with `manage.py worker`" in log.read_text()


def test_until_idle_is_refused(broker: RabbitMQ) -> None:
    with pytest.raises(CommandError, match="TASK_ENGINE=database"):
        call_command("worker", "--until-idle")
