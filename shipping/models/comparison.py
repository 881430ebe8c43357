"""The comparison of a job with the carrier's own list, and the charges it found that no row owns."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shipping.models.clock import book_now
from shipping.models.job import Job
from shipping.models.label import Label
from shipping.models.row import Row
from shipping.states import ComparisonStatus, OrphanOutcome


class ComparisonQuerySet(models.QuerySet["Comparison"]):
    def working(self) -> Self:
        """Comparisons that are worked on, or wait for it."""
        return self.filter(status=ComparisonStatus.ordered)


class Comparison(models.Model):
    """The latest comparison of one job; earlier ones left their events.

    The work has one owner at a time: who takes it raises `turn` and beats; whose turn is over writes nothing more.
    `queued` and `beat` are times that decide (see `shipping.models.clock`). What it found stands here when it has
    ended: how many purchases were listed, how many findings there were of each kind, and the first other differences,
    in sentences as they were said.
    """

    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="comparison")
    status = models.CharField(max_length=7, choices=ComparisonStatus.choices, default=ComparisonStatus.ordered)
    ordered_at = models.DateTimeField(default=timezone.now)
    ordered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, help_text=_("Why it could not be compared."))

    listed = models.PositiveIntegerField(default=0, help_text=_("Purchases of the job in the carrier’s list."))
    counts = models.JSONField(default=dict, blank=True, help_text=_("Findings by kind."))
    others = models.JSONField(default=list, blank=True, help_text=_("Differences that are no orphans, in sentences."))

    queued = models.FloatField(default=0.0)
    beat = models.FloatField(null=True, blank=True)
    turn = models.PositiveIntegerField(default=0)
    takes = models.PositiveSmallIntegerField(default=0, help_text=_("How often the work at hand was taken up."))

    objects = ComparisonQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["queued"], name="comparison_ordered", condition=Q(status=ComparisonStatus.ordered)),
        ]

    def __str__(self) -> str:
        return f"comparison of job {self.job_id}"

    @property
    def is_ordered(self) -> bool:
        return self.status == ComparisonStatus.ordered

    @property
    def waits_for_worker(self) -> bool:
        """Whether its work waits for somebody to take it up."""
        if not self.is_ordered:
            return False
        return self.beat is None or self.beat < book_now() - settings.LEASE_SECONDS


class OrphanQuerySet(models.QuerySet["Orphan"]):
    def open(self) -> Self:
        """Charges that still no label of ours stands for: one whose label was recorded meanwhile needs nobody."""
        recorded = Label.objects.filter(account=OuterRef("account"), purchase_id=OuterRef("purchase_id"))
        return self.filter(~Exists(recorded), settled_at__isnull=True)


class Orphan(models.Model):
    """A purchase that the carrier lists under a reference of the job, and that no label of ours stood for.

    `attempt` is the one that its reference names; `row` is null where the job has no row of that number. What the
    carrier tells of it is kept as it was told last: `cost_cents` is in hundredths of `currency`.
    """

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="orphans")
    row = models.ForeignKey(Row, on_delete=models.PROTECT, null=True, blank=True, related_name="orphans")
    attempt = models.PositiveIntegerField()
    account = models.CharField(max_length=50)
    purchase_id = models.CharField(max_length=100)
    reference = models.CharField(max_length=100)
    tracking_number = models.CharField(max_length=100)
    carrier = models.CharField(max_length=50, blank=True)
    service = models.CharField(max_length=100, blank=True)
    cost_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    bought_at = models.DateTimeField(null=True, blank=True)
    found_at = models.DateTimeField(default=timezone.now)
    found_in = models.PositiveIntegerField(help_text=_("The turn of the comparison that saw it last."))
    outcome = models.CharField(max_length=8, choices=OrphanOutcome.choices, blank=True, default=OrphanOutcome.open)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = OrphanQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["account", "purchase_id"], name="orphan_purchase_once_per_account"),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True, outcome=OrphanOutcome.open)
                | (Q(settled_at__isnull=False) & ~Q(outcome=OrphanOutcome.open)),
                name="orphan_settled_has_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purchase_id} ({self.reference})"
