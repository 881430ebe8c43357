"""No file handles are left: not for the carrier, not for labels, not for the database."""

import time
from pathlib import Path

import pytest
import requests

from tests.factories import make_clerk
from tests.ground.handles import no_file_handles
from tests.ground.scene import Scene, assert_plain, wait_for, words_of
from tests.support.sandbox import SandboxProcess
from tests.support.web import WebServer
from tests.torture.person import Person

pytestmark = pytest.mark.django_db(transaction=True)


def drop_connections(sandbox: SandboxProcess) -> None:
    """The carrier is started again, so that every connection to it has to be made anew."""
    sandbox.kill()
    sandbox.start()


def test_a_worker_without_file_handles_buys_nothing_says_so_and_is_resumed(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path, HALT_AFTER_SECONDS="3") as scene:
        scene.start(buying_takes=0.3)
        worker = scene.call_worker()
        wait_for(lambda: scene.bought() >= 2, what="some bought")
        with no_file_handles(worker):
            drop_connections(sandbox)
            wait_for(scene.is_interrupted, what="a halted job")
            words = scene.told()
            assert "too many files and connections open" in words
            charged = scene.charges()
            time.sleep(1.0)
            assert scene.charges() == charged
            scene.assert_books_hold()
            scene.assert_workers_live()
        scene.see_it_through()
        assert "Traceback" not in scene.log.read_text()


def test_a_worker_without_file_handles_from_the_start_goes_on_when_there_are_some(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path, HALT_AFTER_SECONDS="3") as scene:
        worker = scene.call_worker()
        wait_for(lambda: "is ready" in scene.log.read_text(), what="a worker that is ready")
        with no_file_handles(worker):
            scene.start(buying_takes=0.1)
            time.sleep(3.0)
            scene.assert_workers_live()
            assert scene.charges() == 0
        scene.see_it_through()


def test_a_web_server_without_file_handles_answers_with_a_sentence(sandbox: SandboxProcess, tmp_path: Path) -> None:
    make_clerk("clerk")
    with Scene(sandbox, tmp_path) as scene, WebServer(tmp_path / "web.log", SANDBOX_URL=sandbox.url) as web:
        person = Person(web.url, "clerk")
        person.sign_in()
        page = f"{web.url}/jobs/{scene.job.pk}/"
        browsers = [browser_with_open_connection(web.url) for _each in range(8)]
        with no_file_handles(web):
            # The connections are there; a thread of the server that has not been to the database yet can't go there.
            answers = [browser.get(page, cookies=person.session.cookies, timeout=30) for browser in browsers]
        troubled = [answer for answer in answers if answer.status_code != requests.codes.ok]
        assert troubled, "nothing failed"
        assert {answer.status_code for answer in troubled} == {requests.codes.unavailable}
        for answer in troubled:
            assert_plain(words_of(answer.text))
        assert person.session.get(page, timeout=30).status_code == requests.codes.ok
        scene.start()
        scene.call_worker()
        scene.see_it_through()


def browser_with_open_connection(url: str) -> requests.Session:
    """Somebody who has looked at a page that needs no database, and whose connection is kept open."""
    browser = requests.Session()
    browser.trust_env = False
    assert browser.get(f"{url}/login/", timeout=30).status_code == requests.codes.ok
    return browser
