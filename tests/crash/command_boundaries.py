"""The commands of `manage.py` that change the books, and where each of them dies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recovery.orphan_plans import OrphanDecision
from recovery.orphans import confirm_orphan
from recovery.plan import plan_restart
from shipping.models import Label, Orphan
from shipping.services import JobService
from tests.crash import web_jobs
from tests.crash.arming import Boundary, Moment
from tests.crash.web_job_scenes import ERRAND_SENT, ISSUES_RUN
from tests.crash.web_orphan_scenes import (
    ADOPTED,
    COMPARISON_ENDS,
    ORDERED,
    SETTLED,
    VOIDED,
    charged_behind_our_back,
)
from tests.crash.web_scenes import Death, Leaves, around_commit, put
from tests.crash.web_stage import CLAIM
from tests.factories import make_sender
from tests.orders.conftest import numbered_orders, order_file
from tests.support.altered import Alteration

ORDERS = 5
# Exit codes: Django's own for a command that is refused, and that of `recover` and `orphans`.
REFUSED, NOT_CHOSEN = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that changes the books by `change`, and when it has done all of that and is run again by `repeated`,
    ending with the exit code `again`. `worker_death` is where the worker dies that does what it ordered,
    and `still_to_come` a place that it reaches however much of it was done before. With `after_a_lease`, what it left
    counts as somebody's work until then.
    """

    name: str
    prepare: Callable[[Path], list[str]]
    change: Mapping[str, int]
    deaths: Sequence[Death]
    again: int = 0
    repeated: Mapping[str, int] = field(default_factory=dict)
    worker_death: Boundary | None = None
    still_to_come: Boundary | None = None
    after_a_lease: bool = False
    alterations: Sequence[Alteration] = field(default_factory=list)


def orders(directory: Path) -> list[str]:
    """A file of ORDERS orders, to be imported and started."""
    make_sender()
    path = directory / "orders.csv"
    path.write_bytes(order_file(*numbered_orders(ORDERS)).read())
    return ["import_orders", str(path), "--name=Spring", "--start"]


def _choice(choice: str, **options: bool) -> Callable[[Path], list[str]]:
    def prepare(_directory: Path) -> list[str]:
        job = web_jobs.interrupted(5, doubts=True)
        arguments = ["recover", str(job.pk), choice, *(f"--{name.replace('_', '-')}" for name in options)]
        if choice == "restart":
            arguments += ["--confirm", plan_restart(job, JobService()).confirmation]
        return arguments

    return prepare


def _compare_here(_directory: Path) -> list[str]:
    return ["orphans", str(web_jobs.with_rows_in_review(bought=True, rows=1).pk), "compare", "--here"]


def _orphan(decision: OrphanDecision) -> Callable[[Path], list[str]]:
    def prepare(_directory: Path) -> list[str]:
        job = charged_behind_our_back()
        orphan = Orphan.objects.select_related("job", "row__label").get(job=job)
        confirmation = confirm_orphan(orphan, job, decision)
        return ["orphans", str(job.pk), decision.value, orphan.purchase_id, "--confirm", confirmation]

    return prepare


def _sender(_directory: Path) -> list[str]:
    told = {
        "name": "Onceship Annex",
        "street1": "417 Montgomery Street",
        "city": "San Francisco",
        "state": "CA",
        "zip": "94104",
        "country": "US",
        "phone": "415-555-0199",
    }
    return ["set_sender", *(f"--{name}={value}" for name, value in told.items())]


def _lost_file(_directory: Path) -> list[str]:
    label = Label.objects.get(job=web_jobs.over(1, files=True))
    label.file.storage.delete(str(label.file))
    return ["housekeeping", "--verify-files"]


def _account(_directory: Path) -> list[str]:
    return ["add_user", "ada"]


_STARTED = {
    "jobs running": 1,
    "jobs imported": 1,
    "rows pending": ORDERS,
    "attempts": ORDERS,
    "events created": 1,
    "events started": 1,
    **ISSUES_RUN,
}
_LOCK = "shipping.orders.importer:_lock_for_import"
_TURN = "shipping.comparing.work:Turn"
_COMPARED = {"events comparison_ordered": 1, "events compared": 1}
_CHOSEN = {**ISSUES_RUN, "runs died": 1}
_SERVICE = around_commit("shipping.services:record")
_QUEUED = Death(Boundary("after its ticket is queued", "shipping.runs:enqueue", Moment.after), Leaves.all)


def _step(name: str, point: str, moment: Moment, nth: int = 1) -> Death:
    return Death(Boundary(name, point, moment, nth=nth), Leaves.steps)


COMMANDS = [
    Command(
        name="import_orders",
        prepare=orders,
        change=_STARTED,
        deaths=[
            *around_commit("shipping.orders.importer:record", after=Leaves.steps),
            _step("before its first chunk is committed", _LOCK, Moment.before_commit),
            _step("after its first chunk is committed", _LOCK, Moment.after_commit),
            _step("after its last chunk is committed", _LOCK, Moment.after_commit, 3),
            _step("after its file is stored", "django.core.files.storage:FileSystemStorage.save", Moment.after),
            _step("before all is declared imported", _LOCK, Moment.before_commit, 4),
        ],
        again=REFUSED,
        worker_death=CLAIM,
        still_to_come=Boundary("before all is looked through", "shipping.orders.importer:finish", Moment.before),
        alterations=[put("shipping.orders.importer:CHUNK_ROWS", 2)],
    ),
    Command(
        name="import_orders",
        prepare=orders,
        change=_STARTED,
        deaths=[Death(_SERVICE[1].boundary, Leaves.all), _QUEUED],
        again=REFUSED,
        worker_death=CLAIM,
    ),
    Command(
        name="recover resume",
        prepare=_choice("resume"),
        change={"events resumed": 1, **_CHOSEN},
        deaths=[*_SERVICE, _QUEUED],
        again=NOT_CHOSEN,
        worker_death=CLAIM,
    ),
    Command(
        name="recover restart",
        prepare=_choice("restart"),
        change={"jobs restart": 1, "events restarted": 1, **_CHOSEN},
        deaths=[*_SERVICE, _QUEUED],
        again=NOT_CHOSEN,
        worker_death=CLAIM,
    ),
    Command(
        name="recover restart, voiding first",
        prepare=_choice("restart", void_first=True),
        change={"jobs restart": 1, "events restarted": 1, **_CHOSEN},
        deaths=_SERVICE,
        again=NOT_CHOSEN,
        worker_death=CLAIM,
    ),
    Command(
        name="recover cancel",
        prepare=_choice("cancel"),
        change={"jobs running": -1, "jobs cancelled": 1, "epochs": 1, "events cancelled": 1, "runs died": 1},
        deaths=_SERVICE,
        again=NOT_CHOSEN,
    ),
    Command(
        name="recover check",
        prepare=_choice("check"),
        change={"rows to be asked about": 2, "events check_requested": 1},
        deaths=around_commit("shipping.errands:record"),
        repeated={"events check_requested": 1},
    ),
    Command(
        name="orphans compare",
        prepare=_compare_here,
        change={"comparisons done": 1, "charges that no row owns": 1, **_COMPARED},
        # Compared once more, the charge is found once more, and stays one.
        repeated=_COMPARED,
        deaths=[
            ORDERED[0],
            Death(ORDERED[1].boundary, Leaves.steps),
            _step("after its work is taken", "shipping.comparing.work:Audit.of", Moment.after_commit),
            _step("before the charges are committed", f"{_TURN}._orphan", Moment.before_commit),
            _step("after the charges are committed", f"{_TURN}._orphan", Moment.after_commit),
            Death(COMPARISON_ENDS, Leaves.steps),
            Death(Boundary("after its end is committed", COMPARISON_ENDS.point, Moment.after_commit), Leaves.all),
        ],
        still_to_come=COMPARISON_ENDS,
        after_a_lease=True,
    ),
    Command(
        name="orphans adopt",
        prepare=_orphan(OrphanDecision.adopt),
        change=ADOPTED,
        deaths=SETTLED,
        again=NOT_CHOSEN,
    ),
    Command(
        name="orphans void",
        prepare=_orphan(OrphanDecision.void),
        change=VOIDED,
        deaths=SETTLED,
        again=NOT_CHOSEN,
        worker_death=ERRAND_SENT,
    ),
    Command(
        name="set_sender",
        prepare=_sender,
        change={"senders": 1},
        deaths=around_commit("shipping.models.sender:Sender.save"),
    ),
    Command(
        name="add_user",
        prepare=_account,
        change={"users": 1},
        deaths=around_commit("shipping.project.accounts:clerks_group"),
        again=REFUSED,
    ),
    Command(
        name="housekeeping",
        prepare=_lost_file,
        change={"events label_file_missing": 1},
        deaths=around_commit("shipping.labels:record", after=Leaves.steps),
        still_to_come=Boundary("before its first round", "shipping.engine.housekeeping:Housekeeper.run", Moment.before),
    ),
]

# The worker and the carrier have tests of their own; the other reads only.
KILLED_ELSEWHERE = {"worker", "sandbox", "audit_books"}
