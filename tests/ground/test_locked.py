"""The database is locked for longer than anybody waits for it, and for longer than a lease."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
from django.db import connection

from shipping.models import Row
from shipping.states import RunEnd
from tests.factories import make_clerk
from tests.ground.scene import PATIENCE_SECONDS, Scene, assert_plain, posted, wait_for, words_of
from tests.support.sandbox import SandboxProcess
from tests.support.web import WebServer
from tests.torture.person import Person, Post

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def locked_by_another(job_id: int) -> Iterator[None]:
    """SQLite's write lock, or on PostgreSQL the job's row, is held by another connection."""
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    other_connection = connection.copy()
    try:
        with other_connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM shipping_job WHERE id = %s FOR UPDATE", [job_id])
            yield
            cursor.execute("ROLLBACK")
    finally:
        other_connection.close()


@contextmanager
def locked_amid_purchases(scene: Scene) -> Iterator[None]:
    """The database is locked while some rows are bought and some in the air: what was claimed before is all that can
    be sent.
    """
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        with locked_by_another(scene.job.pk):
            if scene.bought() >= 2 and scene.in_the_air() >= 2:
                yield
                return
        time.sleep(0.02)
    pytest.fail("never were some rows bought and some in the air")


def test_a_lock_held_past_the_busy_timeout_loses_no_answer_and_the_run_goes_on(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path, LEASE_SECONDS="30") as scene:
        scene.start(buying_takes=0.5)
        scene.call_worker()
        with locked_amid_purchases(scene):
            # Longer than the worker waits for a lock, so each try of its ticks fails.
            time.sleep(3.5)
            scene.assert_books_hold()
            charged = scene.charges()
            assert scene.bought() < charged <= scene.bought() + scene.in_the_air(), "answers wait, nothing new is sent"
            assert not scene.is_interrupted()
        scene.see_it_through(resumes=False)
        assert scene.ends_of_runs() == [RunEnd.no_work]
        assert scene.claims() == [1] * scene.rows
        assert "could not be had" in scene.log.read_text()
        assert "Traceback" not in scene.log.read_text()


def test_a_lock_held_past_the_lease_interrupts_the_job_and_loses_no_answer(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.5)
        scene.call_worker()
        with locked_amid_purchases(scene):
            wait_for(scene.is_interrupted, what="an interrupted job")
            words = scene.told()
            charged = scene.charges()
            scene.assert_books_hold()
            assert scene.bought() < charged, "what the carrier answered is not in the books yet"
        assert "can't write to the database" in words
        wait_for(lambda: scene.bought() >= charged, what="the answers in the books")
        scene.see_it_through()
        assert scene.claims() == [1] * scene.rows


def test_a_person_who_clicks_while_it_is_locked_is_asked_to_come_back(sandbox: SandboxProcess, tmp_path: Path) -> None:
    make_clerk("clerk")
    impatient = {"DATABASE_BUSY_SECONDS": "1", "LEASE_SECONDS": "9", "SANDBOX_URL": sandbox.url}
    with Scene(sandbox, tmp_path) as scene, WebServer(tmp_path / "web.log", **impatient) as web:
        person = Person(web.url, "clerk")
        person.sign_in()
        page, start = f"{web.url}/jobs/{scene.job.pk}/", f"/jobs/{scene.job.pk}/start/"
        assert person.session.get(page, timeout=30).status_code == requests.codes.ok
        with locked_by_another(scene.job.pk):
            answer = posted(person, start)
            assert answer.status_code == requests.codes.unavailable
            assert "The database is busy" in words_of(answer.text)
            assert_plain(words_of(answer.text))
            assert person.session.get(page, timeout=30).status_code == requests.codes.ok, "looking needs no lock"
        assert scene.fresh.status == "pending", "nothing was changed"
        assert person.send(Post(start)) == requests.codes.found
        scene.call_worker()
        scene.see_it_through(resumes=False)


def test_a_run_that_can_not_write_its_end_for_a_lease_is_found_dead_and_resumed(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    # Nothing is in the air, nothing has come back: the run waits for the carrier, until its time is over.
    sandbox.faults([{"on": "create", "action": "error", "status": 503, "retry_after": 5}])
    with Scene(sandbox, tmp_path, RUN_SECONDS="15", HALT_AFTER_SECONDS="14") as scene:
        scene.start(buying_takes=None)
        scene.call_worker()
        reserved = Row.objects.filter(job=scene.job, run__isnull=False)
        wait_for(lambda: sandbox.faults()[0]["hits"] and not reserved.exists(), what="a carrier that is unavailable")
        with locked_by_another(scene.job.pk):
            wait_for(lambda: "is left to be found dead" in scene.log.read_text(), what="a run that is given up")
            assert scene.is_interrupted()
            assert "can't write to the database" in scene.told()
        assert scene.is_interrupted()
        scene.see_it_through()
        assert scene.ends_of_runs()[0] == RunEnd.died
        assert scene.resumed >= 1
