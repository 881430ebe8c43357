"""What the review desk shows: the rows that a person may decide or have asked about, and why others failed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Min, QuerySet, Sum
from django.http import QueryDict

from recovery.comparison import comparison_context, standing_of
from recovery.review import DECIDABLE, decidable_at
from recovery.review_many import ManyDecision
from recovery.row_forms import ManyForm, RowForm
from recovery.shown import Reason, RowList, ShownList, Sums, sums_of, whole_sums
from shipping.liveness import live_run_ids
from shipping.models import Job, Orphan, Row
from shipping.models.clock import book_now
from shipping.models.row import RowQuerySet
from shipping.services import JobService
from shipping.states import RowStatus
from shipping.views.access import read_number
from shipping.views.live import version_of
from shipping.views.paging import KeyPage, key_page
from shipping.views.presenters import JobCard, job_cards

ROWS_ON_A_PAGE = 10
REASONS_SHOWN = 20


class ListName(StrEnum):
    """The lists of the desk, as their addresses name them."""

    doubt = "doubt"
    review = "needs_review"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the desk a person is: which list (None: the first that has rows), the rows that failed for the same
    reason as row `like`, and the page.
    """

    name: ListName | None = None
    like: int | None = None
    after: int | None = None
    before: int | None = None

    @classmethod
    def read(cls, query: QueryDict) -> "Place":
        """The place of an address; what makes no sense is left out."""
        given = query.get("status", "")
        name = ListName(given) if given in list(ListName) else None
        like, after, before = (read_number(query.get(key, "")) for key in ("like", "after", "before"))
        return cls(name, like if name == ListName.failed else None, after, before)

    @property
    def query(self) -> str:
        """The address's query string, without its question mark."""
        keys = {"status": self.name, "like": self.like, "after": self.after, "before": self.before}
        return urlencode({key: value for key, value in keys.items() if value is not None})

    @property
    def list_query(self) -> str:
        """The same for the list's first page."""
        return Place(self.name, self.like).query


@dataclass(frozen=True, slots=True)
class RowLine:
    """A row with what can be done about it now, for whoever has the rights."""

    row: Row
    is_awaited: bool
    decidable_at: datetime | None
    job_is_open: bool
    form: RowForm

    @property
    def is_in_doubt(self) -> bool:
        return self.row.status == RowStatus.in_flight and not self.is_awaited

    @property
    def may_be_asked_about(self) -> bool:
        """Whether the carrier owes an answer that nobody waits for."""
        return self.row.due is not None and not self.is_awaited

    @property
    def may_be_recorded(self) -> bool:
        """Whether the carrier may know of a purchase that our books don't."""
        return self.row.status in DECIDABLE and bool(self.row.handle)

    @property
    def may_be_decided(self) -> bool:
        return self.row.status in DECIDABLE and self.decidable_at is None

    @property
    def may_be_sent(self) -> bool:
        return self.may_be_decided and self.job_is_open

    @property
    def may_be_corrected(self) -> bool:
        """Whether a change of the order may be asked for; whether it is safe is found out then."""
        return self.job_is_open and self.row.status in (RowStatus.failed, RowStatus.pending)

    @property
    def has_choices(self) -> bool:
        return self.may_be_recorded or self.may_be_decided


def row_lines(job: Job, rows: Sequence[Row], live_runs: Collection[int]) -> list[RowLine]:
    """Lines for rows, without a query but the clock's."""
    now = book_now()
    return [
        RowLine(
            row=row,
            is_awaited=row.due is not None and row.run_id is not None and row.run_id in live_runs,
            decidable_at=decidable_at(row, now),
            job_is_open=job.is_open,
            form=RowForm.shown_with(row),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class FailedFor:
    """The rows that failed for one reason."""

    reason: Reason
    count: int
    first: int
    note: str

    @property
    def query(self) -> str:
        """The query string of the list of these rows."""
        return Place(ListName.failed, self.first).query


def failed_for(job: Job) -> list[FailedFor]:
    """The reasons why rows of a job failed, the most frequent first, at most REASONS_SHOWN of them; one query."""
    groups = (
        Row.objects.filter(job=job, status=RowStatus.failed)
        .order_by()
        .values("error_code", "error_message")
        .annotate(rows=Count("pk"), first=Min("number"), keys=Sum("pk"), attempts=Sum("attempt"), claims=Sum("claims"))
        .order_by("-rows", "first")[:REASONS_SHOWN]
    )
    found = []
    for group in groups:
        reason = Reason(group["error_code"], group["error_message"])
        note = ShownList(RowList(job.pk, RowStatus.failed, reason), whole_sums(group)).signed()
        found.append(FailedFor(reason=reason, count=group["rows"], first=group["first"], note=note))
    return found


def desk_context(job: Job, place: Place) -> dict[str, Any]:
    """All that the desk of one job shows, in a number of queries that does not grow with its rows."""
    live_runs = live_run_ids(job.pk)
    counts = _counts(job, live_runs)
    name = place.name or next((name for name in (ListName.review, ListName.doubt) if counts[name]), None)
    name = name or (ListName.failed if counts[ListName.failed] else ListName.review)
    listed = _listed(job, Place(name, place.like))
    place = Place(name, place.like if listed and listed.reason else None, place.after, place.before)
    rows = _rows_of(job, listed, live_runs)
    shown: KeyPage[Row] = key_page(rows, "number", size=ROWS_ON_A_PAGE, after=place.after, before=place.before)
    sums = sums_of(listed.rows()) if listed else None
    return {
        "job": job,
        "card": job_cards([job])[0],
        "place": place,
        "name": name.value,
        "counts": {each.value: count for each, count in counts.items()},
        "live_runs": live_runs,
        "rows": shown,
        "lines": row_lines(job, shown.items, live_runs),
        "is_first_page": not place.after and place.before is None,
        "many": _many_form(listed, sums),
        "list_rows": sums.rows if sums else counts[name],
        "reason_filter": listed.reason if listed else None,
        "reasons": failed_for(job) if name == ListName.failed and place.like is None else [],
        "decisions": ManyDecision,
        "version": _version(shown.items, counts),
        **comparison_context(job, standing_of(job)),
        "polls": True,
    }


def _counts(job: Job, live_runs: Collection[int]) -> dict[ListName, int]:
    service = JobService()
    return {
        ListName.doubt: service.rows_in_doubt(job.pk, live_runs).count(),
        ListName.review: service.get_rows(job.pk).in_review().count(),
        ListName.failed: job.failed_rows,
    }


def _listed(job: Job, place: Place) -> RowList | None:
    """The list that can be decided as a whole; None for the rows in doubt."""
    if place.name == ListName.doubt:
        return None
    if place.name == ListName.review:
        return RowList(job.pk, RowStatus.needs_review)
    if place.like is None:
        return RowList(job.pk, RowStatus.failed)
    failed = Row.objects.filter(job=job, status=RowStatus.failed, number=place.like)
    like = failed.values_list("error_code", "error_message").first()
    # A row that failed no more tells no reason: then all failed rows are shown.
    return RowList(job.pk, RowStatus.failed, Reason(*like) if like else None)


def _rows_of(job: Job, listed: RowList | None, live_runs: Collection[int]) -> RowQuerySet:
    if listed is None:
        return JobService().rows_in_doubt(job.pk, live_runs)
    return listed.rows()


def _many_form(listed: RowList | None, sums: Sums | None) -> ManyForm | None:
    if listed is None or sums is None or not sums.rows:
        return None
    return ManyForm(initial={"list": ShownList(listed, sums).signed(), "scope": ManyForm.TICKED}, auto_id="many_%s")


def _version(rows: Sequence[Row], counts: dict[ListName, int]) -> str:
    states = [(row.pk, row.status, row.attempt, row.claims, row.answer, row.answered_at) for row in rows]
    return version_of(*counts.values(), states)


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job that has something for a person to decide."""

    card: JobCard
    in_review: int
    orphans: int


def waiting_jobs() -> QuerySet[Job]:
    """Jobs with rows in review or charges that no row owns, and open ones with failed rows that can still be mended;
    the newest first.
    """
    # Each found by its own index; asked of every job instead, all jobs there ever were would be gone through.
    in_review = Row.objects.in_review().order_by().values("job")
    orphans = Orphan.objects.open().order_by().values("job")
    mendable = Job.objects.open().filter(failed_rows__gt=0).order_by().values("pk")
    return Job.objects.filter(pk__in=in_review.union(orphans, mendable)).order_by("-pk")


def waiting_lines(jobs: Sequence[Job]) -> list[WaitingJob]:
    """Lines for jobs that `waiting_jobs()` gave, in a fixed number of queries."""
    keys = [job.pk for job in jobs]
    rows = Row.objects.filter(job__in=keys).order_by()
    in_review = dict(rows.in_review().values_list("job").annotate(Count("pk")))
    charges = Orphan.objects.open().filter(job__in=keys).order_by()
    orphans = dict(charges.values_list("job").annotate(Count("pk")))
    return [
        WaitingJob(card=card, in_review=in_review.get(card.job.pk, 0), orphans=orphans.get(card.job.pk, 0))
        for card in job_cards(jobs)
    ]
