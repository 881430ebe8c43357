"""What the pages, the terminal and the recovery read about jobs, each in a fixed number of quick queries."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, Sum

from shipping import liveness
from shipping.models import Event, Job, Label, Orphan, Row, Run
from shipping.models.comparison import OrphanQuerySet
from shipping.models.job import JobQuerySet
from shipping.models.row import RowQuerySet
from shipping.states import JobStatus, RowStatus, Sweep


@dataclass(frozen=True, slots=True)
class Facts:
    """What a choice was made from. Restart also looks at the labels up to `mark`, the newest one shown;
    `labelled_cents` is what the labels of the completed rows up to it cost. `seen_event` is not compared:
    it tells what happened since.
    """

    epoch: int
    status: str
    error_row_number: int | None
    mark: int
    labelled_rows: int
    labelled_cents: int
    seen_event: int


class JobReads:
    """The reading half of `shipping.services.JobService`."""

    def list_jobs(self, status: JobStatus | str | None = None, limit: int = 50) -> list[Job]:
        """The newest jobs, of one status or of all."""
        jobs = Job.objects.all() if status is None else Job.objects.filter(status=JobStatus(status))
        return list(jobs.order_by("-pk")[:limit])

    def get_job(self, job_id: int) -> Job | None:
        """The job, or None when there is none of that id."""
        return Job.objects.filter(pk=job_id).first()

    def halting_row(self, job: Job) -> Row | None:
        """The row at which a job stopped, as long as it can be tried again or left out. None where no row stopped it,
        and for one whose purchase was answered after all: it may be bought by now, or in review.
        """
        return job.rows.filter(
            number=job.error_row_number or 0, status__in=[RowStatus.failed, RowStatus.pending]
        ).first()

    def find_job(self, name: str) -> Job | None:
        """The job of that code (in any case) or, failing that, of that id; None when there is none."""
        job = Job.objects.filter(code=name.strip().upper()).first()
        if job is None and name.strip().isdecimal():
            job = self.get_job(int(name))
        return job

    def get_rows(self, job_id: int, status: RowStatus | str | None = None) -> RowQuerySet:
        """The job's rows by row number, lazily."""
        rows = Row.objects.filter(job=job_id).order_by("number")
        return rows if status is None else rows.filter(status=RowStatus(status))

    def get_runs(self, job_id: int) -> QuerySet[Run]:
        """The job's runs in the order they were issued."""
        return Run.objects.filter(job=job_id).order_by("pk")

    def get_events(self, job_id: int) -> QuerySet[Event]:
        """The job's events, the newest first."""
        return Event.objects.filter(job=job_id).select_related("actor", "row").order_by("-pk")

    def interrupted_jobs(self) -> JobQuerySet:
        """Jobs that nobody works on though they should be, the latest first; each with `last_sign_at`."""
        return liveness.interrupted_jobs()

    def jobs_waiting_for_person(self) -> JobQuerySet:
        """Jobs that have nothing left but rows that a person has to decide; the newest first."""
        return liveness.waiting_for_person()

    def condition(self, job: Job) -> liveness.Condition:
        """How the job stands, with "running" told apart."""
        return liveness.condition(job)

    def rows_in_doubt(self, job_id: int, live_runs: Iterable[int] | None = None) -> RowQuerySet:
        """Rows of which nobody knows whether their label was bought, by row number. `live_runs` are the job's live
        runs, where they are known already.
        """
        live_runs = liveness.live_run_ids(job_id) if live_runs is None else live_runs
        return _found_by_debt(Row.objects.filter(job=job_id).in_doubt(live_runs))

    def rows_in_the_air(self, job_id: int) -> RowQuerySet:
        """Rows whose purchase was sent and not answered, whether anybody waits for it or not, by row number."""
        return _found_by_debt(Row.objects.filter(job=job_id).owed().filter(status=RowStatus.in_flight))

    def labelled_rows(self, job_id: int, mark: int) -> RowQuerySet:
        """Completed rows whose label is not newer than the label `mark`, with their labels, by row number."""
        return self.get_rows(job_id, RowStatus.completed).filter(label__lte=mark).select_related("label")

    def last_label(self, job_id: int) -> Label | None:
        """The label recorded last, with its row."""
        return Label.objects.filter(job=job_id).select_related("row").order_by("-pk").first()

    def highest_completed_row(self, job_id: int) -> Row | None:
        """The completed row with the highest number, with its label."""
        rows = self.get_rows(job_id, RowStatus.completed)
        return rows.select_related("label").order_by("-number").first()

    def restart_left(self, job: Job) -> tuple[int, int]:
        """How many labels a restart that was cut short has still to buy again, and what they cost, in cents."""
        if job.sweep == Sweep.restart:
            unswept = self.facts(job, job.sweep_mark)
            return unswept.labelled_rows, unswept.labelled_cents
        ordered = Label.objects.rebuy_owed().filter(job=job).order_by().values("pk")
        waiting = self.get_rows(job.pk).owed().filter(rebuy=True).order_by().values("label")
        # Each found by its own index; with one "or" the other, PostgreSQL would go through all labels.
        left = Label.objects.filter(pk__in=ordered.union(waiting))
        found = left.aggregate(rows=Count("pk"), cents=Sum("cost_cents"))
        return found["rows"], found["cents"] or 0

    def voids_begun(self, job_id: int) -> int:
        """How many voids were sent to the carrier and not answered yet."""
        return Label.objects.void_may_have_begun().filter(job=job_id, void_after__gt=0).count()

    def orphans(self, job_id: int) -> OrphanQuerySet:
        """Charges that the carrier lists for the job and no label stands for, as far as the latest comparison knows."""
        return Orphan.objects.open().filter(job=job_id)

    def rows_paid_already(self, job_id: int) -> int:
        """How many rows wait to be bought though a charge for them is known, and would be paid for again; not those
        whose very shipment was sold, of which the carrier tells before it sells another.
        """
        waiting = self.orphans(job_id).filter(row__status=RowStatus.pending).exclude(row__handle=F("purchase_id"))
        return waiting.order_by().values("row").distinct().count()

    def worker_alive(self) -> bool:
        """Whether any worker process was heard of within a lease."""
        return liveness.worker_alive()

    def facts(self, job: Job, mark: int | None = None) -> Facts:
        """The facts that a choice is bound to, in a fixed number of quick queries.

        With `mark`, the completed rows are counted up to that label: those bought later, which are found by their
        labels, are taken off the job's counters.
        """
        newest = Label.objects.filter(job=job).order_by("-pk").values_list("pk", flat=True).first() or 0
        mark = newest if mark is None else mark
        later_rows, later_cents = _rows_and_cents_since(job, mark) if newest > mark else (0, 0)
        return Facts(
            epoch=job.epoch,
            status=job.status,
            error_row_number=job.error_row_number,
            mark=mark,
            labelled_rows=job.successful_rows - later_rows,
            labelled_cents=job.cost_cents - later_cents,
            seen_event=Event.objects.filter(job=job).order_by("-pk").values_list("pk", flat=True).first() or 0,
        )


def _found_by_debt(rows: RowQuerySet) -> RowQuerySet:
    """These rows that owe an answer, by row number. They are few, and the index of debts finds them; asked for in the
    order of their numbers in one step, SQLite would go through all rows of the job.
    """
    return Row.objects.filter(pk__in=rows.order_by().values("pk")).order_by("number")


def _rows_and_cents_since(job: Job, mark: int) -> tuple[int, int]:
    """How many completed rows have a newer label than the label `mark`, and what those that are paid cost, in cents."""
    theirs = Label.objects.filter(job=job, pk__gt=mark, row__status=RowStatus.completed, row__label=F("pk"))
    paid = Q(voided_at__isnull=True)
    found = theirs.order_by().aggregate(rows=Count("pk"), cents=Sum("cost_cents", filter=paid))
    return found["rows"], found["cents"] or 0
