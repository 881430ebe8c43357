"""`manage.py sandbox`: the carrier on a laptop (docs/sandbox.md)."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from shipping.sandbox.options import add_options
from shipping.sandbox.server import StartError, serve


class Command(BaseCommand):
    """Run the sandbox carrier until it is told to stop."""

    help = "Runs the sandbox carrier: it speaks EasyPost's API on 127.0.0.1 and sells labels that are worth nothing."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """See `manage.py sandbox --help`."""
        add_options(parser, default_database=settings.BASE_DIR / "var" / "sandbox.sqlite3")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve; raises CommandError when the port or the file can't be used."""
        try:
            serve(
                port=options["port"],
                database=options["database"],
                host=options["host"],
                rates_expire_after=options["rates_expire_after"],
            )
        except StartError as error:
            raise CommandError(str(error)) from error
