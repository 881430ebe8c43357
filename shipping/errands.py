"""What people have workers ask the carrier for, beside buying: voids, questions about rows in doubt, comparisons."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from shipping import liveness
from shipping.comparing.ordering import order_comparison
from shipping.models import Job
from shipping.models.clock import book_now
from shipping.pace import lift
from shipping.reads import JobReads
from shipping.refusals import Refused, lock_job
from shipping.rows import CHUNK_ROWS
from shipping.runs import record
from shipping.states import EventKind, RowStatus, Sweep


class JobErrands(JobReads):
    """The part of `shipping.services.JobService` that orders errands; workers and housekeeping run them."""

    @transaction.atomic
    def void_labels(self, job_id: int, *, actor: User | None = None, reason: str = "", mark: int | None = None) -> Job:
        """Have the labels of a cancelled, completed or failed job voided, up to the newest one shown (`mark`).

        The rows stay as they are; the workers do it in a sweep. Raises UnknownJob, Refused.
        """
        job = lock_job(job_id)
        if job.is_open:
            raise Refused(
                _("“%(job)s” is %(status)s. Cancel it first.")
                % {"job": job.name, "status": job.get_status_display().lower()}
            )
        if job.sweep:
            raise Refused(_("Labels of “%(job)s” are being voided already.") % {"job": job.name})
        facts = self.facts(job, mark)
        job.sweep = Sweep.void
        job.sweep_next_row = 1
        job.sweep_mark = facts.mark
        job.sweep_void = True
        job.save()
        record(job, EventKind.void_requested, actor=actor, reason=reason, shown=asdict(facts))
        return job

    @transaction.atomic
    def check_again(
        self, job_id: int, *, rows: Collection[int] | None = None, actor: User | None = None, reason: str = ""
    ) -> int:
        """Queue the question about every row that owes an answer, in review or not, or about those of `rows` (ids, at
        most CHUNK_ROWS of them); a worker asks the carrier. Those that were answered longest ago go first.

        Returns of how many the label is not known; rows that were bought and still owe an answer are asked about,
        too. Raises UnknownJob.
        """
        job = lock_job(job_id)
        lift(job.carrier)
        waiting = job.rows.owed().exclude(run__in=liveness.live_run_ids(job_id))
        if rows is not None:
            waiting = waiting.filter(pk__in=rows)
        first = waiting.order_by(F("answered_at").asc(nulls_first=True), "due")
        chosen = job.rows.filter(pk__in=list(first.values_list("pk", flat=True)[:CHUNK_ROWS]))
        numbers = list(chosen.exclude(status=RowStatus.completed).order_by("number").values_list("number", flat=True))
        if chosen.update(ask_after=book_now(), questions_failed=0):
            only = chosen.get() if rows is not None and len(rows) == 1 else None
            told: dict[str, Any] = {} if rows is None else {"numbers": numbers}
            record(job, EventKind.check_requested, row=only, actor=actor, reason=reason, rows=len(numbers), **told)
        return len(numbers)

    def compare(self, job_id: int, *, actor: User | None = None, reason: str = "") -> bool:
        """Have a worker compare a job with the carrier's own list; false when that is ordered already. Raises
        UnknownJob.
        """
        return order_comparison(job_id, actor=actor, reason=reason)
