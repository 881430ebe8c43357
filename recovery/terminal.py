"""What the commands for people at a terminal share: how they refuse, name the person, and speak JSON."""

import json
from abc import ABC, abstractmethod
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from shipping.models import Job
from shipping.services import JobService, Refused, UnknownJob

FAILED, REFUSED = 1, 2


class TerminalCommand(BaseCommand, ABC):
    """A command about jobs. Ends with 0 when it did what it was told, 2 when that was refused and nothing was changed,
    1 when it failed; with `--json` the reason is an object on stdout, too.
    """

    def add_person_and_form(self, parser: CommandParser) -> None:
        """The options about who does it, why, and in what form it is told."""
        parser.add_argument("--reason", default="", help="why; kept with the job")
        parser.add_argument("--user", metavar="USERNAME", help="who decides; kept with the job")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout, errors too; asks nothing")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (the parent's signature)
        self.as_json: bool = options["json"]
        self.service = JobService()
        try:
            self.run(options)
        except Refused as error:
            self._fail(error, REFUSED)
        except DatabaseError as error:
            self._fail(error, FAILED)

    @abstractmethod
    def run(self, options: dict[str, Any]) -> None:
        """Do what the command line says. Raises Refused."""

    def job(self, name: str) -> Job:
        """The job with that code or id. Raises UnknownJob."""
        job = self.service.find_job(name)
        if job is None:
            raise UnknownJob(f"There is no job {name!r}.")
        return job

    def person(self, username: str | None) -> User | None:
        """The active user of that name, None when none is named. Raises Refused for one who is not there."""
        if username is None:
            return None
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise Refused(f"There is no active user {username!r}.")
        return user

    def print_json(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False))

    def _fail(self, error: Exception, code: int) -> None:
        if self.as_json:
            self.print_json({"error": str(error), "kind": type(error).__name__, "exit_code": code})
        raise CommandError(str(error), returncode=code) from error
