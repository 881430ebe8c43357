"""One order of a job: one label to buy."""

from collections.abc import Iterable, Mapping
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from shipping.carriers.port import Address, Order, Parcel
from shipping.models.job import Job
from shipping.models.run import Run
from shipping.models.search_key import SearchKey, name_key, reference_key, surname_key
from shipping.states import RowStatus

# After so many deaths of workers that had a row in their hands it is tried alone, before all others; after so many it
# is set aside for a person.
SUSPECT_CRASHES = 2
POISON_CRASHES = 3


class RowQuerySet(models.QuerySet["Row"]):
    def pending(self) -> Self:
        return self.filter(status=RowStatus.pending)

    def in_review(self) -> Self:
        return self.filter(status=RowStatus.needs_review)

    def owed(self) -> Self:
        """Rows whose last claim still owes an answer."""
        return self.filter(due__isnull=False)

    def in_doubt(self, live_run_ids: Iterable[int]) -> Self:
        """Rows of which nobody knows whether their label was bought: in flight, and no live run waits for the answer.

        Rows in review are a person's; rows that were bought may owe an answer too, but their label is known.
        """
        return self.owed().filter(status=RowStatus.in_flight).exclude(run__in=list(live_run_ids))

    def owed_to_us(self) -> Self:
        """Rows that owe an answer which the carrier can be asked for (those in review are a person's)."""
        return self.owed().exclude(status=RowStatus.needs_review)


class Row(models.Model):
    """One order. `order` is what is bought: the file's, or what a person corrected (the event of the correction keeps
    what it was, and the row then goes by a new attempt); everything else is the books.

    `run` is the run that is preparing the row (pending) or waiting for its answer (in flight); null when nobody is.
    `due` and `ask_after` are times that decide (see `shipping.models.clock`).

    A row is written three times before it is bought, and PostgreSQL then adds it to each index anew: so there is no
    index of jobs, which their numbered rows are found by, none of runs but for the few rows that have one, and none of
    labels, which know their row.
    """

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="rows", db_index=False)
    number = models.PositiveIntegerField(help_text=_("From 1, as in the file."))
    status = models.CharField(max_length=12, choices=RowStatus.choices, default=RowStatus.pending)
    order_reference = models.CharField(max_length=100, blank=True)
    recipient = models.CharField(max_length=100)
    name_key = SearchKey(of="recipient", make=name_key)
    surname_key = SearchKey(of="recipient", make=surname_key)
    reference_key = SearchKey(of="order_reference", make=reference_key)
    order = models.JSONField(help_text=_("The checked columns by their canonical names."))
    extra = models.JSONField(default=dict, blank=True, help_text=_("Columns that fit nothing, as they came."))

    account = models.CharField(max_length=50)
    attempt = models.PositiveIntegerField(default=1)
    handle = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 (null is "not pinned", and UNIQUE)
    claims = models.PositiveIntegerField(default=0)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    due = models.FloatField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    label = models.ForeignKey(
        "Label", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    crashes = models.PositiveSmallIntegerField(
        default=0, help_text=_("Workers that died while they prepared or bought it, since one last lived to tell.")
    )
    rebuy = models.BooleanField(default=False, help_text=_("A restart waits for the answer that this row owes."))

    error_code = models.CharField(max_length=100, blank=True)
    error_message = models.TextField(blank=True)
    failed_epoch = models.PositiveIntegerField(null=True, blank=True)

    ask_after = models.FloatField(default=0.0)
    questions_failed = models.PositiveIntegerField(default=0)
    answer = models.TextField(blank=True, help_text=_("What the carrier said last when it was asked."))
    answered_at = models.DateTimeField(null=True, blank=True)

    objects = RowQuerySet.as_manager()

    class Meta:
        # By the column: by "job" every statement would be joined with the jobs.
        ordering = ["job_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="row_number_once_per_job"),
            models.UniqueConstraint(
                fields=["account", "handle"],
                condition=Q(handle__isnull=False),
                name="row_handle_once_per_account",
            ),
            models.CheckConstraint(
                condition=~Q(status=RowStatus.in_flight) | Q(handle__isnull=False, due__isnull=False),
                name="row_in_flight_has_handle_and_due",
            ),
            models.CheckConstraint(
                condition=~Q(status=RowStatus.completed) | Q(label__isnull=False),
                name="row_completed_has_label",
            ),
            models.CheckConstraint(
                condition=~Q(status=RowStatus.pending) | Q(due__isnull=True), name="row_pending_owes_nothing"
            ),
        ]
        indexes = [
            models.Index(fields=["run"], name="row_of_run", condition=Q(run__isnull=False)),
            models.Index(fields=["job", "number"], name="row_pending", condition=Q(status=RowStatus.pending)),
            models.Index(fields=["job", "due"], name="row_owed", condition=Q(due__isnull=False)),
            models.Index(fields=["job", "number"], name="row_in_review", condition=Q(status=RowStatus.needs_review)),
            models.Index(fields=["job", "number"], name="row_failed", condition=Q(status=RowStatus.failed)),
            models.Index(fields=["job", "number"], name="row_completed", condition=Q(status=RowStatus.completed)),
            models.Index(fields=["job", "number"], name="row_skipped", condition=Q(status=RowStatus.skipped)),
            models.Index(
                fields=["job", "number"],
                name="row_suspect",
                condition=Q(crashes__gte=SUSPECT_CRASHES, status__in=[RowStatus.pending, RowStatus.in_flight]),
            ),
            models.Index(fields=["name_key", "id"], name="row_by_name"),
            models.Index(fields=["surname_key", "id"], name="row_by_surname"),
            models.Index(fields=["reference_key", "id"], name="row_by_reference"),
        ]

    def __str__(self) -> str:
        return f"row {self.number} of job {self.job_id}"


def order_for_carrier(order: Mapping[str, str], *, reference: str, sender: Address) -> Order:
    """A checked order (columns by their canonical names) as the carrier's port takes it (sizes in inches, weight in
    ounces). Raises KeyError, TypeError or ValueError for what is no checked order.
    """

    def size(column: str) -> float | None:
        return float(order[column]) if order.get(column) else None

    return Order(
        reference=reference,
        sender=sender,
        recipient=Address(
            name=order.get("to_name", ""),
            company=order.get("to_company", ""),
            street1=order.get("to_street1", ""),
            street2=order.get("to_street2", ""),
            city=order.get("to_city", ""),
            state=order.get("to_state", ""),
            zip=order.get("to_zip", ""),
            country=order.get("to_country", "") or "US",
            phone=order.get("to_phone", ""),
            email=order.get("to_email", ""),
        ),
        parcel=Parcel(
            weight=float(order["weight"]),
            length=size("length"),
            width=size("width"),
            height=size("height"),
        ),
        service=order.get("service", ""),
    )
