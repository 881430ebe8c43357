"""Charges that no row owns: a job is compared with the carrier's list, and what was found is adopted or voided."""

from typing import Any

from recovery.orphan_plans import OrphanDecision
from shipping.models import Comparison, Job, Orphan
from shipping.states import ComparisonStatus
from tests.comparing.listed import buy, compare
from tests.crash import web_jobs
from tests.crash.arming import Boundary, Moment
from tests.crash.clerk import Clerk, Form
from tests.crash.web_books import let_a_lease_pass
from tests.crash.web_job_scenes import ERRAND_SENT, REASON, filled
from tests.crash.web_scenes import Death, Leaves, Scene, around_commit, see_through
from tests.crash.web_stage import Stage

ORDERED = around_commit("shipping.comparing.ordering:record")
# A comparison has no ticket of a run: its task goes into the queue directly.
COMPARISON_QUEUED = Death(
    Boundary("after its ticket is queued", "django_tasks_db.backend:DatabaseBackend.enqueue", Moment.after), Leaves.all
)
# The carrier has confirmed the charge, and nothing is written yet.
CHARGE_CONFIRMED = Death(
    Boundary("when the carrier has confirmed it", "recovery.orphans:_confirmed_purchase", Moment.after), Leaves.nothing
)
SETTLED = [CHARGE_CONFIRMED, *around_commit("recovery.orphans:record")]
# Whoever compares has written down the charges that it found, and not yet that it has ended.
COMPARISON_ENDS = Boundary("before its end is committed", "shipping.comparing.work:_end", Moment.before_commit)

_NO_MORE = {"charges that no row owns": -1, "events resolved": 1}
_VOID_ORDERED = {"labels only": 1, "events void_requested": 1, "orphans voided": 1, **_NO_MORE}
ADOPTED = {"rows pending": -1, "rows completed": 1, "events adopted": 1, "orphans adopted": 1, **_NO_MORE}
# The row still waits, and must not be told of the voided label again.
VOIDED = {"attempts": 1, **_VOID_ORDERED}
VOIDED_IN_REVIEW = {"rows needs_review": -1, "rows completed": 1, "events adopted": 1, **_VOID_ORDERED}


def charged_behind_our_back() -> Job:
    """An interrupted job whose third row waits, and was charged all the same, as after a restore of older books; it has
    been compared with the carrier's list.
    """
    job = web_jobs.interrupted(5)
    buy(job, 3)
    compare(job)
    return Job.objects.get(pk=job.pk)


def charged_in_review() -> Job:
    """A job that has been compared, and of which nothing is left but a row in review for what the carrier has sold."""
    job = web_jobs.with_rows_in_review(bought=True, rows=1)
    compare(job)
    return Job.objects.get(pk=job.pk)


def _compare(clerk: Clerk, job: Job) -> Form | None:
    return clerk.find(f"/recovery/{job.pk}/review/", f"/recovery/{job.pk}/comparison/")


def _decide(decision: OrphanDecision) -> Any:
    """The page of the job's one charge that asks first."""

    def fill(clerk: Clerk, job: Job) -> Form | None:
        path = f"/recovery/{job.pk}/charges/{Orphan.objects.get(job=job).pk}/{decision.value}/"
        return filled(clerk.find(path, path), reason=REASON)

    return fill


def _adopt_what_is_found(stage: Stage, job: Job) -> None:
    """Have the comparison made to its end, which must find the charge, and adopt that."""
    let_a_lease_pass()
    compared = Comparison.objects.filter(job=job, status=ComparisonStatus.done)
    stage.work_until(compared.exists, what="the end of the comparison")
    assert compared.get().counts == {"in_review": 1}
    with stage.site() as site:
        form = _decide(OrphanDecision.adopt)(site.clerk, job)
        assert form is not None, "the charge is not offered"
        site.clerk.press(form)
    stage.see_through(job)


ORPHAN_SCENES = [
    Scene(
        name="compare with the carrier's list",
        address="recovery:comparison",
        prepare=lambda _stage: web_jobs.with_rows_in_review(bought=True, rows=1),
        fill=_compare,
        change={"comparisons ordered": 1, "events comparison_ordered": 1},
        deaths=[*ORDERED, COMPARISON_QUEUED],
        finish=_adopt_what_is_found,
        worker_death=COMPARISON_ENDS,
    ),
    Scene(
        name="adopt a charge that no row owns",
        address="recovery:adopt_orphan",
        prepare=lambda _stage: charged_behind_our_back(),
        fill=_decide(OrphanDecision.adopt),
        change=ADOPTED,
        deaths=SETTLED,
        finish=see_through,
        goes_on=True,
    ),
    Scene(
        name="void a charge that no row owns",
        address="recovery:void_orphan",
        prepare=lambda _stage: charged_behind_our_back(),
        fill=_decide(OrphanDecision.void),
        change=VOIDED,
        deaths=SETTLED,
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="void the charge of a row in review",
        address="recovery:void_orphan",
        prepare=lambda _stage: charged_in_review(),
        fill=_decide(OrphanDecision.void),
        change=VOIDED_IN_REVIEW,
        deaths=SETTLED,
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
]
