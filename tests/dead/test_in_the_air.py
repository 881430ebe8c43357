"""A worker that is frozen past its lease with purchases in the air, and wakes when others have its job: it claims
nothing more, and what it had sent is recorded, whatever became of the job meanwhile.

The carrier's look-up is down until then, so that nobody else can find out what the frozen worker knows.
"""

import signal
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from recovery import RecoveryChoice, handle_recovery_choice
from shipping.liveness import Condition, condition
from shipping.models import Job, Label, Row, Run
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus, RunEnd
from tests.dead.freezing import is_stopped
from tests.dead.waits import ROOMY, variables
from tests.factories import make_job
from tests.lies.scene import ONCE, SENDS, Guaranteed, at_work, play
from tests.support.altered import program
from tests.support.auditing import audit
from tests.support.by_reference import ADOPTING
from tests.support.ledger import assert_books_equal_ledger, compare_when_over
from tests.support.processes import ChildProcess, wait_until
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 16
WIDTH = 3
# Questions go on for as long as the look-up is down, and bring no row to a person.
WAITS = {**ROOMY, "REVIEW_AFTER_QUESTIONS": 1000, "SHIP_CONCURRENCY": WIDTH}
# Each answer is a while on its way; the charge is not.
FAULTS = [
    {"on": "buy", "action": "delay", "when": "after", "seconds": 1.5},
    {"on": "lookup", "action": "error", "status": 503},
]


@pytest.fixture(autouse=True)
def waits(liar: SandboxProcess, settings: Any) -> None:
    """The waits of the processes, also for what this process says about them."""
    for name, value in WAITS.items():
        setattr(settings, name, value)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def sleeper(sandbox: SandboxProcess) -> ChildProcess:
    """A worker that will be frozen with purchases in the air."""
    freezing = ("tests.dead.freezing:freeze_while_waiting", {"purchase": 3 * WIDTH, "seconds": 0.6})
    return ChildProcess(program([freezing], "worker"), {**ADOPTING, **variables(WAITS), "SANDBOX_URL": sandbox.url})


def freeze(job: Job, process: ChildProcess, sandbox: SandboxProcess) -> set[int]:
    """Wait until it is frozen; returns the ids of the rows that were charged and whose answers it has not taken. What
    it has claimed beyond them still waits in line.
    """
    assert process.process is not None
    pid = process.process.pid
    wait_until(lambda: is_stopped(pid), 90, what="the worker frozen")
    awaited = Row.objects.filter(job=job, status=RowStatus.in_flight, run__isnull=False)

    def charged() -> set[int]:
        references = {each["reference"] for each in sandbox.ledger()}
        return {row.pk for row in awaited if job.reference(row.number, 1) in references}

    wait_until(lambda: len(charged()) >= WIDTH, what="what it has sent charged")
    return charged()


def resume(job: Job, clerk: User) -> None:
    handle_recovery_choice(RecoveryChoice.resume, job.pk, JobService(), actor=clerk)


def restart(job: Job, clerk: User) -> None:
    shown = handle_recovery_choice(RecoveryChoice.restart, job.pk, JobService(), actor=clerk)
    handle_recovery_choice(
        RecoveryChoice.restart, job.pk, JobService(), actor=clerk, confirmation=shown["confirmation"]
    )


def cancel(job: Job, clerk: User) -> None:
    handle_recovery_choice(RecoveryChoice.cancel, job.pk, JobService(), actor=clerk)


def pause(job: Job, clerk: User) -> None:
    JobService().pause(job.pk, actor=clerk)


@pytest.mark.parametrize("guaranteed", [ONCE, SENDS], ids=str)
@pytest.mark.parametrize("choose", [resume, restart, cancel, pause], ids=lambda choose: choose.__name__)
def test_it_claims_nothing_and_what_it_had_sent_is_recorded(
    choose: Callable[[Job, User], None], guaranteed: Guaranteed, liar: SandboxProcess, clerk: User
) -> None:
    liar.faults(FAULTS)
    job = make_job(ROWS, carrier=guaranteed.carrier)
    JobService().start(job.pk)
    with sleeper(liar) as process:
        sent = freeze(job, process, liar)
        run = Run.objects.get(job=job)
        bought = Label.objects.filter(job=job).count()
        untouched = Row.objects.filter(job=job, claims=0)
        waiting = untouched.count()
        wait_until(lambda: condition(fresh(job)) is Condition.interrupted, what="its lease over")
        choose(job, clerk)
        run.refresh_from_db()
        assert run.end_reason == RunEnd.died
        with at_work(liar, **variables(WAITS)):
            goes_on = fresh(job).status == JobStatus.running
            if goes_on:
                wait_until(lambda: untouched.count() < waiting, 60, what="another worker at the job")
            claims = dict(Row.objects.filter(pk__in=sent).values_list("pk", "claims"))
            process.signal(signal.SIGCONT)
            recorded = Label.objects.filter(row__in=sent, attempt=1)
            wait_until(lambda: recorded.count() == len(sent), what="what it had sent in the books")
            assert set(recorded.values_list("adopted", flat=True)) == {False}, "the carrier could not be asked"
            let_it_work(run)
            liar.faults([])
            JobService().check_again(job.pk, actor=clerk)
            end(job, clerk, goes_on=goes_on)
    check_books(job, liar, choose)
    # Its run ended when the choice was made: it was heard of no more, and brought only what it had sent before.
    assert (run.beat, run.ended_at) == Run.objects.values_list("beat", "ended_at").get(pk=run.pk)
    run.refresh_from_db()
    assert run.bought_rows <= bought + WIDTH
    assert dict(Row.objects.filter(pk__in=sent).values_list("pk", "claims")) == claims


def let_it_work(run: Run) -> None:
    """Time in which a run that does not know that it was ended would beat several times."""
    until = book_now() + 2
    wait_until(lambda: book_now() > until, what="two seconds of the books' clock")
    assert Run.objects.get(pk=run.pk).ended_at is not None


def end(job: Job, clerk: User, *, goes_on: bool) -> None:
    """Wait until the job, whatever it is, has nothing left to be done."""
    if goes_on:
        play(job, clerk)
    else:
        wait_until(lambda: not Row.objects.filter(job=job).owed().exists(), 60, what="nothing owed")


def check_books(job: Job, sandbox: SandboxProcess, choose: Callable[[Job, User], None]) -> None:
    """Nothing charged twice but what the restart named, nothing lost; stopped jobs keep what was not begun."""
    assert compare_when_over(job, sandbox.ledger()).breaches == {}
    assert_books_equal_ledger(job, sandbox)
    assert audit(job).code == 0
    rows = Row.objects.filter(job=job)
    if choose in (cancel, pause):
        assert rows.filter(status=RowStatus.pending).count() == ROWS - len(sandbox.ledger())
        assert rows.exclude(status=RowStatus.pending).exclude(status=RowStatus.completed).count() == 0
    else:
        assert rows.filter(status=RowStatus.completed).count() == ROWS
        again = rows.filter(attempt=2).count()
        assert (again > 0) is (choose is restart)
        assert len(sandbox.ledger()) == ROWS + again
