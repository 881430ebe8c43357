"""What is there before a worker comes that is to die: rows, what was bought of them, and what a person chose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from django.db import transaction
from django.db.models import F
from django_tasks_db.models import DBTaskResult

from recovery import RecoveryChoice, handle_recovery_choice
from shipping.carriers.port import Prepared, Purchase, VoidAnswer
from shipping.carriers.registry import get_carrier
from shipping.engine.letters import VoidLetter
from shipping.models import Job, Label, Row, Run
from shipping.models.clock import book_now
from shipping.runs import issue_run
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus, VoidRequest
from tests.crash.site import WAITS, Fault, Site
from tests.engine.letters import answer, claim_letter
from tests.factories import carrier_order, claim_row, fail_row, make_dead_run, make_job, row_of
from tests.support.altered import Alteration
from tests.support.processes import wait_until

LONG_AGO = -3600.0
# Far enough ahead that no worker is late for it, however busy the machine is.
SOON = 120.0


@dataclass(frozen=True, slots=True)
class Ends:
    """How a job stands once it has been recovered and nothing moves any more. `charges`: all that the carrier ever
    made for it; `voided`: those of them that were taken back.
    """

    bought: int
    charges: int
    status: JobStatus = JobStatus.completed
    voided: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What happens up to the kill. `arrange` sets up the books; `provoke` is what a person does once the worker lives.

    `faults` hold until the kill, `lasting` ones to the end. `settings` and `alterations` are those of the worker that
    is to die; `small` constants hold in the workers that recover, too. `passing`: seconds between kill and recovery.
    """

    arrange: Callable[[Site], None]
    ends: Ends
    provoke: Callable[[Site], None] | None = None
    faults: tuple[Fault, ...] = ()
    lasting: tuple[Fault, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    alterations: tuple[Alteration, ...] = ()
    small: tuple[Alteration, ...] = ()
    arguments: tuple[str, ...] = ()
    passing: float = 0.0

    def but(self, **changes: object) -> "Scene":
        """The same scene, with some of it changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


# --- Jobs that a worker ships -------------------------------------------------------------------------------


def batch(rows: int, *, streets: Mapping[int, str] | None = None, stop_on_error: bool = True) -> Callable[[Site], None]:
    """A job that was started just now; `streets` are those of rows that the carrier has something against."""

    def arrange(site: Site) -> None:
        site.job = job = make_job(rows, stop_on_error=stop_on_error, created_by=site.clerk)
        for number, street in (streets or {}).items():
            row = row_of(job, number)
            Row.objects.filter(pk=row.pk).update(order={**row.order, "to_street1": street})
        JobService().start(job.pk, actor=site.clerk)

    return arrange


def lose_ticket(site: Site) -> None:
    """A job of three rows whose ticket was lost between commit and queue, more than a lease ago."""
    batch(3)(site)
    DBTaskResult.objects.all().delete()
    Run.objects.filter(job=site.job).update(queued=book_now() - 2 * float(WAITS["LEASE_SECONDS"]))


def cancel_in_the_air(site: Site) -> None:
    """Cancel the job once a purchase of it has been sent."""
    wait_until(lambda: site.job.rows.filter(status=RowStatus.in_flight).exists(), 60, what="a purchase in the air")
    JobService().cancel(site.job.pk, actor=site.clerk)


def let_time_pass(job: Job, seconds: float) -> None:
    """What was due in the future comes so much nearer, as if a clock could be turned."""
    job.rows.owed().update(due=F("due") - seconds, ask_after=F("ask_after") - seconds)


# --- Jobs of which something was bought before ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Doubt:
    """A row whose worker died when its purchase was sent. `due_in`: when its answer was or is due, in seconds."""

    charged: bool
    due_in: float = LONG_AGO


def interrupted(
    rows: int,
    *,
    bought: int = 0,
    doubts: tuple[Doubt, ...] = (),
    failed: int = 0,
    status: JobStatus = JobStatus.running,
) -> Callable[[Site], None]:
    """A job whose worker died: first the rows bought, then those in doubt, then failed ones, then pending ones. With
    another `status`, a person has done that to it since.
    """

    def arrange(site: Site) -> None:
        site.job = job = make_job(rows, status=JobStatus.running, stop_on_error=not failed, created_by=site.clerk)
        run = make_dead_run(job)
        numbers = iter(range(1, rows + 1))
        for _each in range(bought):
            buy(job, next(numbers), run)
        for doubt in doubts:
            leave_in_doubt(job, next(numbers), run, doubt)
        for _each in range(failed):
            fail_row(row_of(job, next(numbers)))
        if status == JobStatus.paused:
            JobService().pause(job.pk, actor=site.clerk)
        elif status == JobStatus.cancelled:
            JobService().cancel(job.pk, actor=site.clerk)

    return arrange


def adopted_early(site: Site) -> None:
    """An interrupted job whose row 2 was bought under a claim that still owes its own answer, long after it was due."""
    interrupted(3, bought=1)(site)
    row = row_of(site.job, 2)
    purchase = leave_in_doubt(site.job, row.number, make_dead_run(site.job), Doubt(charged=True))
    row.refresh_from_db()
    assert purchase is not None
    # An answer under another claim than the last one records the label, and leaves owed what is owed.
    answer(claim_letter(row, claim_number=0), purchase)
    row.refresh_from_db()
    assert (row.status, row.due is None) == (RowStatus.completed, False)


def beside_a_dead_sibling(site: Site) -> None:
    """A job with two runs. One died, and left rows in doubt and rows that it had reserved; the other handed over, so
    that its successor may still start.
    """
    interrupted(6, bought=1, doubts=(Doubt(charged=True), Doubt(charged=False)))(site)
    job = site.job
    job.rows.filter(number__in=[4, 5]).update(run=Run.objects.get(job=job))
    with transaction.atomic():
        issue_run(Job.objects.lock(job.pk), turn=2)


def restarted(rows: int, *, bought: int, void_first: bool = False) -> Callable[[Site], None]:
    """An interrupted job that a person has confirmed to begin again."""

    def arrange(site: Site) -> None:
        interrupted(rows, bought=bought)(site)
        shown = handle_recovery_choice(RecoveryChoice.restart, site.job.pk, JobService(), actor=site.clerk)
        assert shown["completed_rows_with_tracking"] == bought
        handle_recovery_choice(
            RecoveryChoice.restart,
            site.job.pk,
            JobService(),
            actor=site.clerk,
            confirmation=shown["confirmation"],
            void_first=void_first,
        )

    return arrange


def retried(rows: int, *, failed: int) -> Callable[[Site], None]:
    """An interrupted job that a person has resumed, all failed rows included."""

    def arrange(site: Site) -> None:
        interrupted(rows, failed=failed)(site)
        handle_recovery_choice(RecoveryChoice.resume, site.job.pk, JobService(), actor=site.clerk, retry_failed=True)

    return arrange


def completed(site: Site) -> None:
    """A job of three rows that is over, and whose label files nobody has fetched yet."""
    interrupted(3, bought=3)(site)
    assert site.job.status == JobStatus.completed


def voiding(site: Site) -> None:
    """A job that is over and whose labels a person wants voided, all of them."""
    completed(site)
    JobService().void_labels(site.job.pk, actor=site.clerk)


def refunding(decided: str) -> Callable[[Site], None]:
    """A job that is over and whose labels were voided; the carrier has decided, and the question is due."""

    def arrange(site: Site) -> None:
        completed(site)
        job, carrier = site.job, get_carrier("sandbox")
        Label.objects.filter(job=job).update(void_requested=VoidRequest.only)
        for label in Label.objects.filter(job=job):
            voided: VoidAnswer = carrier.void(label.purchase_id, timeout=10)
            letter = VoidLetter(job_id=job.pk, carrier=job.carrier, label_id=label.pk, purchase_id=label.purchase_id)
            answer(letter, voided)
        assert site.sandbox.decide_refunds(decided) == 3
        Label.objects.filter(job=job).update(refund_ask_after=0.0)

    return arrange


def cancelled_before_its_voids(site: Site) -> None:
    """A job that began again with voids first, and was cancelled when its sweep had ordered them, and sent none."""
    restarted(4, bought=3, void_first=True)(site)
    Label.objects.filter(job=site.job).update(void_requested=VoidRequest.rebuy, void_after=0.0)
    JobService().cancel(site.job.pk, actor=site.clerk)


# --- Rows, at the carrier and in the books ----------------------------------------------------------------------


def prepare(job: Job, number: int) -> Prepared:
    """Have the carrier prepare a row, with a handle that the books pin to it."""
    row = row_of(job, number)
    prepared = get_carrier(job.carrier).prepare(carrier_order(row, job), timeout=10)
    Row.objects.filter(pk=row.pk).update(handle=prepared.handle)
    return prepared


def charge(job: Job, number: int, prepared: Prepared) -> Purchase:
    """Buy a row at the carrier; our books hear nothing of it."""
    order = carrier_order(row_of(job, number), job)
    return get_carrier(job.carrier).buy(order, prepared.handle, prepared.details, timeout=10)


def buy(job: Job, number: int, run: Run) -> None:
    """Buy a row, and settle it as a run does."""
    prepared = prepare(job, number)
    row = claim_row(row_of(job, number), run)
    answer(claim_letter(row), charge(job, number, prepared))


def leave_in_doubt(job: Job, number: int, run: Run, doubt: Doubt) -> Purchase | None:
    """Claim a row for a dead run; returns what the carrier sold, if it did."""
    prepared = prepare(job, number)
    claim_row(row_of(job, number), run, due_in=doubt.due_in)
    return charge(job, number, prepared) if doubt.charged else None
