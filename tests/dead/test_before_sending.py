"""A worker that is frozen between its last check and the send, and wakes when others have asked, waited and bought.

*Exactly once*: its purchase is refused by the carrier, or is the one that counts; nothing is charged twice. *Adopt or
ask*: it is charged a second time, and no software can prevent that (`tests.dead.window` measures how short the moment
is in which a process has to be caught). It is recorded and shown when the process lives to tell, and found by
`audit_books` when it does not.
"""

import signal
from typing import Any

import pytest
from django.contrib.auth.models import User

from shipping.liveness import Condition, condition
from shipping.models import Job, Label, Row, Run
from shipping.services import JobService
from shipping.states import EventKind, RowStatus, RunEnd
from tests.dead.freezing import is_stopped
from tests.dead.waits import ROOMY, variables
from tests.factories import make_job, row_of
from tests.lies.scene import ASKS, FORGETFUL, ONCE, SENDS, Guaranteed, at_work, play
from tests.support.altered import program
from tests.support.auditing import audit
from tests.support.by_reference import ADOPTING
from tests.support.ledger import assert_counters_equal_rows, compare_when_over
from tests.support.processes import ChildProcess, wait_until
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

WAITS = {**ROOMY, "SHIP_CONCURRENCY": 1}
BY_REFERENCE = (ASKS, SENDS)
FORGETTING = {"on": "buy", "action": "charge_again"}


@pytest.fixture(autouse=True)
def waits(liar: SandboxProcess, settings: Any) -> None:
    """The waits of the processes, also for what this process says about them."""
    for name, value in WAITS.items():
        setattr(settings, name, value)


def frozen_worker(sandbox: SandboxProcess, **options: bool) -> ChildProcess:
    """A worker that will stop before it sends its second purchase."""
    alteration = ("tests.dead.freezing:freeze_before_sending", options)
    return ChildProcess(program([alteration], "worker"), {**ADOPTING, **variables(WAITS), "SANDBOX_URL": sandbox.url})


def freeze(job: Job, process: ChildProcess) -> Run:
    """Wait until it is frozen with the claim of row 2, and until it counts as dead; returns its run."""
    assert process.process is not None
    pid = process.process.pid
    wait_until(lambda: is_stopped(pid), 90, what="the worker frozen")
    wait_until(lambda: condition(fresh(job)) is Condition.interrupted, what="its lease over")
    run = Run.objects.get(job=job)
    assert (row_of(job, 2).status, row_of(job, 2).run_id) == (RowStatus.in_flight, run.pk)
    return run


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def charged_for_row_2(job: Job, sandbox: SandboxProcess) -> list[str]:
    """The tracking numbers that the carrier sold for it, in order."""
    return [charge["tracking_code"] for charge in sandbox.ledger() if charge["reference"] == job.reference(2, 1)]


def buy_meanwhile(job: Job, clerk: User, sandbox: SandboxProcess) -> Label:
    """What others do until the job is over: ask, wait, believe, send again. Returns the label of row 2."""
    assert [charge["reference"] for charge in sandbox.ledger()] == [job.reference(1, 1)]
    with at_work(sandbox, **variables(WAITS)):
        play(job, clerk)
    label = row_of(job, 2).label
    assert label is not None
    assert row_of(job, 2).claims == 2
    assert sandbox.stats()["charges"] == 2
    return label


@pytest.mark.parametrize("guaranteed", [ONCE, FORGETFUL, ASKS, SENDS], ids=str)
def test_what_it_sends_when_it_wakes_is_charged_once_or_recorded(
    guaranteed: Guaranteed, liar: SandboxProcess, clerk: User
) -> None:
    job = make_job(2, carrier=guaranteed.carrier)
    # The first one counts what it sees, and does nothing.
    liar.faults([{"on": "buy", "action": "delay", "seconds": 0}, *([FORGETTING] if guaranteed.forgets else [])])
    JobService().start(job.pk)
    with frozen_worker(liar) as process:
        run = freeze(job, process)
        label = buy_meanwhile(job, clerk, liar)
        process.signal(signal.SIGCONT)
        wait_until(lambda: liar.faults()[0]["seen"] == 3, what="the purchase of the one that woke")
        if guaranteed in BY_REFERENCE:
            wait_until(lambda: Label.objects.filter(row=label.row_id).count() == 2, what="its answer in the books")
        process.signal(signal.SIGTERM)
        assert process.wait(30) == 0
    run.refresh_from_db()
    row = row_of(job, 2)
    assert run.end_reason == RunEnd.died, "a choice ended it while it was frozen"
    assert (row.status, row.label_id, row.claims, row.due) == (RowStatus.completed, label.pk, 2, None)
    assert_counters_equal_rows(job)
    if guaranteed is ONCE:
        assert liar.stats()["charges"] == 2
        assert compare_when_over(job, liar.ledger()).breaches == {}
        assert audit(job).code == 0
    elif guaranteed is FORGETFUL:
        # The carrier broke its guarantee: its list shows the newer of two numbers under one shipment.
        assert liar.stats()["charges"] == 3
        assert audit(job).differences == {"tracking": 1}
    else:
        second = Label.objects.exclude(pk=label.pk).get(row=row)
        assert charged_for_row_2(job, liar) == [label.tracking_number, second.tracking_number]
        event = job.events.get(kind=EventKind.second_charge)
        assert event.details["tracking_number"] == second.tracking_number
        assert fresh(job).spent_cents == sum(charge["cost_cents"] for charge in liar.ledger())
        assert audit(job).code == 0


@pytest.mark.parametrize("guaranteed", [ONCE, *BY_REFERENCE], ids=str)
def test_what_it_sends_and_dies_before_it_tells_is_found_by_the_audit(
    guaranteed: Guaranteed, liar: SandboxProcess, clerk: User
) -> None:
    job = make_job(2, carrier=guaranteed.carrier)
    JobService().start(job.pk)
    with frozen_worker(liar, die_when_sent=True) as process:
        freeze(job, process)
        label = buy_meanwhile(job, clerk, liar)
        process.signal(signal.SIGCONT)
        assert process.wait(30) == -signal.SIGKILL
    assert not Row.objects.filter(job=job).owed().exists()
    assert [each.pk for each in Label.objects.filter(row=label.row_id)] == [label.pk]
    if guaranteed is ONCE:
        assert liar.stats()["charges"] == 2
        assert audit(job).code == 0
        return
    first, second = charged_for_row_2(job, liar)
    assert first == label.tracking_number
    found = audit(job)
    assert found.code == 1
    assert [(each["kind"], each["tracking_number"], each["row_number"]) for each in found.findings] == [
        ("orphan", second, 2)
    ]
