"""`manage.py set_sender`: the address that parcels come from."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shipping.orders.senders import SenderRefused, set_sender

REQUIRED = ("name", "street1", "city", "state", "zip", "country", "phone")
OPTIONAL = ("company", "street2", "email")


class Command(BaseCommand):
    help = "Set the sender of all jobs to come. Jobs that are there keep theirs."

    def add_arguments(self, parser: CommandParser) -> None:
        for field in REQUIRED:
            parser.add_argument(f"--{field}", required=True)
        for field in OPTIONAL:
            parser.add_argument(f"--{field}", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = set_sender(**{field: options[field] for field in (*REQUIRED, *OPTIONAL)})
        except SenderRefused as error:
            lines = [f"  --{field}: {message}" for field, message in error.problems.items()]
            raise CommandError("\n".join(["The sender was not set.", *lines])) from error
        what = "The sender is now" if result.changed else "The sender is still"
        self.stdout.write(f"{what} {result.sender}.")
