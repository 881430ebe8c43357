"""Decisions about rows: one by one, many at once, and new orders for rows that the carrier refused."""

from typing import Any

from shipping.models import Job, Row
from shipping.states import RowStatus
from tests.crash import web_jobs
from tests.crash.arming import Boundary, Moment
from tests.crash.clerk import Clerk, Form
from tests.crash.web_job_scenes import ERRAND_SENT, ERRANDS, ISSUES_RUN, REASON, filled
from tests.crash.web_scenes import QUEUED, Death, Leaves, Scene, around_commit, put, see_through

DECIDED = around_commit("recovery.review:record")
# The carrier has confirmed the label, and nothing is written yet.
CONFIRMED = Death(
    Boundary("when the carrier has confirmed it", "recovery.review:confirmed_purchase", Moment.after), Leaves.nothing
)
_CHUNK = "recovery.review_many:move_rows"
_IN_CHUNKS = [put("recovery.review_many:CHUNK_ROWS", 1)]
_CHUNKS = [
    *around_commit(_CHUNK, after=Leaves.steps),
    Death(Boundary("before its last commit", _CHUNK, Moment.before_commit, nth=2), Leaves.steps),
    Death(Boundary("after its last commit", _CHUNK, Moment.after_commit, nth=2), Leaves.all),
]
_COMPLETED = {"jobs running": -1, "jobs completed": 1, "events completed": 1}
_BOUGHT = {"rows needs_review": -1, "rows completed": 1, "events adopted": 1, "events resolved": 1}


def _decision(decision: str) -> Any:
    """A button of the row in review, on the row's own page."""

    def fill(clerk: Clerk, job: Job) -> Form | None:
        path = f"/jobs/{job.pk}/rows/2/"
        form = clerk.find(path, f"/recovery/{job.pk}/rows/2/", button=("decision", decision))
        return filled(form, reason=REASON)

    return fill


def _all_failed(decision: str, scope: str) -> Any:
    """What is offered about several failed rows at once: those that are ticked, or all of the list."""

    def fill(clerk: Clerk, job: Job) -> Form | None:
        path = f"/recovery/{job.pk}/review/"
        forms = clerk.look_at(f"{path}?status=failed")
        many = [each for each in forms if each.action == f"{path}many/" and each.identity == "many"]
        if not many or ("decision", decision) not in many[0].buttons:
            return None
        answers = {"scope": scope, "decision": decision, "reason": REASON}
        many[0].fill(answers, tick="row" if scope == "ticked" else "")
        return many[0]

    return fill


def _ask(clerk: Clerk, job: Job) -> Form | None:
    path = f"/recovery/{job.pk}/review/"
    return clerk.find(path, f"{path}ask/")


def _to_boulder(clerk: Clerk, job: Job) -> Form | None:
    path = f"/recovery/{job.pk}/rows/1/order/"
    row = Row.objects.get(job=job, number=1)
    form = filled(clerk.find(path, path), to_city="Boulder", to_zip="80301", reason=REASON)
    # The page shows the new order, and goes on offering to change it; nobody would send the same once more.
    return form if row.status == RowStatus.failed else None


ROW_SCENES = [
    Scene(
        name="ask about the rows in doubt",
        address="recovery:ask",
        prepare=lambda _stage: web_jobs.interrupted(doubts=True),
        fill=_ask,
        change={"rows to be asked about": 2, "events check_requested": 1},
        repeats=True,
        repeated={"events check_requested": 1},
        deaths=ERRANDS,
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="say that it was not bought",
        address="recovery:resolve",
        prepare=lambda _stage: web_jobs.with_rows_in_review(bought=False, rows=1),
        fill=_decision("send_again"),
        change={"rows needs_review": -1, "rows pending": 1, "events resolved": 1, **ISSUES_RUN},
        deaths=[*DECIDED, QUEUED],
        finish=see_through,
    ),
    Scene(
        name="leave it out",
        address="recovery:resolve",
        prepare=lambda _stage: web_jobs.with_rows_in_review(bought=False, rows=1),
        fill=_decision("skip"),
        change={"rows needs_review": -1, "rows skipped": 1, "events skipped": 1, **_COMPLETED},
        deaths=DECIDED,
        finish=see_through,
        worker_death=None,
    ),
    Scene(
        name="record it as bought",
        address="recovery:resolve",
        prepare=lambda _stage: web_jobs.with_rows_in_review(bought=True, rows=1),
        fill=_decision("record_bought"),
        change={**_BOUGHT, **_COMPLETED},
        deaths=[CONFIRMED, *DECIDED],
        finish=see_through,
        worker_death=None,
    ),
    Scene(
        name="record it as bought and void it",
        address="recovery:resolve",
        prepare=lambda _stage: web_jobs.with_rows_in_review(bought=True, rows=1),
        fill=_decision("void_bought"),
        change={**_BOUGHT, "labels only": 1, "events void_requested": 1},
        deaths=[CONFIRMED, *DECIDED],
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="try the ticked rows again",
        address="recovery:decide_many",
        prepare=lambda _stage: web_jobs.with_failed_rows(3),
        fill=_all_failed("send_again", "ticked"),
        change={"rows failed": -2, "rows pending": 2, "events resolved": 2},
        deaths=_CHUNKS,
        finish=see_through,
        goes_on=True,
        alterations=_IN_CHUNKS,
    ),
    Scene(
        name="leave all rows of a list out",
        address="recovery:decide_many",
        prepare=lambda _stage: web_jobs.with_failed_rows(3),
        fill=_all_failed("skip", "all"),
        change={"rows failed": -2, "rows skipped": 2, "events skipped": 2},
        deaths=_CHUNKS,
        finish=see_through,
        goes_on=True,
        alterations=_IN_CHUNKS,
    ),
    Scene(
        name="correct the order of a failed row",
        address="recovery:correct",
        prepare=lambda _stage: web_jobs.with_failed_rows(3, failed=1),
        fill=_to_boulder,
        change={"rows failed": -1, "rows pending": 1, "attempts": 1, "orders in Boulder": 1, "events corrected": 1},
        deaths=DECIDED,
        finish=see_through,
        goes_on=True,
    ),
]
