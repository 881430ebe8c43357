"""The boundaries of the work on a file of orders that is left to a worker: checking it, and making a job of it."""

from datetime import timedelta
from unittest.mock import patch

from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from shipping.models import Upload
from shipping.orders import uploads
from shipping.orders.upload_work import work
from shipping.states import UploadStatus
from tests.crash.boundaries import COMPLETED, Flow, Place, after, around_commit, before
from tests.crash.boundaries_run import told_to_end
from tests.crash.scenes import Ends, Scene, batch
from tests.crash.site import Site, let_a_lease_pass
from tests.factories import make_sender
from tests.orders.conftest import numbered_orders, order_file
from tests.orders.uploaded import receive
from tests.support.altered import Alteration

_ROWS = 8
_WORK = "shipping.orders.upload_work"
_IMPORT = "shipping.orders.importer"
_TURN = f"{_WORK}.Turn"

_SMALL_CHUNKS: Alteration = (
    "tests.crash.alterations:set_number",
    {"point": f"{_IMPORT}:CHUNK_ROWS", "number": 3},
)


def received(site: Site) -> None:
    """A file that was handed in just now and is left to a worker."""
    # Every file counts as large: small ones are worked by the web process.
    site.enter(patch.object(uploads, "AT_ONCE_BYTES", 0))
    make_sender()
    site.upload = receive(order_file(*numbered_orders(_ROWS)), site.clerk)


def confirmed(site: Site) -> None:
    """A file that was checked, and of which a person wants a job that starts."""
    received(site)
    assert site.upload is not None
    assert work(site.upload.pk) == UploadStatus.ready
    site.upload.refresh_from_db()
    uploads.confirm(site.upload.pk, actor=site.clerk, start=True, revision=site.upload.revision)


def forgotten(site: Site) -> None:
    """A file whose ticket was lost between commit and queue, more than a lease ago."""
    received(site)
    DBTaskResult.objects.all().delete()
    let_a_lease_pass()


def beside_an_old_one(site: Site) -> None:
    """A job to be shipped, and a file that nobody wanted for weeks."""
    batch(2)(site)
    with patch.object(uploads, "AT_ONCE_BYTES", 0):
        upload = receive(order_file(*numbered_orders(_ROWS)), site.clerk)
    work(upload.pk)
    DBTaskResult.objects.filter(task_path="shipping.tasks.work_upload").delete()
    Upload.objects.filter(pk=upload.pk).update(changed_at=timezone.now() - timedelta(days=30))


def _chunk(what: str, nth: int) -> tuple[Place, Place]:
    return around_commit(what, f"{_IMPORT}:_lock_for_import", None, within=f"{_IMPORT}._insert", nth=nth)


_ENDS = Ends(bought=_ROWS, charges=_ROWS)
_CHECK = Scene(arrange=received, ends=_ENDS)
_IMPORTED = Scene(arrange=confirmed, ends=_ENDS, small=(_SMALL_CHUNKS,))

UPLOAD_FLOWS: tuple[Flow, ...] = (
    Flow(
        "check a file",
        _CHECK,
        (
            *around_commit("the work is taken", f"{_WORK}:book_now", None, within=f"{_TURN}.take"),
            *around_commit("the header is read", f"{_WORK}:move", None, within=f"{_TURN}._read"),
            before("before the rows are read", f"{_WORK}:check_file", None),
            after("checked, in memory alone", f"{_WORK}:check_file", None),
            *around_commit("it is checked", f"{_WORK}:move", None, within=f"{_TURN}._check", nth=2),
        ),
    ),
    Flow(
        "import a file",
        _IMPORTED,
        (
            *around_commit("the job is made", f"{_WORK}:make_job", None, within=f"{_TURN}._make_job"),
            *_chunk("the first chunk", 1),
            *_chunk("the last chunk", 3),
            *around_commit(
                "it is declared whole", f"{_IMPORT}:_lock_for_import", None, within=f"{_IMPORT}.finish", nth=4
            ),
            *around_commit("it starts", f"{_WORK}:end_import", None, within=f"{_TURN}._import"),
        ),
    ),
    Flow(
        "stop an import gracefully",
        _IMPORTED.but(alterations=(told_to_end(f"{_WORK}:fill"),)),
        around_commit("it is handed back", f"{_WORK}:queue_after_commit", None, within=f"{_TURN}.hand_back"),
    ),
    Flow(
        "a file's lost ticket",
        _CHECK.but(arrange=forgotten),
        around_commit(
            "it is queued again",
            "shipping.orders.upload_upkeep:queue_after_commit",
            None,
            within="shipping.orders.upload_upkeep._queue_again",
        ),
    ),
    Flow(
        "a file that nobody wanted",
        Scene(arrange=beside_an_old_one, ends=Ends(bought=2, charges=2)),
        around_commit(
            "it is thrown away",
            "shipping.orders.upload_upkeep:forget_file",
            COMPLETED,
            within="shipping.orders.upload_upkeep._remove_old",
        ),
    ),
)
