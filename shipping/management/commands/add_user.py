"""`manage.py add_user NAME [--admin]`: an account for a clerk or for admin staff."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from shipping.project.accounts import AccountExists, add_user


class Command(BaseCommand):
    help = "Makes an account with a random password and prints the password, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--admin", action="store_true", help="may do everything, in the Django admin too")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            password = add_user(options["name"], admin=options["admin"])
        except AccountExists as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(password)
