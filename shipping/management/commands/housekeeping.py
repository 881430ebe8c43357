"""`manage.py housekeeping`: what idle workers do, for a schedule."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from shipping.engine.housekeeping import Housekeeper
from shipping.engine.wire import process_wire
from shipping.labels import note_lost_files


class Command(BaseCommand):
    help = (
        "Ask the carriers about rows in doubt, send voids that are owed, fetch missing label files and queue lost"
        " runs again, for jobs that no worker looks after."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, default=60.0, help="End after this long at most (default: 60).")
        parser.add_argument(
            "--verify-files", action="store_true", help="First look whether every label's file is in the storage."
        )

    def handle(self, *args: Any, seconds: float, verify_files: bool, **options: Any) -> None:
        if verify_files:
            self.stdout.write(f"Label files lost and to be fetched again: {note_lost_files()}")
        Housekeeper(process_wire()).run(seconds)
