"""Labels can't be stored: the disk for them is full, or can only be read. They are bought all the same, once."""

from pathlib import Path

import pytest
import requests
from django.conf import settings

from shipping.models import Label
from tests.factories import make_clerk
from tests.ground.disks import SmallDisk, need_disks
from tests.ground.scene import Scene, assert_plain, wait_for, words_of
from tests.support.sandbox import SandboxProcess
from tests.support.web import WebServer
from tests.torture.person import Person

pytestmark = pytest.mark.django_db(transaction=True)

DISK_BYTES = 1024 * 1024


@pytest.mark.parametrize(
    ("trouble", "said"),
    [("full", "The disk is full"), ("read_only", "The disk can only be read")],
)
def test_labels_that_can_not_be_stored_are_bought_once_and_fetched_when_there_is_room(
    trouble: str, said: str, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    need_disks()
    make_clerk("clerk")
    scene = Scene(sandbox, tmp_path, rows=5)
    store = Path(settings.MEDIA_ROOT) / "labels" / scene.job.code
    with SmallDisk(store, size=DISK_BYTES) as disk, scene:
        with getattr(disk, trouble)():
            scene.start(buying_takes=0.1)
            scene.call_worker()
            wait_for(lambda: scene.fresh.status == "completed", what="a completed job")
            failing = Label.objects.filter(job=scene.job, fetch_failures__gt=0)
            wait_for(lambda: failing.count() == scene.rows, what="a failure of each label's file")
            assert scene.charges() == scene.rows
            assert not Label.objects.filter(job=scene.job).exclude(file="").exists(), "no file is said to be here"
            scene.assert_workers_live()
            label = Label.objects.filter(job=scene.job).order_by("pk")[0]
            with WebServer(tmp_path / "web.log", SANDBOX_URL=sandbox.url) as web:
                person = Person(web.url, "clerk")
                person.sign_in()
                page = person.session.get(f"{web.url}/labels/{label.pk}/", timeout=30)
            assert page.status_code == requests.codes.not_found
            assert said in words_of(page.text)
            assert_plain(words_of(page.text))
        scene.see_it_through()
        kept = {str(path.relative_to(settings.MEDIA_ROOT)) for path in store.rglob("*.pdf")}
        assert kept == set(Label.objects.filter(job=scene.job).values_list("file", flat=True))
        assert all((Path(settings.MEDIA_ROOT) / name).stat().st_size > 500 for name in kept), "whole files, no halves"
        assert "could not be stored" in scene.log.read_text()
        assert "Traceback" not in scene.log.read_text()
