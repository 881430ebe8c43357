"""Each command of `manage.py` that is run by hand or on a schedule dies by SIGKILL, once and twice, and runs again."""

from collections import Counter
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import get_commands

from shipping.models import Job, Label, Run
from shipping.services import JobService
from shipping.states import EventKind
from tests.crash import web_jobs
from tests.crash.arming import Boundary, Moment
from tests.crash.command_boundaries import COMMANDS, KILLED_ELSEWHERE, REFUSED, Command, orders
from tests.crash.web_books import (
    breaches_when_over,
    charges_beside_orphans,
    facts,
    is_settled,
    let_a_lease_pass,
    moved,
)
from tests.crash.web_scenes import Death, Leaves
from tests.crash.web_stage import DEATH_SECONDS, Stage
from tests.factories import make_job
from tests.pages.test_invariants import _everything as everything
from tests.support.ledger import compare_at_any_time
from tests.support.processes import wait_until

CASES = [
    pytest.param(command, death, again, id=f"{command.name}, {death.boundary}{', and once more' if again else ''}")
    for command in COMMANDS
    for death in command.deaths
    for again in (False, True)
]


def test_every_command_dies_somewhere() -> None:
    ours = {name for name, app in get_commands().items() if app in ("shipping", "recovery")}
    assert {each.name.split()[0] for each in COMMANDS} | KILLED_ELSEWHERE == ours


@pytest.mark.parametrize(("command", "death", "again"), CASES)
def test_a_command_that_died_is_run_again(
    command: Command, death: Death, again: bool, stage: Stage, tmp_path: Path
) -> None:
    stage.alterations = command.alterations
    arguments = command.prepare(tmp_path)
    before = facts()
    for each in _deaths(command, death, again):
        at = facts()
        _die(stage, each.boundary, arguments)
        _assert_left(command, each, before=before, at=at)
        _compare_now(stage)
        if command.after_a_lease:
            let_a_lease_pass()
    is_done = moved(before, facts()) == command.change
    assert _run(stage, arguments) == (command.again if is_done else 0), stage.nursery.last_words()
    wanted = Counter(command.change)
    wanted.update(command.repeated if is_done else {})
    assert moved(before, facts()) == dict(wanted)
    if again and command.worker_death is not None:
        let_a_lease_pass()
        stage.work_until_death(command.worker_death)
    stage.see_through(*Job.objects.all())
    for job in Job.objects.all():
        assert not breaches_when_over(job, stage.sandbox.ledger())


def _deaths(command: Command, death: Death, again: bool) -> list[Death]:
    """Where it dies, and where its second run does."""
    if not again or death.leaves is Leaves.all:
        return [death]
    if death.leaves is Leaves.steps:
        assert command.still_to_come is not None
        return [death, Death(command.still_to_come, Leaves.steps)]
    return [death, command.deaths[(list(command.deaths).index(death) + 1) % len(command.deaths)]]


def _assert_left(command: Command, death: Death, *, before: Counter[str], at: Counter[str]) -> None:
    match death.leaves:
        case Leaves.nothing:
            assert moved(at, facts()) == {}
        case Leaves.all:
            assert moved(before, facts()) == command.change
        case _:
            assert moved(before, facts()) not in ({}, command.change)


def _compare_now(stage: Stage) -> None:
    charges = charges_beside_orphans(stage.sandbox.ledger())
    for job in Job.objects.all():
        found = compare_at_any_time(job, charges)
        assert not found.breaches, found


def _die(stage: Stage, boundary: Boundary, arguments: list[str]) -> None:
    with stage.command(boundary, *arguments) as process:
        assert process.wait(DEATH_SECONDS) == -9, stage.nursery.last_words()


def _run(stage: Stage, arguments: list[str]) -> int:
    with stage.command(None, *arguments) as process:
        return process.wait(DEATH_SECONDS)


def test_an_import_that_died_before_it_started_its_job_is_told_so_and_started_on_the_page(
    stage: Stage, tmp_path: Path
) -> None:
    arguments = orders(tmp_path)
    _die(stage, Boundary("before it is started", "shipping.orders.importer:finish", Moment.after), arguments)
    job = Job.objects.get()
    assert (job.import_complete, job.status) == (True, "pending")
    before = facts()
    assert _run(stage, arguments) == REFUSED
    assert "was imported before" in stage.nursery.last_words()
    assert facts() == before
    stage.see_through(job)
    assert not breaches_when_over(job, stage.sandbox.ledger())


HOUSEKEEPING = [
    Boundary("before the question is noted", "shipping.engine.books:pick_questions", Moment.before_commit),
    Boundary("after the question is noted", "shipping.engine.books:pick_questions", Moment.after_commit),
    Boundary("when the question is sent", "shipping.engine.wire:Wire.send", Moment.after),
    Boundary("before the answer is committed", "shipping.engine.books:settle_finding", Moment.before_commit),
    Boundary("after the answer is committed", "shipping.engine.books:settle_finding", Moment.after_commit),
]


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("boundary", HOUSEKEEPING, ids=str)
def test_housekeeping_that_died_leaves_its_errands_to_the_next(boundary: Boundary, again: bool, stage: Stage) -> None:
    job = web_jobs.interrupted(4, doubts=True)
    JobService().cancel(job.pk)
    _die(stage, boundary, ["housekeeping"])
    assert not compare_at_any_time(job, stage.sandbox.ledger()).breaches
    if again:
        # What was asked is asked again only when an answer can't come any more.
        wait_until(lambda: _keeps_house_to_death(stage) or is_settled(job), what="the second death")
    wait_until(lambda: _run(stage, ["housekeeping"]) == 0 and is_settled(job), what="the carrier's answers")
    assert not breaches_when_over(job, stage.sandbox.ledger())
    assert job.events.filter(kind=EventKind.adopted).count() == 1


def _keeps_house_to_death(stage: Stage) -> bool:
    with stage.command(HOUSEKEEPING[1], "housekeeping") as process:
        return process.wait(DEATH_SECONDS) == -9


REQUEUING = [
    Boundary("before the ticket is noted", "shipping.engine.housekeeping:record", Moment.before_commit),
    Boundary("after the ticket is noted", "shipping.engine.housekeeping:record", Moment.after_commit),
    Boundary("after the ticket is queued", "shipping.runs:enqueue", Moment.after),
]


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("boundary", REQUEUING, ids=str)
def test_a_lost_ticket_is_queued_again_though_housekeeping_died(boundary: Boundary, again: bool, stage: Stage) -> None:
    job = make_job(3)
    JobService().start(job.pk)
    _lose_tickets()
    for _death in range(1 + again):
        let_a_lease_pass()
        _die(stage, boundary, ["housekeeping"])
        assert Run.objects.issued().count() == 1
        _lose_tickets()
    let_a_lease_pass()
    assert _run(stage, ["housekeeping"]) == 0
    stage.work_until(lambda: is_settled(job), what="the end of the job")
    assert Run.objects.count() == 1
    assert not breaches_when_over(job, stage.sandbox.ledger())


def _lose_tickets() -> None:
    """The task queue has lost what it held."""
    from django_tasks_db.models import DBTaskResult

    DBTaskResult.objects.all().delete()


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_an_audit_that_died_changed_nothing(again: bool, stage: Stage, clerk: User) -> None:
    job = web_jobs.over(3)
    before = everything()
    for _death in range(1 + again):
        _die(stage, Boundary("", "shipping.audit.compare:Audit._page", Moment.before), ["audit_books"])
        assert everything() == before
    assert _run(stage, ["audit_books", str(job.pk)]) == 0
    assert everything() == before
    assert Label.objects.count() == 3
