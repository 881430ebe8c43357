"""A label that was paid for. Append-only: nothing deletes one, and a void is noted on it."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from shipping.models.clock import NEVER
from shipping.models.job import Job
from shipping.models.row import Row
from shipping.models.search_key import SearchKey, reference_key, reversed_key
from shipping.states import RefundState, RowStatus, VoidRequest


class LabelQuerySet(models.QuerySet["Label"]):
    def paid(self) -> Self:
        """Labels that cost money: not voided."""
        return self.filter(voided_at__isnull=True)

    def void_owed(self) -> Self:
        """Labels whose void was ordered and not answered yet."""
        return self.exclude(void_requested=VoidRequest.none).filter(voided_at__isnull=True)

    def void_may_have_begun(self) -> Self:
        """Voids that nobody has to order again: those that are no part of a restart, or were sent to the carrier."""
        return self.void_owed().filter(Q(void_requested=VoidRequest.only) | Q(void_after__gt=0))

    def rebuy_owed(self) -> Self:
        """Voids that are part of a restart: their labels are bought again afterwards."""
        return self.void_owed().filter(void_requested=VoidRequest.rebuy)

    def rebuy_unsent(self) -> Self:
        """Voids that a restart ordered and that were never sent to the carrier."""
        return self.rebuy_owed().filter(void_after=0.0)

    def refund_open(self) -> Self:
        """Voided labels whose refund the carrier has accepted and not decided yet."""
        return self.filter(refund_state=RefundState.submitted, voided_at__isnull=False)

    def current(self) -> Self:
        """Labels that parcels are to carry: each bought row's own, not voided and not replaced."""
        return self.filter(voided_at__isnull=True, row__status=RowStatus.completed, row__label=F("pk"))

    def not_printed(self) -> Self:
        """Labels that nobody has marked as printed."""
        return self.filter(printed_at__isnull=True)

    def file_missing(self) -> Self:
        """Labels whose file is to be had and not here (a voided label's is not wanted any more)."""
        return self.filter(file="", voided_at__isnull=True, fetch_after__lt=NEVER)

    def kept_files(self) -> Self:
        """Labels whose bytes the books say we hold, and still want."""
        return self.filter(voided_at__isnull=True).exclude(file="")


class Label(models.Model):
    """One purchase. Ids rise in the order of commit within a job, since inserts hold the job's lock.

    `void_after`, `fetch_after` and `refund_ask_after` are times that decide: not to be asked for before then.
    `refund_at` is when the carrier said what `refund_state` tells.
    """

    # Found by the index `label_by_job`.
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="labels", db_index=False)
    row = models.ForeignKey(Row, on_delete=models.PROTECT, related_name="labels")
    attempt = models.PositiveIntegerField()
    account = models.CharField(max_length=50)
    purchase_id = models.CharField(max_length=100)
    tracking_number = models.CharField(max_length=100)
    tracking_key = SearchKey(of="tracking_number", make=reference_key)
    tracking_end_key = SearchKey(of="tracking_number", make=reversed_key)
    carrier = models.CharField(max_length=50)
    service = models.CharField(max_length=100)
    cost_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    label_url = models.TextField(blank=True)
    file = models.FileField(max_length=255, blank=True)
    fetch_after = models.FloatField(default=0.0)
    fetch_failures = models.PositiveIntegerField(default=0)
    bought_at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    adopted = models.BooleanField(default=False)
    void_requested = models.CharField(max_length=5, choices=VoidRequest.choices, blank=True, default=VoidRequest.none)
    void_after = models.FloatField(default=0.0)
    void_failures = models.PositiveIntegerField(default=0)
    void_answer = models.TextField(blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    refund_state = models.CharField(max_length=10, choices=RefundState.choices, blank=True, default=RefundState.none)
    refund_at = models.DateTimeField(null=True, blank=True)
    refund_ask_after = models.FloatField(default=0.0)
    refund_questions = models.PositiveIntegerField(default=0)
    printed_at = models.DateTimeField(null=True, blank=True)

    objects = LabelQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["account", "purchase_id"], name="label_purchase_once_per_account"),
        ]
        indexes = [
            models.Index(fields=["job", "id"], name="label_by_job"),
            models.Index(fields=["tracking_key", "id"], name="label_by_tracking"),
            models.Index(fields=["tracking_end_key", "id"], name="label_by_tracking_end"),
            models.Index(
                fields=["job", "void_after"],
                name="label_void_owed",
                condition=~Q(void_requested=VoidRequest.none) & Q(voided_at__isnull=True),
            ),
            models.Index(
                fields=["job", "fetch_after"],
                name="label_file_missing",
                condition=Q(file="", voided_at__isnull=True, fetch_after__lt=NEVER),
            ),
            models.Index(
                fields=["job", "refund_ask_after"],
                name="label_refund_open",
                condition=Q(refund_state=RefundState.submitted, voided_at__isnull=False),
            ),
            models.Index(
                fields=["job", "row"],
                name="label_not_printed",
                condition=Q(printed_at__isnull=True, voided_at__isnull=True),
            ),
            models.Index(fields=["job", "id"], name="label_voided", condition=Q(voided_at__isnull=False)),
            models.Index(
                fields=["job", "id"], name="label_refund_refused", condition=Q(refund_state=RefundState.refused)
            ),
        ]

    def __str__(self) -> str:
        return self.tracking_number

    @property
    def is_void_owed(self) -> bool:
        """Whether a void was ordered and not answered yet."""
        return self.void_requested != VoidRequest.none and self.voided_at is None

    @property
    def waits_for_void(self) -> bool:
        """Whether its row is bought again only once the void was answered."""
        return self.is_void_owed and self.void_requested == VoidRequest.rebuy
