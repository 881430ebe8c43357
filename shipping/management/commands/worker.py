"""`manage.py worker`: a process that ships jobs."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.crypto import get_random_string

from shipping.engine.process import collect_garbage_rarely
from shipping.engine.worker import ShippingWorker


class Command(BaseCommand):
    help = "Ship the jobs that are waiting, and keep house in between. SIGTERM ends it in an orderly way."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--until-idle", action="store_true", help="End when no run waits in the queue and nothing is left to ask."
        )

    def handle(self, *args: Any, until_idle: bool, **options: Any) -> None:
        worker_id = get_random_string(16)
        if settings.TASK_ENGINE == "celery":
            self._work_for_celery(worker_id, until_idle=until_idle)
            return
        collect_garbage_rarely()
        worker = ShippingWorker(worker_id=worker_id, until_idle=until_idle)
        worker.configure_signals()
        worker.run()

    def _work_for_celery(self, worker_id: str, *, until_idle: bool) -> None:
        if until_idle:
            raise CommandError(
                "--until-idle is for TASK_ENGINE=database: nobody can tell when a broker's queue is empty."
            )
        collect_garbage_rarely()
        # Here, not above: without a broker, its libraries need not be installed.
        from shipping.engine.celery_worker import CeleryWorker
        from shipping.project.celery import app

        sys.exit(CeleryWorker(app, worker_id=worker_id).run())
