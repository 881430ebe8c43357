"""One bar of a job's rows: how many are bought, being bought, in doubt, in review, failed, skipped and waiting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipping import liveness
from shipping.models import Job, Row
from shipping.models.row import RowQuerySet
from shipping.states import RowStatus

# In the order in which the bar shows them; the keys name the colours and patterns of the stylesheet.
STATE_NAMES: Mapping[str, str | Promise] = {
    "bought": gettext_lazy("Bought"),
    "buying": gettext_lazy("Being bought now"),
    "doubt": gettext_lazy("In doubt"),
    "review": gettext_lazy("Need a decision"),
    "failed": gettext_lazy("Failed"),
    "skipped": gettext_lazy("Skipped"),
    "waiting": gettext_lazy("Waiting"),
}
# One row of a hundred thousand is still to be seen; in percent of the bar.
LEAST_WIDTH = 0.7


@dataclass(frozen=True, slots=True)
class Segment:
    """One state's part of the bar. `x` and `width` are SVG lengths in percent, written for a machine."""

    state: str
    count: int
    x: str
    width: str

    @property
    def name(self) -> str:
        return str(STATE_NAMES[self.state])

    @property
    def fill(self) -> str:
        """The pattern that `shipping/patterns.html` defines."""
        return f"url(#pattern-{self.state})"


@dataclass(frozen=True, slots=True)
class RowsBar:
    """The rows of a job by their state; states without rows are left out."""

    job_name: str
    total: int
    segments: tuple[Segment, ...]

    @property
    def sentence(self) -> str:
        """The whole bar in words, for those who do not see it."""
        if not self.segments:
            return _("“%(name)s” has no rows.") % {"name": self.job_name}
        parts = ", ".join(f"{segment.name}: {intcomma(segment.count)}" for segment in self.segments)
        return _("The %(total)s rows of “%(name)s”. %(parts)s.") % {
            "total": intcomma(self.total),
            "name": self.job_name,
            "parts": parts,
        }

    @property
    def legend(self) -> list[Segment]:
        """What stands beside the bar: its states with their numbers, and always how many are bought."""
        bought = [] if "bought" in self.counts else [Segment(state="bought", count=0, x="0%", width="0%")]
        return [*bought, *self.segments]

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows in each state that has some."""
        return {segment.state: segment.count for segment in self.segments}


def rows_bar(job: Job, *, in_flight: int, in_doubt: int, in_review: int) -> RowsBar:
    """The bar of one job, from its counters and three counts that the page has asked for already: rows that a live
    run is buying, rows in doubt, rows in review. Makes no query.
    """
    open_rows = in_flight + in_doubt + in_review
    counts = {
        "bought": job.successful_rows,
        "buying": in_flight,
        "doubt": in_doubt,
        "review": in_review,
        "failed": job.failed_rows,
        "skipped": job.skipped_rows,
        # The counters and the counts are read one after the other, while rows may move.
        "waiting": max(0, job.remaining_rows - open_rows),
    }
    shown = {state: count for state, count in counts.items() if count > 0}
    return RowsBar(job_name=job.name, total=job.total_rows, segments=_segments(shown))


def _segments(counts: Mapping[str, int]) -> tuple[Segment, ...]:
    """Widths by number, but no state so narrow that it can't be seen; together always the whole bar."""
    whole = sum(counts.values())
    widths = [max(LEAST_WIDTH, 100 * count / whole) for count in counts.values()]
    scale = 100 / sum(widths) if widths else 0
    segments, x = [], 0.0
    for (state, count), width in zip(counts.items(), widths, strict=True):
        segments.append(Segment(state=state, count=count, x=f"{x:.3f}%", width=f"{width * scale:.3f}%"))
        x += width * scale
    return tuple(segments)


def rows_bars(jobs: Sequence[Job]) -> dict[int, RowsBar]:
    """The bars of several jobs by their ids, in a fixed number of queries."""
    rows = Row.objects.filter(job__in=[job.pk for job in jobs]).order_by()
    live_runs = liveness.live_run_ids()
    in_flight = _by_job(rows.owed().filter(status=RowStatus.in_flight, run__in=live_runs))
    in_doubt = _by_job(rows.in_doubt(live_runs))
    in_review = _by_job(rows.in_review())
    return {
        job.pk: rows_bar(
            job,
            in_flight=in_flight.get(job.pk, 0),
            in_doubt=in_doubt.get(job.pk, 0),
            in_review=in_review.get(job.pk, 0),
        )
        for job in jobs
    }


def _by_job(rows: RowQuerySet) -> dict[int, int]:
    """How many of these rows each job has."""
    return dict(rows.values_list("job").annotate(Count("pk")))
