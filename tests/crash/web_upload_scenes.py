"""The way of a file of orders: taken in, its columns said, corrected, priced, confirmed, discarded.

A small file is worked on in the request itself; when that dies, a worker goes on with it.
"""

from typing import Any

from shipping.models import Job, Preference, Upload
from shipping.orders import uploads
from tests.crash.arming import Boundary, Moment
from tests.crash.clerk import Clerk, Form
from tests.crash.web_job_scenes import ISSUES_RUN, filled
from tests.crash.web_scenes import QUEUED, Death, Leaves, Scene, around_commit, nothing_left, put
from tests.crash.web_stage import Stage
from tests.orders.conftest import numbered_orders, order_file

ORDERS = 4
_LOCK = "shipping.models.upload:UploadQuerySet.lock"
_STORAGE = "django.core.files.storage.filesystem"
_INSERT = "shipping.orders.importer:_insert"
_IN_CHUNKS = [put("shipping.orders.importer:CHUNK_ROWS", 2)]


def _step(name: str, point: str, moment: Moment, nth: int = 1, leaves: Leaves = Leaves.work) -> Death:
    return Death(Boundary(name, point, moment, nth=nth), leaves)


def _last_step(lock: int) -> list[Death]:
    """The commit of the last step of the work, which takes the upload's lock the n-th time."""
    return [
        _step("before its work is committed", _LOCK, Moment.before_commit, lock),
        _step("after its work is committed", _LOCK, Moment.after_commit, lock, Leaves.all),
    ]


TAKEN_IN = [
    _step("before it is noted", "shipping.models.upload:Upload.save", Moment.before, leaves=Leaves.nothing),
    _step("before its file is stored", "shipping.models.upload:Upload.save", Moment.after, leaves=Leaves.loss),
    _step("while its file is stored", f"{_STORAGE}:locks.lock", Moment.after, leaves=Leaves.loss),
    _step("after its file is stored", f"{_STORAGE}:FileSystemStorage.save", Moment.after),
    _step("after it is queued", _LOCK, Moment.after_commit),
    _step("after its work is begun", _LOCK, Moment.after_commit, 2),
    _step("after its header is read", _LOCK, Moment.after_commit, 3),
]
# The order was taken, and the work that follows it is done in the request, by two or three steps.
ORDERED = [
    *around_commit(_LOCK, after=Leaves.work),
    _step("after its work is begun", _LOCK, Moment.after_commit, 2),
]
_IMPORT = [
    _step("before the first rows are committed", "shipping.orders.importer:_lock_for_import", Moment.before_commit),
    _step("between two chunks of rows", _INSERT, Moment.after),
    _step("before all is declared imported", "shipping.orders.upload_work:finish", Moment.before),
    _step("before it is started", "shipping.orders.upload_work:finish", Moment.after),
]
_STARTED = {
    "jobs running": 1,
    "jobs imported": 1,
    "rows pending": ORDERS,
    "attempts": ORDERS,
    "events created": 1,
    "events started": 1,
    "uploads imported": 1,
    "uploads confirmed": 1,
    "uploads with a job": 1,
    **ISSUES_RUN,
}


def _file(**faults: str) -> bytes:
    orders = numbered_orders(ORDERS)
    orders[1] |= faults
    return order_file(*orders).read()


def _received(content: bytes) -> Upload:
    from io import BytesIO

    return uploads.receive(BytesIO(content), actor=None, file_name="orders.csv", carrier="sandbox", name="Spring")


def _send_file(mode: str) -> Any:
    def fill(clerk: Clerk, _subject: None) -> Form | None:
        form = clerk.find("/uploads/new/", "/uploads/new/")
        if form is not None:
            form.files = {"file": ("orders.csv", _file())}
            form.fill({"mode": mode})
        return form

    return fill


def _ships_at_once(stage: Stage) -> None:
    from django.contrib.auth.models import User

    Preference.objects.create(user=User.objects.get(username=stage.username), ships_at_once=True)


def _act(name: str, **answers: str) -> Any:
    def fill(clerk: Clerk, upload: Upload) -> Form | None:
        return filled(_form(clerk, upload, name), **answers)

    return fill


def _form(clerk: Clerk, upload: Upload, name: str) -> Form | None:
    return clerk.find(f"/uploads/{upload.pk}/", f"/uploads/{upload.pk}/{name}/")


def _corrected(clerk: Clerk, upload: Upload) -> Form | None:
    form = _form(clerk, upload, "correct")
    cells = [name for name, _value in form.fields if name.startswith("cell-")] if form is not None else []
    return filled(form, **dict.fromkeys(cells, "12"))


def _ship(stage: Stage, _upload: Any) -> None:
    stage.see_through(Job.objects.get())


def _checked(status: str, **changed: int) -> dict[str, int]:
    return {f"uploads {status}": -1, "uploads ready": 1, "revisions": 2, **changed}


UPLOAD_SCENES = [
    Scene(
        name="upload a file",
        address="shipping:upload_new",
        prepare=lambda _stage: None,
        fill=_send_file("preview"),
        change={"uploads ready": 1, "revisions": 1},
        repeats=True,
        repeated={"uploads ready": 1, "revisions": 1},
        deaths=[*TAKEN_IN, *_last_step(4)],
        finish=nothing_left,
        worker_death=None,
    ),
    Scene(
        name="upload a file that ships at once",
        address="shipping:upload_new",
        prepare=_ships_at_once,
        fill=_send_file("at_once"),
        change={**_STARTED, "revisions": 1},
        repeats=True,
        # It was imported before, so somebody has to look at it.
        repeated={"uploads ready": 1, "revisions": 1},
        deaths=[_step("after it is checked", _LOCK, Moment.after_commit, 4), *_IMPORT, *_last_step(6), QUEUED],
        finish=_ship,
        alterations=_IN_CHUNKS,
    ),
    Scene(
        name="say what the columns mean",
        address="shipping:upload_columns",
        prepare=lambda _stage: _received(_file(who="Ada")),
        fill=_act("columns"),
        change=_checked("needs_mapping", mappings=1),
        deaths=[*ORDERED, *_last_step(3)],
        finish=nothing_left,
        worker_death=None,
    ),
    Scene(
        name="correct a file",
        address="shipping:upload_correct",
        prepare=lambda _stage: _received(_file(weight="0")),
        fill=_corrected,
        change={**_checked("has_errors"), "uploads corrected": 1},
        deaths=[*ORDERED, *_last_step(3)],
        finish=nothing_left,
        worker_death=None,
    ),
    Scene(
        name="ask for prices",
        address="shipping:upload_prices",
        prepare=lambda _stage: _received(_file()),
        fill=_act("prices"),
        change={"uploads with prices": 1},
        repeats=True,
        deaths=[
            _step("when the carrier has answered", "shipping.orders.estimate:_ask", Moment.after, 1, Leaves.nothing),
            *around_commit(_LOCK),
        ],
        finish=nothing_left,
        worker_death=None,
    ),
    Scene(
        name="confirm a file and ship it",
        address="shipping:upload_confirm",
        prepare=lambda _stage: _received(_file()),
        fill=_act("confirm", start="1"),
        change={**_STARTED, "uploads ready": -1},
        deaths=[
            *ORDERED,
            _step("after its job is made", _LOCK, Moment.after_commit, 3),
            *_IMPORT,
            *_last_step(4),
            QUEUED,
        ],
        finish=_ship,
        alterations=_IN_CHUNKS,
    ),
    Scene(
        name="discard a file",
        address="shipping:upload_discard",
        prepare=lambda _stage: _received(_file()),
        fill=_act("discard"),
        change={"uploads ready": -1, "uploads discarded": 1},
        deaths=around_commit(_LOCK),
        finish=nothing_left,
        worker_death=None,
    ),
]
