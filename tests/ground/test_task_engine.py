"""A task engine that loses tickets, brings them again and again, and brings them a day late."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F
from django.test import override_settings
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from shipping.liveness import Condition, condition
from shipping.models import Row, Run, Worker
from shipping.runs import enqueue
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RunEnd
from tests.ground.scene import Scene, wait_for
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

DAY_SECONDS = 86_400.0


def lose_tickets() -> int:
    """Empty the queue as an operator's purge does; returns how many tickets were lost."""
    lost, _by_model = DBTaskResult.objects.all().delete()
    return lost


def tickets_brought() -> int:
    """How many tickets workers have taken and worked."""
    return DBTaskResult.objects.finished().count()


def let_a_day_pass() -> None:
    """Every time of the runs, and of the rows' debts, lies a day further back."""
    Run.objects.update(issued=F("issued") - DAY_SECONDS, queued=F("queued") - DAY_SECONDS)
    Run.objects.update(beat=F("beat") - DAY_SECONDS, issued_at=F("issued_at") - timedelta(days=1))
    Row.objects.update(due=F("due") - DAY_SECONDS)


def test_lost_tickets_are_queued_again_by_housekeeping(sandbox: SandboxProcess, tmp_path: Path) -> None:
    with Scene(sandbox, tmp_path, ROWS_PER_RUN="6") as scene:
        scene.start(buying_takes=0.1)
        assert lose_tickets() >= 1
        assert condition(scene.fresh) is Condition.waiting_for_worker
        scene.call_worker()
        scene.see_it_through(resumes=False)
        assert scene.events(EventKind.run_requeued) >= 1
        assert scene.ends_of_runs() == [RunEnd.no_work]


def test_a_lost_ticket_of_a_hand_over_is_queued_again(sandbox: SandboxProcess, tmp_path: Path) -> None:
    with Scene(sandbox, tmp_path, RUN_SECONDS="3", HALT_AFTER_SECONDS="2") as scene:
        scene.start(buying_takes=1.0)
        first = scene.call_worker()
        wait_for(lambda: scene.bought() >= 1, what="something bought")
        scene.dismiss_workers()
        assert scene.ends_of_runs()[-1] == ""
        scene.workers.remove(first)
        lose_tickets()
        scene.call_worker()
        scene.see_it_through(resumes=False)
        assert scene.events(EventKind.run_requeued) >= 1


def test_a_ticket_brought_three_times_to_two_workers_at_once_starts_one_run(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        for _each in range(2):
            scene.call_worker()
        wait_for(lambda: Worker.objects.count() == 2, what="two workers")
        scene.start(buying_takes=0.3)
        run = scene.job.runs.get()
        for _each in range(2):
            enqueue(run.pk)
        wait_for(lambda: tickets_brought() >= 2, what="the tickets that start nothing")
        scene.see_it_through(resumes=False)
        wait_for(lambda: tickets_brought() == 3, what="all tickets worked")
        assert sorted(brought_by(run.pk)) == ["no_work", "not started", "not started"]
        assert scene.ends_of_runs() == [RunEnd.no_work]
        assert scene.claims() == [1] * scene.rows


def test_a_ticket_that_is_a_day_late_starts_the_run_that_waited_for_it_and_is_not_missed(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.1)
        # The engine keeps the ticket back until tomorrow.
        DBTaskResult.objects.update(run_after=timezone.now() + timedelta(days=1))
        scene.call_worker()
        scene.see_it_through(resumes=False)
        assert scene.events(EventKind.run_requeued) >= 1, "nobody waited for it"


def cancelled(scene: Scene) -> None:
    JobService().cancel(scene.job.pk)


def paused(scene: Scene) -> None:
    JobService().pause(scene.job.pk)


def completed(scene: Scene) -> None:
    scene.call_worker()
    wait_for(lambda: scene.fresh.status == JobStatus.completed, what="a completed job")


def its_sibling_killed(scene: Scene) -> None:
    worker = scene.call_worker()
    wait_for(lambda: scene.bought() >= 1, what="something bought")
    worker.kill()
    scene.workers.remove(worker)
    assert scene.is_interrupted()


MEANWHILE = [cancelled, paused, completed, its_sibling_killed]


@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=lambda each: each.__name__)
def test_a_ticket_that_is_brought_a_day_late_starts_nothing_that_may_not_start(
    meanwhile: Callable[[Scene], None], sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        with override_settings(ROWS_PER_RUN=6):
            scene.start(buying_takes=0.2)
        late = scene.job.runs.order_by("-pk")[0]
        assert DBTaskResult.objects.filter(args_kwargs__args=[late.pk]).delete()[0] == 1
        meanwhile(scene)
        let_a_day_pass()
        claims = scene.claims()
        enqueue(late.pk)
        scene.call_worker()
        wait_for(lambda: brought_by(late.pk) == ["not started"], what="the late ticket")
        wait_for(lambda: not Row.objects.filter(job=scene.job).owed().exists(), what="nothing in doubt")
        assert scene.claims() == claims
        assert scene.charges() == scene.bought()
        assert scene.job.runs.get(pk=late.pk).started_at is None
        scene.assert_books_hold()
        if scene.is_interrupted():
            assert "process ended before the work was done" in scene.told()
            scene.see_it_through()
        else:
            scene.dismiss_workers()


def test_a_ticket_of_an_earlier_choice_starts_nothing_and_the_lost_one_of_the_last_is_queued_again(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.2)
        early = scene.job.runs.get()
        JobService().pause(scene.job.pk)
        JobService().start(scene.job.pk)
        lose_tickets()
        let_a_day_pass()
        enqueue(early.pk)
        scene.call_worker()
        wait_for(lambda: brought_by(early.pk) == ["not started"], what="the late ticket")
        scene.see_it_through(resumes=False)
        assert scene.events(EventKind.run_requeued) == 1
        assert scene.ends_of_runs() == [RunEnd.never_started, RunEnd.no_work]


def brought_by(run_id: int) -> list[str]:
    """What the tickets of a run came to."""
    finished = DBTaskResult.objects.finished().filter(args_kwargs__args=[run_id])
    return [str(value) for value in finished.values_list("return_value", flat=True)]
