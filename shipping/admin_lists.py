"""Lists of the admin that cost the same however much there is: counted only so far, sought in by index."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from shipping.carriers.registry import carrier_names
from shipping.models import Row
from shipping.models.search_key import reference_key
from shipping.states import RowStatus

# So far a list is counted and paged through; what lies beyond is found by its filters and its search.
COUNTED = 5_000


class BoundedPaginator(Paginator[Any]):
    """Pages of the first COUNTED records of a list."""

    @cached_property
    def count(self) -> int:
        """How many records there are, COUNTED at most."""
        records = self.object_list
        if not isinstance(records, QuerySet):
            return min(len(records), COUNTED)
        # In the list's own order: the index that gives its first page gives these, too.
        return len(records.values_list("pk", flat=True)[:COUNTED])


class RowStatusFilter(admin.ChoicesFieldListFilter):
    """Rows of one state, each found by the index of that state."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        found = super().queryset(request, queryset)
        if found is not None and self.lookup_val and RowStatus.in_flight in self.lookup_val:
            # All of these owe an answer (the books check it), and the index of debts finds them.
            found = found.filter(pk__in=Row.objects.owed().filter(status=RowStatus.in_flight).values("pk"))
        return found


def rows_sought(rows: QuerySet[Any], term: str, *, of_one_job: bool) -> QuerySet[Any]:
    """Rows of an order's reference; in the list of one job a number is that of the row."""
    # What has more digits is no row's number, and no column holds it.
    if of_one_job and term.isascii() and term.isdigit() and len(term) < 10:
        return rows.filter(number=int(term))
    return rows.filter(reference_key=reference_key(term) or None)


def labels_sought(labels: QuerySet[Any], term: str) -> QuerySet[Any]:
    """Labels of a tracking number, or of the carrier's own id."""
    purchase = Q(account__in=carrier_names(), purchase_id=term)
    return labels.filter(Q(tracking_key=reference_key(term) or None) | purchase)
