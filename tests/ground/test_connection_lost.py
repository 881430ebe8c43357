"""PostgreSQL ends the connection of a worker in the middle of its transaction."""

import random
import time
from pathlib import Path

import pytest
from django.db import connection

from shipping.states import EventKind, RunEnd
from tests.ground.handles import no_file_handles
from tests.ground.scene import Scene, alteration, wait_for
from tests.support.databases import postgres_only
from tests.support.sandbox import SandboxProcess

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]

# Between the statements of a tick: after rows were claimed, after an answer was settled, after the last one completed
# the job.
PLACES = ["claim", "settle_plainly_bought", "complete_if_done"]


@pytest.mark.parametrize("place", PLACES)
def test_a_tick_that_lost_its_connection_wrote_nothing_and_is_made_again(
    place: str, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.1)
        scene.call_worker(alteration("terminate_own_backend", point=f"shipping.engine.books:{place}"))
        scene.see_it_through(resumes=False)
        assert "could not be had: terminating connection" in scene.log.read_text()
        assert "Traceback" not in scene.log.read_text()
        # It is certain that nothing was written: the run goes on, and no row was ever in doubt.
        assert scene.ends_of_runs() == [RunEnd.no_work]
        assert scene.claims() == [1] * scene.rows
        assert scene.events(EventKind.not_bought) == scene.events(EventKind.in_doubt) == 0


def test_connections_that_end_at_random_moments_lose_nothing(sandbox: SandboxProcess, tmp_path: Path) -> None:
    moments = random.Random(5)
    with Scene(sandbox, tmp_path, rows=30) as scene:
        scene.start(buying_takes=0.3)
        scene.call_worker()
        wait_for(lambda: scene.bought() >= 1, what="something bought")
        ended = 0
        for _each in range(10):
            time.sleep(moments.uniform(0.1, 0.8))
            ended += end_connections_of_others()
            scene.assert_books_hold()
        assert ended >= 3, "hardly a connection was there to be ended"
        scene.see_it_through()
        assert "Traceback" not in scene.log.read_text()


def test_a_worker_that_can_open_no_connection_any_more_waits_until_it_can(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.5)
        worker = scene.call_worker()
        wait_for(lambda: scene.bought() >= 2 and scene.in_the_air() >= 2, what="some bought, some in the air")
        with no_file_handles(worker):
            assert end_connections_of_others() == 1
            wait_for(lambda: scene.log.read_text().count("could not be had") >= 3, what="some tries in vain")
            charged = scene.charges()
            scene.assert_workers_live()
            scene.assert_books_hold()
        wait_for(lambda: scene.bought() >= charged, what="the answers in the books")
        scene.see_it_through()
        assert "Traceback" not in scene.log.read_text()


def end_connections_of_others() -> int:
    """Have the server end every connection to this database but ours; returns how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])
