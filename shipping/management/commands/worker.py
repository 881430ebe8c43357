"""`manage.py worker`: a process that ships jobs."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.crypto import get_random_string

from shipping.engine.worker import ShippingWorker


class Command(BaseCommand):
    help = "Ship the jobs that are waiting, and keep house in between. SIGTERM ends it in an orderly way."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--until-idle", action="store_true", help="End when no run waits in the queue and nothing is left to ask."
        )

    def handle(self, *args: Any, until_idle: bool, **options: Any) -> None:
        worker = ShippingWorker(worker_id=get_random_string(16), until_idle=until_idle)
        worker.configure_signals()
        worker.run()
