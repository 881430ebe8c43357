"""The disk of the books is full in the middle of a batch."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from tests.factories import make_clerk
from tests.ground.books import books_in_file
from tests.ground.disks import SmallDisk, need_disks
from tests.ground.scene import Scene, assert_plain, posted, wait_for, words_of
from tests.support.databases import sqlite_only
from tests.support.sandbox import SandboxProcess
from tests.support.web import WebServer
from tests.torture.person import Person, Post

pytestmark = [pytest.mark.django_db(transaction=True), sqlite_only]

DISK_BYTES = 8 * 1024 * 1024


@contextmanager
def no_room(disk: SmallDisk, file: Path) -> Iterator[None]:
    """The disk is full, and the books' log can't begin anew while somebody reads: each commit needs room behind the
    last one.
    """
    with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM shipping_job").fetchall()
        with disk.full():
            yield


def test_a_full_disk_interrupts_the_batch_says_so_and_loses_no_answer(sandbox: SandboxProcess, tmp_path: Path) -> None:
    need_disks()
    file = tmp_path / "disk" / "books.sqlite3"
    with SmallDisk(file.parent, size=DISK_BYTES) as disk, books_in_file(file), Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.5)
        scene.call_worker()
        wait_for(lambda: scene.bought() >= 2 and scene.in_the_air() >= 2, what="some bought, some in the air")
        with no_room(disk, file):
            wait_for(scene.is_interrupted, what="an interrupted job")
            words = scene.told()
            assert "the disk is full" in words
            scene.assert_books_hold()
            scene.assert_workers_live()
            charged = scene.charges()
        wait_for(lambda: scene.bought() >= charged, what="the answers in the books")
        scene.see_it_through()
        assert "Traceback" not in scene.log.read_text()


def test_a_page_says_that_the_disk_is_full_and_the_click_can_be_made_again(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    need_disks()
    make_clerk("clerk")
    file = tmp_path / "disk" / "books.sqlite3"
    with (
        SmallDisk(file.parent, size=DISK_BYTES) as disk,
        books_in_file(file),
        Scene(sandbox, tmp_path) as scene,
        WebServer(tmp_path / "web.log", SANDBOX_URL=sandbox.url) as web,
    ):
        person = Person(web.url, "clerk")
        person.sign_in()
        page = f"{web.url}/jobs/{scene.job.pk}/"
        assert person.session.get(page, timeout=30).status_code == requests.codes.ok
        start = f"/jobs/{scene.job.pk}/start/"
        with no_room(disk, file):
            answer = posted(person, start)
            assert answer.status_code == requests.codes.unavailable
            assert "The disk is full" in words_of(answer.text)
            assert_plain(words_of(answer.text))
            assert person.session.get(page, timeout=30).status_code == requests.codes.ok, "the books can be read"
        assert scene.fresh.status == "pending", "nothing was changed"
        assert person.send(Post(start)) == requests.codes.found
        scene.call_worker()
        scene.see_it_through()
