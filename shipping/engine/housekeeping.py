"""Housekeeping: what has to be done for jobs that no run works on. One function, `Housekeeper.round`, run by idle
workers, as a periodic task where the engine has them, and by `manage.py housekeeping`.
"""

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.db.models import F

from shipping.carriers.registry import carrier_names
from shipping.comparing.ordering import look_after_comparisons
from shipping.engine import books, filing
from shipping.engine.letters import Inbox
from shipping.engine.loop import BREATH_SECONDS
from shipping.engine.pacing import pacer_of
from shipping.engine.wire import Wire
from shipping.liveness import live_run_ids, may_start
from shipping.models import Job, Label, Row, Run
from shipping.models.clock import book_now, local_seconds
from shipping.orders.upload_upkeep import look_after_uploads
from shipping.pace import resting
from shipping.runs import queue_after_commit, record, ship_task
from shipping.states import OPEN_JOB_STATUSES, EventKind, JobStatus, Sweep
from shipping.tickets import tickets_wait

logger = logging.getLogger("onceship.housekeeping")

# One round stays short, so that an idle worker hears of new work.
ROUND_SECONDS = 2.0
JOBS_A_ROUND = 20
PATIENCE_SECONDS = 0.2


class Housekeeper:
    """Asks about doubts of jobs that are interrupted, paused, cancelled or over; sends voids; fetches label files;
    asks how refunds stand; carries out sweeps of jobs that are over; queues lost tickets again, of runs, uploads and
    comparisons.
    """

    def __init__(self, wire: Wire, wanted: Callable[[], bool] = lambda: False) -> None:
        """`wanted`: whether the process is called to other work; then a round ends as soon as it can."""
        self.wire = wire
        self.wanted = wanted

    def run(self, seconds: float) -> None:
        """Rounds until there is nothing to do or so many seconds are over, and then the answers of what is still
        out: for a process that ends afterwards.
        """
        ends_at = local_seconds() + seconds
        while self.round() and local_seconds() < ends_at:
            pass
        ends_at = local_seconds() + settings.REQUEST_TIMEOUT_SECONDS
        while self.wire.expects_answers and local_seconds() < ends_at:
            self.file_answers()

    def file_answers(self) -> bool:
        """File what came back, waiting a moment for what is out; true when something was there."""
        for carrier in carrier_names():
            pacer_of(carrier).keep()
        replies = self.wire.collect(PATIENCE_SECONDS if self.wire.errands.waiting else 0.0)
        filing.file_late(self.wire, replies)
        return bool(replies)

    def round(self) -> bool:
        """File what came back and send what is due, for ROUND_SECONDS at most, or until wanted elsewhere. True while
        there is or may soon be more to do: something was sent, or is still out.
        """
        ends_at = local_seconds() + ROUND_SECONDS
        busy = bool(self._queue_lost_runs_again() + look_after_uploads() + look_after_comparisons())
        while True:
            filed = self.file_answers()
            served = [self._serve(job_id, carrier) for job_id, carrier in self._jobs_with_errands()]
            busy = busy or filed or any(served)
            if not any(served) and not filed:
                return busy or self.wire.expects_answers
            if local_seconds() > ends_at or self.wanted():
                return True

    def _serve(self, job_id: int, carrier: str) -> bool:
        """Send what one job has to ask, as far as there is room; true when something was sent or swept. A job that
        can't be served now must not keep others from it.
        """
        began = local_seconds()
        try:
            wishes = pacer_of(carrier).allow(books.Wishes(errands=self.wire.errands.free))
            outcome = books.tick(job_id, Inbox(), wishes)
        except filing.TRY_AGAIN as error:
            filing.let_go_of_database(error)
            return False
        except Exception:
            logger.exception("Housekeeping for job %s failed.", job_id)
            return False
        for letter in outcome.letters:
            self.wire.send(letter)
        if outcome.sweeping:
            # As long as this chunk has held the write lock, others may have it.
            time.sleep(max(BREATH_SECONDS, local_seconds() - began))
        return bool(outcome.letters) or outcome.sweeping

    def _jobs_with_errands(self) -> list[tuple[int, str]]:
        """Jobs that no live run looks after and that have something due, each with its carrier. Nothing is due at a
        carrier that is to be left alone.
        """
        now = book_now()
        asleep = resting()
        manned = Run.objects.filter(pk__in=live_run_ids()).values("job")
        owed = Row.objects.owed().filter(ask_after__lte=now).exclude(job__in=manned).exclude(account__in=asleep)
        voids = Label.objects.void_may_have_begun().filter(void_after__lte=now, row__due__isnull=True)
        voids = voids.exclude(job__in=manned).exclude(account__in=asleep)
        files = Label.objects.file_missing().filter(fetch_after__lte=now)
        files = files.exclude(job__in=manned).exclude(account__in=asleep)
        refunds = Label.objects.refund_open().filter(refund_ask_after__lte=now)
        refunds = refunds.exclude(job__in=manned).exclude(account__in=asleep)
        sweeps = Job.objects.exclude(sweep=Sweep.none).exclude(status__in=OPEN_JOB_STATUSES)
        # Nothing is open in these, and nobody is there to say so.
        dropped = Label.objects.rebuy_unsent().exclude(job__status__in=OPEN_JOB_STATUSES)
        done = Job.objects.running().filter(processed_rows=F("total_rows"), error_code="").exclude(pk__in=manned)
        found: list[int] = []
        for jobs in (
            owed.values_list("job", flat=True),
            voids.values_list("job", flat=True),
            sweeps.values_list("pk", flat=True),
            dropped.values_list("job", flat=True),
            done.values_list("pk", flat=True),
            files.values_list("job", flat=True),
            refunds.values_list("job", flat=True),
        ):
            found += jobs.order_by().distinct()[:JOBS_A_ROUND]
        carriers = dict(Job.objects.filter(pk__in=found).values_list("pk", "carrier")) if found else {}
        return [(job_id, carriers[job_id]) for job_id in list(dict.fromkeys(found))[:JOBS_A_ROUND]]

    def _queue_lost_runs_again(self) -> int:
        """Queue issued runs again that no task engine brought within a lease. `queued` is set under the job's lock,
        so this happens at most once a lease.
        """
        before = book_now() - settings.LEASE_SECONDS
        lost = Run.objects.issued().filter(queued__lt=before, job__status=JobStatus.running, job__error_code="")
        current = lost.filter(epoch=F("job__epoch")).order_by("queued").values_list("pk", "job")[:JOBS_A_ROUND]
        if not current or tickets_wait(ship_task(first=True)) or tickets_wait(ship_task()):
            return 0
        return sum(self._queue_again(run_id, job_id) for run_id, job_id in current)

    @transaction.atomic
    def _queue_again(self, run_id: int, job_id: int) -> bool:
        job = Job.objects.lock(job_id)
        now = book_now()
        siblings = list(job.runs.open())
        run = next((each for each in siblings if each.pk == run_id), None)
        if run is None or run.queued >= now - settings.LEASE_SECONDS:
            return False
        # Also for one that may not start now: it goes to the end of the line, and holds up no other.
        run.queued = now
        run.save(update_fields=["queued"])
        if not may_start(run, job, siblings, now):
            return False
        record(job, EventKind.run_requeued, run=run)
        queue_after_commit(run)
        return True
