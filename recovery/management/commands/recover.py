"""`manage.py recover`: interrupted jobs at the terminal."""

import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from recovery.choices import UnknownChoice, handle_recovery_choice
from recovery.confirmation import RecoveryChoice
from recovery.facts import InterruptedJobInfo, describe, interrupted_jobs
from recovery.plan import plan_choice
from recovery.prompt import NO_WORKER, get_recovery_prompt
from recovery.terminal import REFUSED, TerminalCommand
from recovery.wording import count, one_line
from shipping.models import Job
from shipping.refusals import require_interrupted
from shipping.services import JobService, Refused
from shipping.states import RowStatus
from shipping.templatetags.money import money

CHECK = "check"
DOUBTS_SHOWN = 20


class NotChosen(Refused):
    """Nothing was chosen, or not confirmed."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the command line says about a choice."""

    actor: User | None
    reason: str
    confirmation: str | None
    void_first: bool
    retry_failed: bool
    skip_failed_row: bool

    def choose(
        self, choice: RecoveryChoice, job: Job, service: JobService, confirmation: str | None = None
    ) -> dict[str, Any]:
        return handle_recovery_choice(
            choice,
            job.pk,
            service,
            actor=self.actor,
            confirmation=confirmation or self.confirmation,
            reason=self.reason,
            void_first=self.void_first,
            retry_failed=self.retry_failed,
            skip_failed_row=self.skip_failed_row,
        )


class Command(TerminalCommand):
    help = (
        "List interrupted jobs; with JOB, show one and ask what to do; with a choice, do it. Exit codes: 0 done,"
        " 2 refused (nothing was changed), 1 failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", metavar="JOB", nargs="?", help="the job's code or id")
        parser.add_argument("choice", metavar="resume|restart|cancel|check", nargs="?")
        parser.add_argument("--confirm", metavar="TOKEN", help="the token that came with the warning or the plan")
        parser.add_argument("--void-first", action="store_true", help="restart: void the old labels first")
        parser.add_argument("--retry-failed", action="store_true", help="resume: try all failed rows again")
        parser.add_argument("--skip-failed-row", action="store_true", help="resume: leave out the row it stopped at")
        self.add_person_and_form(parser)

    def run(self, options: dict[str, Any]) -> None:
        if options["job"] is None:
            self._list()
            return
        job = self.job(options["job"])
        orders = Orders(
            actor=self.person(options["user"]),
            reason=options["reason"],
            confirmation=options["confirm"],
            void_first=options["void_first"],
            retry_failed=options["retry_failed"],
            skip_failed_row=options["skip_failed_row"],
        )
        if options["choice"] is None:
            self._ask(job, orders)
        elif options["choice"] == CHECK:
            self._check(job, orders)
        else:
            self._choose(_parse(options["choice"]), job, orders)

    # --- What can be done --------------------------------------------------------------------------------

    def _list(self) -> None:
        if self.as_json:
            self.print_json({"interrupted": [_plain(info) for info in interrupted_jobs(self.service)]})
            return
        number = 0
        for info in interrupted_jobs(self.service):
            number += 1
            self.stdout.write(_list_line(info))
        if not number:
            self.stdout.write("No job is interrupted.")

    def _ask(self, job: Job, orders: Orders) -> None:
        require_interrupted(job)
        # Planned before anything is shown: the choice is bound to what the person is about to read.
        plans = {choice: plan_choice(choice, job, self.service) for choice in RecoveryChoice}
        info = describe(self._with_last_sign(job), self.service)
        if self.as_json:
            told = {
                choice.value: {"plan": plan.sentences(), "confirmation": plan.confirmation}
                for choice, plan in plans.items()
            }
            self.print_json({"job": _plain(info), "prompt": get_recovery_prompt(info), "choices": told})
            return
        self.stdout.write(get_recovery_prompt(info))
        answer = self._answer("Your choice: ")
        if answer.lower() == CHECK:
            self._check(job, orders)
            return
        choice = _parse(answer)
        if choice is not RecoveryChoice.restart:
            self._tell(orders.choose(choice, job, self.service, plans[choice].confirmation))
            return
        asked = handle_recovery_choice(choice, job.pk, self.service, actor=orders.actor)
        self._tell_warning(asked)
        rows = asked["completed_rows_with_tracking"]
        typed = self._answer(f"Type the number of rows that will be bought again ({rows}) to go ahead: ")
        if typed != str(rows):
            raise NotChosen(f"You typed {typed!r}, not {rows}. Nothing was changed.")
        self._tell(orders.choose(choice, job, self.service, asked["confirmation"]))

    def _choose(self, choice: RecoveryChoice, job: Job, orders: Orders) -> None:
        result = orders.choose(choice, job, self.service)
        if not result.get("requires_confirmation"):
            self._tell(result)
            return
        if self.as_json:
            self.print_json({**result, "error": "A restart has to be confirmed.", "exit_code": REFUSED})
        else:
            self._tell_warning(result)
            self.stdout.write(f"To go ahead: {_command_to_confirm(job, orders, result['confirmation'])}")
        raise CommandError("Nothing was changed: a restart has to be confirmed.", returncode=REFUSED)

    def _check(self, job: Job, orders: Orders) -> None:
        asked = self.service.check_again(job.pk, actor=orders.actor)
        doubts = list(self.service.get_rows(job.pk).owed().exclude(status=RowStatus.completed)[:DOUBTS_SHOWN])
        worker_alive = self.service.worker_alive()
        message = f"The carrier will be asked about {count(asked, 'row')}." if asked else "No row is in doubt."
        lines = [
            f"Row {row.number} ({one_line(row.recipient)}): {one_line(row.answer) or 'not asked yet'}" for row in doubts
        ]
        if self.as_json:
            self.print_json(
                {"action": CHECK, "job_id": job.pk, "asked": asked, "message": message, "rows": lines}
                | {"worker_alive": worker_alive}
            )
            return
        self.stdout.write("\n".join([message, *lines]))
        if asked and not worker_alive:
            self.stdout.write(NO_WORKER)

    # --- Reading and telling -----------------------------------------------------------------------------

    def _with_last_sign(self, job: Job) -> Job:
        """The job as `interrupted_jobs()` gives it, if it is still among them."""
        return self.service.interrupted_jobs().filter(pk=job.pk).first() or job

    def _answer(self, question: str) -> str:
        """One line from stdin, a terminal or a pipe. Raises NotChosen when there is none."""
        self.stdout.write(question, ending="")
        self.stdout.flush()
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            line = ""
        if not line:
            self.stdout.write("")
            raise NotChosen("Nothing was chosen; nothing was changed.")
        return line.strip()

    def _tell(self, result: dict[str, Any]) -> None:
        if self.as_json:
            self.print_json(result)
        else:
            self.stdout.write(result["message"])

    def _tell_warning(self, result: dict[str, Any]) -> None:
        self.stdout.write("\n".join([result["warning"], *result["plan"], *_first_rows(result)]))
        cost, again = money(result["cost_cents"], result["currency"]), money(result["again_cents"], result["currency"])
        self.stdout.write(f"The labels cost {cost}; the same again would cost about {again}.")


def _parse(choice: str) -> RecoveryChoice:
    """The choice of that name, with or without brackets, in any case."""
    name = choice.strip().strip("[]").lower()
    if name not in RecoveryChoice.values:
        raise UnknownChoice(f"There is no choice {choice!r}; there is {', '.join(RecoveryChoice.values)} and {CHECK}.")
    return RecoveryChoice(name)


def _list_line(info: InterruptedJobInfo) -> str:
    since = ""
    if info.interrupted_at:
        since = f", since {timezone.localtime(info.interrupted_at):%Y-%m-%d %H:%M:%S}"
    doubts = f", {count(info.in_flight_count, 'row')} in doubt" if info.in_flight_count else ""
    error = f", stopped at an error: {one_line(info.error_message or info.error_code or '')}" if info.error_code else ""
    return (
        f"{info.job_id}  {one_line(info.job_name)}: {info.completed_rows} of {info.total_rows} rows bought"
        f"{doubts}{since}{error}"
    )


def _first_rows(result: dict[str, Any]) -> Iterator[str]:
    named = result["first_rows"]
    yield from named
    more = result["completed_rows_with_tracking"] - len(named)
    if more > 0:
        yield f"… and {count(more, 'more row', 'more rows')}."


def _command_to_confirm(job: Job, orders: Orders, confirmation: str) -> str:
    words = [sys.executable, sys.argv[0], "recover", job.code, RecoveryChoice.restart.value, "--confirm", confirmation]
    if orders.void_first:
        words.append("--void-first")
    if orders.reason:
        words += ["--reason", orders.reason]
    if orders.actor is not None:
        words += ["--user", orders.actor.get_username()]
    return shlex.join(words)


def _plain(info: InterruptedJobInfo) -> dict[str, Any]:
    """The facts as plain JSON values, times in ISO 8601."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return value.value if isinstance(value, Enum) else value

    return {name: plain(value) for name, value in asdict(info).items()}
