"""The one door for people's commands on jobs."""

from dataclasses import asdict, dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from shipping.carriers.registry import carrier_names
from shipping.errands import JobErrands
from shipping.models import Job, Sender
from shipping.models.row import RowQuerySet
from shipping.pace import lift
from shipping.reads import Facts
from shipping.refusals import (
    FactsMoved,
    IllegalTransition,
    NotInterrupted,
    Refused,
    UnknownJob,
    lock_job,
    require_interrupted,
    require_same_facts,
    require_undecided,
)
from shipping.rows import CHUNK_ROWS, RETRIED
from shipping.runs import end_runs, issue_runs, record
from shipping.states import JOB_TRANSITIONS, EventKind, JobStatus, RowStatus, RunEnd, Sweep

__all__ = ["FactsMoved", "IllegalTransition", "JobService", "NotInterrupted", "Outcome", "Refused", "UnknownJob"]

NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did: the job as it is now, and what was in the air at that moment."""

    job: Job
    in_flight_rows: int


class JobService(JobErrands):
    """Every method opens its own transaction under the job's lock; each command answers at once, and what takes
    long is left to the workers as a sweep.
    """

    # --- Commands ----------------------------------------------------------------------------------------

    def create_job(
        self,
        *,
        name: str,
        carrier: str,
        sender: Sender,
        created_by: User | None = None,
        stop_on_error: bool = True,
        file_name: str = "",
        file_digest: str = "",
        file_columns: list[str] | None = None,
        import_complete: bool = True,
    ) -> Job:
        """A new job without rows. Raises Refused for a carrier that is not configured and a name that is empty or
        too long.
        """
        if carrier not in carrier_names():
            raise Refused(
                _("No carrier named %(carrier)r is configured; there is %(carriers)s.")
                % {"carrier": carrier, "carriers": ", ".join(carrier_names())}
            )
        if not 0 < len(name.strip()) <= NAME_LENGTH:
            raise Refused(_("A job needs a name of at most %(letters)s letters.") % {"letters": NAME_LENGTH})
        if not name.strip().isprintable():
            raise Refused(_("The name of a job can't hold line breaks or other control characters."))
        return Job.objects.create(
            name=name.strip(),
            carrier=carrier,
            sender=sender,
            created_by=created_by,
            stop_on_error=stop_on_error,
            file_name=file_name,
            file_digest=file_digest,
            file_columns=file_columns or [],
            import_complete=import_complete,
        )

    @transaction.atomic
    def update_status(
        self, job_id: int, status: JobStatus | str, *, actor: User | None = None, reason: str = ""
    ) -> Job:
        """Move a job to another status and nothing more: no run is issued, so a job that is put to `running` like
        this is interrupted. Whatever the status, rows in doubt are still asked about.

        Raises UnknownJob, or IllegalTransition, which says what is possible.
        """
        job = lock_job(job_id)
        self._move(job, JobStatus(status))
        self._new_epoch(job)
        kind = {
            JobStatus.running: EventKind.started,
            JobStatus.paused: EventKind.paused,
            JobStatus.completed: EventKind.completed,
            JobStatus.failed: EventKind.failed,
            JobStatus.cancelled: EventKind.cancelled,
        }[JobStatus(status)]
        record(job, kind, actor=actor, reason=reason)
        job.save()
        return job

    @transaction.atomic
    def start(self, job_id: int, *, actor: User | None = None, reason: str = "") -> Job:
        """Start a job, or carry on one that was paused. Raises Refused, IllegalTransition or UnknownJob."""
        job = lock_job(job_id)
        if not job.import_complete:
            raise Refused(
                _("“%(job)s” is not wholly imported. Import the same file again to finish it.") % {"job": job.name}
            )
        if not job.total_rows:
            raise Refused(_("“%(job)s” has no rows.") % {"job": job.name})
        kind = EventKind.resumed if job.status == JobStatus.paused else EventKind.started
        if job.stop_on_error:
            # What halted it before the pause, and what was rejected since: the pause raised the epoch by one.
            self._retry_rows(job, job.rows.filter(status=RowStatus.failed, failed_epoch__gte=job.epoch - 1))
        self._move(job, JobStatus.running)
        self._clear_error(job)
        self._new_epoch(job)
        job.started_at = job.started_at or timezone.now()
        job.save()
        record(job, kind, actor=actor, reason=reason)
        issue_runs(job)
        return job

    @transaction.atomic
    def pause(self, job_id: int, *, actor: User | None = None, reason: str = "") -> Outcome:
        """Stop claiming rows; what is in the air is still settled. `start` carries on."""
        return self._stop(job_id, JobStatus.paused, EventKind.paused, actor=actor, reason=reason)

    @transaction.atomic
    def cancel(
        self,
        job_id: int,
        *,
        actor: User | None = None,
        reason: str = "",
        expected: Facts | None = None,
        only_interrupted: bool = False,
    ) -> Outcome:
        """Stop for good: no further row is claimed. Purchases in the air may still complete and are recorded,
        rows in doubt are still asked about. Raises UnknownJob, IllegalTransition, NotInterrupted, FactsMoved.
        """
        if only_interrupted:
            require_interrupted(lock_job(job_id))
        return self._stop(
            job_id, JobStatus.cancelled, EventKind.cancelled, actor=actor, reason=reason, expected=expected
        )

    @transaction.atomic
    def resume(
        self,
        job_id: int,
        *,
        actor: User | None = None,
        reason: str = "",
        expected: Facts | None = None,
        retry_failed: bool = False,
        skip_failed_row: bool = False,
    ) -> Outcome:
        """Carry an interrupted job on in file order. The row that halted it, and all that were rejected since,
        are tried again; with `skip_failed_row` the halting row is left out instead. `retry_failed` tries all
        failed rows again, in a sweep. Raises UnknownJob, NotInterrupted, FactsMoved, Refused.
        """
        job = lock_job(job_id)
        require_interrupted(job)
        require_same_facts(job, expected)
        shown = self.facts(job)
        skipped = self._skip_halting_row(job, actor, expected) if skip_failed_row else None
        if job.stop_on_error:
            retried = self._retry_rows(job, job.rows.filter(status=RowStatus.failed, failed_epoch=job.epoch))
        else:
            retried = 0
        if retry_failed and not job.sweep:
            job.sweep = Sweep.retry
            job.sweep_next_row = 1
        error = {"code": job.error_code, "message": job.error_message, "row": job.error_row_number}
        self._clear_error(job)
        self._new_epoch(job)
        job.save()
        lift(job.carrier)
        record(
            job,
            EventKind.resumed,
            actor=actor,
            reason=reason,
            shown=asdict(shown),
            error=error,
            retried_rows=retried,
            skipped_row=skipped,
            retry_failed=retry_failed,
        )
        issue_runs(job)
        return Outcome(job=job, in_flight_rows=_in_flight(job))

    @transaction.atomic
    def restart(
        self,
        job_id: int,
        *,
        expected: Facts,
        actor: User | None = None,
        reason: str = "",
        void_first: bool = False,
    ) -> Outcome:
        """Buy again exactly the labels that were shown: those of completed rows up to `expected.mark`. With
        `void_first`, each is voided before. Failed rows are tried again; rows in doubt are asked about first.
        Raises UnknownJob, NotInterrupted, FactsMoved.
        """
        job = lock_job(job_id)
        require_interrupted(job)
        require_same_facts(job, expected, with_labels=True)
        self._clear_error(job)
        self._new_epoch(job)
        job.sweep = Sweep.restart
        job.sweep_next_row = 1
        job.sweep_mark = expected.mark
        job.sweep_void = void_first
        job.save()
        lift(job.carrier)
        record(
            job,
            EventKind.restarted,
            actor=actor,
            reason=reason,
            shown=asdict(expected),
            void_first=void_first,
        )
        issue_runs(job)
        return Outcome(job=job, in_flight_rows=_in_flight(job))

    def _move(self, job: Job, status: JobStatus) -> None:
        allowed = JOB_TRANSITIONS[JobStatus(job.status)]
        if status not in allowed:
            possible = ", ".join(sorted(str(JobStatus(each).label).lower() for each in allowed))
            raise IllegalTransition(
                _("“%(job)s” is %(before)s and can't become %(after)s; possible: %(possible)s.")
                % {
                    "job": job.name,
                    "before": job.get_status_display().lower(),
                    "after": str(status.label).lower(),
                    "possible": possible or _("nothing any more"),
                }
            )
        job.status = status
        if job.is_over:
            job.ended_at = timezone.now()
            job.sweep = Sweep.none

    def _new_epoch(self, job: Job) -> None:
        """Fence every older run: after this commit none of them claims a row."""
        end_runs(job, live=RunEnd.fenced)
        job.epoch += 1

    def _clear_error(self, job: Job) -> None:
        job.error_code = job.error_message = ""
        job.error_row_number = None

    def _stop(
        self,
        job_id: int,
        status: JobStatus,
        kind: EventKind,
        *,
        actor: User | None,
        reason: str,
        expected: Facts | None = None,
    ) -> Outcome:
        job = lock_job(job_id)
        require_same_facts(job, expected)
        shown = self.facts(job)
        self._move(job, status)
        self._new_epoch(job)
        job.save()
        in_flight = _in_flight(job)
        record(job, kind, actor=actor, reason=reason, shown=asdict(shown), in_flight_rows=in_flight)
        return Outcome(job=job, in_flight_rows=in_flight)

    def _skip_halting_row(self, job: Job, actor: User | None, expected: Facts | None) -> int | None:
        row = self.halting_row(job)
        if row is None:
            raise Refused(_("There is no failed row to skip."))
        require_undecided(job, row, expected)
        skipped = job.rows.filter(pk=row.pk, status=row.status).update(
            status=RowStatus.skipped, run=None, failed_epoch=None
        )
        if row.status == RowStatus.failed:
            job.failed_rows -= skipped
        else:
            job.processed_rows += skipped
        record(job, EventKind.skipped, row=row, actor=actor, error=row.error_message or job.error_message)
        return row.number

    def _retry_rows(self, job: Job, rows: RowQuerySet) -> int:
        """Set failed rows to be bought, at most CHUNK_ROWS: those rejected in one epoch of a job that halts at the
        first are no more than its runs had in the air.
        """
        chosen = list(rows.order_by("number").values_list("pk", flat=True)[:CHUNK_ROWS])
        retried = job.rows.filter(pk__in=chosen, status=RowStatus.failed).update(**RETRIED)
        job.processed_rows -= retried
        job.failed_rows -= retried
        return retried


def _in_flight(job: Job) -> int:
    """Rows whose purchase was sent and whose outcome is not known."""
    return job.rows.owed().filter(status=RowStatus.in_flight).count()
