"""`manage.py orphans`: charges that no row owns, at the terminal."""

import shlex
import sys
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser

from recovery.comparison import Stage, Standing, standing_of
from recovery.orphan_plans import OrphanDecision, OrphanPlan
from recovery.orphans import adopt_orphan, confirm_orphan, void_orphan, what_became_of
from recovery.prompt import NO_WORKER
from recovery.terminal import REFUSED, TerminalCommand
from recovery.wording import count, one_line
from shipping.comparing import work
from shipping.models import Comparison, Job, Label, Orphan
from shipping.services import Refused
from shipping.templatetags.money import money
from shipping.voids import end_of_voiding

COMPARE = "compare"


class Command(TerminalCommand):
    help = (
        "List the charges that the carrier lists for a job and no row owns; have a worker compare the job with the"
        " carrier's list; adopt or void one. Without --confirm, adopt and void only say what they would do. Exit codes:"
        " 0 done, 2 refused (nothing was changed), 1 failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", metavar="JOB", help="the job's code or id")
        parser.add_argument("what", metavar="compare|adopt|void", nargs="?", choices=[COMPARE, *OrphanDecision.values])
        parser.add_argument("purchase", metavar="PURCHASE", nargs="?", help="the carrier's id of the charge")
        parser.add_argument("--here", action="store_true", help="compare: do it in this process, without a worker")
        parser.add_argument("--confirm", metavar="TOKEN", help="the token that came with what adopt or void would do")
        self.add_person_and_form(parser)

    def run(self, options: dict[str, Any]) -> None:
        job = self.job(options["job"])
        actor = self.person(options["user"])
        if options["what"] is None:
            self._list(job)
        elif options["what"] == COMPARE:
            if options["here"]:
                self._compare_here(job, actor, options["reason"])
            else:
                self._compare(job, actor, options["reason"])
        else:
            orphan = self._orphan(job, options["purchase"])
            self._decide(job, orphan, OrphanDecision(options["what"]), actor, options)

    # --- What can be done --------------------------------------------------------------------------------

    def _list(self, job: Job) -> None:
        standing = standing_of(job)
        plans = [
            OrphanPlan.of(orphan, job)
            for orphan in self.service.orphans(job.pk).select_related("row__label").order_by("row__number", "pk")
        ]
        if self.as_json:
            told = {"job_id": job.pk, "comparison": standing.stage.value, "orphans": [_plain(plan) for plan in plans]}
            self.print_json(told)
            return
        self.stdout.write(_stands(standing))
        for plan in plans:
            self.stdout.write(_line(plan))
        if standing.is_moving and not standing.worker_alive:
            self.stdout.write(NO_WORKER)

    def _compare(self, job: Job, actor: User | None, reason: str) -> None:
        ordered = self.service.compare(job.pk, actor=actor, reason=reason)
        alive = self.service.worker_alive()
        message = "A worker will compare the job." if ordered else "The job is being compared already."
        if self.as_json:
            self.print_json({"action": COMPARE, "job_id": job.pk, "ordered": ordered, "worker_alive": alive})
            return
        self.stdout.write(f"{message} What is found: manage.py orphans {job.pk}")
        if not alive:
            self.stdout.write(NO_WORKER)

    def _compare_here(self, job: Job, actor: User | None, reason: str) -> None:
        """Compare the job in this process, unless a worker is at it, and list what was found. After a restore no worker
        may run yet.
        """
        self.service.compare(job.pk, actor=actor, reason=reason)
        work.compare(Comparison.objects.get(job=job).pk)
        self._list(job)

    def _decide(
        self, job: Job, orphan: Orphan, decision: OrphanDecision, actor: User | None, options: dict[str, Any]
    ) -> None:
        if options["confirm"] is None:
            self._show(job, orphan, decision, options)
            return
        carry_out = adopt_orphan if decision == OrphanDecision.adopt else void_orphan
        label = carry_out(orphan=orphan, confirmation=options["confirm"], actor=actor, reason=options["reason"])
        self._tell(job, label, decision)

    def _show(self, job: Job, orphan: Orphan, decision: OrphanDecision, options: dict[str, Any]) -> None:
        """Say what a decision would do, and how to confirm it."""
        if not self.service.orphans(job.pk).filter(pk=orphan.pk).exists():
            raise Refused(what_became_of(orphan))
        plan = OrphanPlan.of(orphan, job)
        confirmation = confirm_orphan(orphan, job, decision)
        until = end_of_voiding(orphan.account, orphan.carrier, orphan.bought_at) if orphan.bought_at else None
        sentences = plan.sentences(decision, void_until=until)
        if self.as_json:
            told = {**_plain(plan), "requires_confirmation": True, "plan": sentences, "confirmation": confirmation}
            self.print_json(told | {"error": "It has to be confirmed.", "exit_code": REFUSED})
        else:
            command = [sys.executable, sys.argv[0], "orphans", job.code, decision.value, orphan.purchase_id]
            command += ["--confirm", confirmation]
            for option in ("reason", "user"):
                command += [f"--{option}", options[option]] if options[option] else []
            self.stdout.write("\n".join([_line(plan), *sentences, f"To go ahead: {shlex.join(command)}"]))
        raise CommandError(f"Nothing was changed: {decision.value} has to be confirmed.", returncode=REFUSED)

    def _tell(self, job: Job, label: Label, decision: OrphanDecision) -> None:
        what = "is recorded" if decision == OrphanDecision.adopt else "is recorded, and its void is on its way"
        message = f"Row {label.row.number}: the label {one_line(label.tracking_number)} {what}."
        if self.as_json:
            self.print_json({"action": decision.value, "job_id": job.pk, "label": label.pk, "message": message})
        else:
            self.stdout.write(message)

    # --- Reading and telling -----------------------------------------------------------------------------

    def _orphan(self, job: Job, purchase: str | None) -> Orphan:
        if purchase is None:
            raise Refused("Name the charge by the carrier's id of it.")
        found = Orphan.objects.filter(job=job, purchase_id=purchase).select_related("job", "row__label").first()
        if found is None:
            raise Refused(f"No charge {purchase!r} is on the list of this job; compare it first.")
        return found


def _stands(standing: Standing) -> str:
    comparison = standing.comparison
    charges = f"Charges that no row owns: {standing.orphans}."
    if comparison is None:
        return "Never compared with the carrier's list."
    said = {
        Stage.waiting: "The comparison waits for a worker.",
        Stage.comparing: f"Being compared: {count(comparison.listed, 'purchase')} of this job read so far.",
        Stage.failed: f"Could not be compared to the end: {one_line(comparison.problem)}",
        Stage.done: f"Compared: the carrier lists {count(comparison.listed, 'purchase')} of this job.",
    }
    others = f" Other differences: {standing.other_differences}; see manage.py audit_books {comparison.job_id}."
    return f"{said[standing.stage]} {charges}{others if standing.other_differences else ''}"


def _line(plan: OrphanPlan) -> str:
    orphan = plan.orphan
    row = f"row {orphan.row.number} ({one_line(orphan.row.recipient)})" if orphan.row is not None else "no row"
    cost = money(orphan.cost_cents, orphan.currency)
    return f"{orphan.purchase_id}  {row}: {cost}, {one_line(orphan.tracking_number)}. {one_line(plan.certain)}"


def _plain(plan: OrphanPlan) -> dict[str, Any]:
    """An orphan as plain JSON values, times in ISO 8601."""
    orphan = plan.orphan
    return {
        "purchase": orphan.purchase_id,
        "reference": orphan.reference,
        "row_number": orphan.row.number if orphan.row is not None else None,
        "tracking_number": orphan.tracking_number,
        "cost_cents": orphan.cost_cents,
        "currency": orphan.currency,
        "bought_at": orphan.bought_at.isoformat() if orphan.bought_at else None,
        "certain": plan.certain,
        "can_be_decided": not plan.obstacle,
    }
