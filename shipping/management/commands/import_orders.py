"""`manage.py import_orders FILE`: make a job of a file of orders."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from shipping.models import Job
from shipping.orders.checking import FileReport, check_file
from shipping.orders.errors import OrderFileError, shown
from shipping.orders.importer import (
    DuplicateRefused,
    RowsRefused,
    import_file,
    require_readiness,
)
from shipping.services import JobService, Refused

HINTS: Mapping[type[Exception], str] = {
    RowsRefused: " (--skip-bad does that.)",
    DuplicateRefused: " To buy its labels once more: --allow-duplicate.",
}


class Command(BaseCommand):
    help = (
        "Check a file of orders (CSV or .xlsx) and make a job of it. Errors go to stderr, by row and column; the last"
        " line of stdout is the job's id alone. An import that was killed is finished by the same command."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--name", required=True, help="the job's name")
        parser.add_argument(
            "--carrier",
            default=settings.DEFAULT_CARRIER,
            help="a carrier of the settings (default: %(default)s)",
        )
        parser.add_argument("--start", action="store_true", help="start the job when it is imported")
        parser.add_argument("--skip-bad", action="store_true", help="import the good rows without the bad")
        parser.add_argument(
            "--keep-going", action="store_true", help="a rejected row does not halt the job (default: it does)"
        )
        parser.add_argument(
            "--allow-duplicate", action="store_true", help="import the file though it was imported before"
        )
        parser.add_argument("--user", metavar="USERNAME", help="who the job belongs to")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        # As it is shown and kept: a file's name may hold bytes that are no text, and characters that steer terminals.
        file_name = shown(os.fsencode(path.name).decode("utf-8", "replace"))
        user = self._user(options["user"])
        try:
            job = self._import(path, file_name, user, options)
        except (OrderFileError, Refused) as error:
            hint = next((text for kind, text in HINTS.items() if isinstance(error, kind)), "")
            raise CommandError(f"{file_name}: {error}{hint}") from error
        except OperationalError as error:
            raise CommandError(
                f"The database did not answer ({error}). Run the same command again; it goes on where it stopped."
            ) from error
        except OSError as error:
            raise CommandError(f"{file_name} can't be read: {error.strerror or error}") from error
        self.stdout.write(f"{job.total_rows:,} orders of {file_name} are job “{job.name}”, whose id is:")
        self.stdout.write(str(job.pk))
        if options["start"]:
            try:
                JobService().start(job.pk, actor=user)
            except Refused as error:
                raise CommandError(f"Job {job.pk} was imported but not started: {error}") from error

    def _user(self, username: str | None) -> User | None:
        if username is None:
            return None
        try:
            return User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            raise CommandError(f"There is no user “{username}”.") from None

    def _import(self, path: Path, file_name: str, user: User | None, options: dict[str, Any]) -> Job:
        require_readiness(name=options["name"], carrier=options["carrier"])
        with path.open("rb") as file:
            report = check_file(file, file_name=file_name, allow_duplicate=options["allow_duplicate"])
            self._tell(report)
            return import_file(
                file,
                report,
                name=options["name"],
                carrier=options["carrier"],
                created_by=user,
                stop_on_error=not options["keep_going"],
                skip_bad=options["skip_bad"],
                allow_duplicate=options["allow_duplicate"],
            )

    def _tell(self, report: FileReport) -> None:
        for notice in report.notices:
            self.stderr.write(f"Notice: {notice}")
        for error in report.errors:
            self.stderr.write(str(error))
        if report.error_count > len(report.errors):
            self.stderr.write(f"… and {report.error_count - len(report.errors):,} more errors.")
        if report.bad_rows:
            self.stderr.write(f"{report.error_count:,} errors in {report.bad_rows:,} of {report.rows:,} rows.")
