"""Which rows of a job its table shows: all, or those in one state."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from shipping.conditions import IN_DOUBT, ROW_NAMES
from shipping.models.row import RowQuerySet
from shipping.services import JobService
from shipping.states import RowStatus
from shipping.views.standing import Standing

# In the order of the bar.
FILTERS = (
    RowStatus.completed.value,
    RowStatus.in_flight.value,
    IN_DOUBT,
    RowStatus.needs_review.value,
    RowStatus.failed.value,
    RowStatus.skipped.value,
    RowStatus.pending.value,
)
# Rows in flight are those that somebody waits for and those in doubt.
FILTER_NAMES: dict[str, str | Promise] = {**ROW_NAMES, RowStatus.in_flight: gettext_lazy("Sent, not answered")}


@dataclass(frozen=True, slots=True)
class RowFilter:
    """A choice above the table of rows, with how many rows it would show."""

    value: str
    name: str
    count: int


def chosen_filter(text: str) -> str:
    """The filter that a query string names; "" for all rows, also when it names nothing that exists."""
    return text if text in FILTERS else ""


def row_filters(standing: Standing) -> list[RowFilter]:
    """The filters that would show something, from what is known already."""
    counts = standing.bar.counts
    numbers = {
        RowStatus.completed: counts.get("bought", 0),
        RowStatus.in_flight: standing.in_flight + standing.in_doubt,
        IN_DOUBT: standing.in_doubt,
        RowStatus.needs_review: standing.in_review,
        RowStatus.failed: counts.get("failed", 0),
        RowStatus.skipped: counts.get("skipped", 0),
        RowStatus.pending: counts.get("waiting", 0),
    }
    return [RowFilter(value, str(FILTER_NAMES[value]), numbers[value]) for value in FILTERS if numbers[value]]


def filtered_rows(standing: Standing, row_filter: str) -> RowQuerySet:
    """The job's rows that a filter chooses, by row number."""
    service = JobService()
    if row_filter == IN_DOUBT:
        return service.rows_in_doubt(standing.job.pk, standing.live_runs)
    if row_filter == RowStatus.in_flight:
        return service.rows_in_the_air(standing.job.pk)
    return service.get_rows(standing.job.pk, row_filter or None)
