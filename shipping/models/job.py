"""The job: one batch of orders, its counters, and the lock that everything about it goes through."""

import secrets
from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from shipping.models.search_key import SearchKey, name_key
from shipping.models.sender import Sender
from shipping.states import OPEN_JOB_STATUSES, JobStatus, Sweep

# No I, O, 0 or 1: people read the code aloud.
CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 10


def new_job_code() -> str:
    """A random code (50 bits). Never made from an id: a wiped database must not adopt the labels of an old one."""
    return "".join(secrets.choice(CODE_ALPHABET) for _position in range(CODE_LENGTH))


class JobQuerySet(models.QuerySet["Job"]):
    def lock(self, pk: int) -> "Job":
        """The job, locked until the transaction ends. Every write to its rows, runs, labels and counters goes
        through here first, or, in the engine's ticks, through `LockedJob`. On SQLite the IMMEDIATE transaction already
        is the lock.

        Raises Job.DoesNotExist; must be called inside `transaction.atomic()`.
        """
        return self.select_for_update(no_key=True).get(pk=pk)

    def open(self) -> Self:
        """Jobs that can still be cancelled."""
        return self.filter(status__in=OPEN_JOB_STATUSES)

    def running(self) -> Self:
        return self.filter(status=JobStatus.running)


class Job(models.Model):
    """One batch. Its counters are kept in the transactions that change its rows."""

    code = models.CharField(max_length=CODE_LENGTH, unique=True, default=new_job_code, editable=False)
    name = models.CharField(max_length=200)
    name_key = SearchKey(of="name", make=name_key)
    carrier = models.CharField(max_length=50, help_text=_("A name from settings.CARRIERS; also the account."))
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    stop_on_error = models.BooleanField(default=True)
    status = models.CharField(max_length=10, choices=JobStatus.choices, default=JobStatus.pending)
    epoch = models.PositiveIntegerField(default=0, help_text=_("Raised by every choice; older runs claim nothing."))

    error_code = models.CharField(max_length=100, blank=True)
    error_message = models.TextField(blank=True)
    error_row_number = models.PositiveIntegerField(null=True, blank=True)

    sweep = models.CharField(max_length=10, choices=Sweep.choices, blank=True, default=Sweep.none)
    sweep_next_row = models.PositiveIntegerField(default=1)
    sweep_mark = models.BigIntegerField(null=True, blank=True, help_text=_("Only labels up to this id are touched."))
    sweep_void = models.BooleanField(default=False)

    total_rows = models.PositiveIntegerField(default=0)
    processed_rows = models.PositiveIntegerField(default=0)
    successful_rows = models.PositiveIntegerField(default=0)
    failed_rows = models.PositiveIntegerField(default=0)
    # What the completed rows' own labels cost, and what other labels cost that were not voided (those a restart
    # replaced, and second charges). Together: the money spent.
    cost_cents = models.BigIntegerField(default=0)
    replaced_cents = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="USD")

    file = models.FileField(max_length=255, blank=True, help_text=_("The file of orders as it came in."))
    file_name = models.CharField(max_length=255, blank=True)
    file_digest = models.CharField(max_length=64, blank=True, db_index=True, help_text=_("SHA-256 of the file."))
    file_columns = models.JSONField(default=list, blank=True, help_text=_("The file's own headers, in order."))
    file_mapping = models.JSONField(
        default=dict, blank=True, help_text=_("What each header was said to mean; empty where the names told it.")
    )
    import_complete = models.BooleanField(default=True)

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        permissions = [
            ("resume_job", "Can resume an interrupted job"),
            ("restart_job", "Can restart an interrupted job and buy its labels again"),
            ("cancel_job", "Can cancel a job"),
            ("resolve_job", "Can decide rows in review"),
            ("void_job", "Can void labels"),
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="job_by_status"),
            models.Index(fields=["name_key", "id"], name="job_by_name"),
            models.Index(fields=["id"], name="job_sweeping", condition=~models.Q(sweep=Sweep.none)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(processed_rows__lte=models.F("total_rows")),
                name="job_processed_at_most_total",
            ),
            models.CheckConstraint(
                condition=models.Q(processed_rows__gte=models.F("successful_rows") + models.F("failed_rows")),
                name="job_processed_covers_outcomes",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def remaining_rows(self) -> int:
        return self.total_rows - self.processed_rows

    @property
    def skipped_rows(self) -> int:
        return self.processed_rows - self.successful_rows - self.failed_rows

    @property
    def spent_cents(self) -> int:
        """All that was paid for labels of this job and not voided."""
        return self.cost_cents + self.replaced_cents

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_JOB_STATUSES

    @property
    def is_over(self) -> bool:
        return not self.is_open

    def reference(self, number: int, attempt: int) -> str:
        """Our name for one attempt at one row, sent with the purchase; at most 35 characters."""
        return f"{self.code}-{number:06d}-{attempt}"
