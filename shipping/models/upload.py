"""A file of orders on its way to become a job, and what is remembered of files that look alike."""

import secrets
from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from shipping.models.clock import book_now
from shipping.models.job import Job
from shipping.models.sender import Sender
from shipping.states import FINISHED_UPLOAD_STATUSES, WORKING_UPLOAD_STATUSES, UploadStatus


def new_upload_code() -> str:
    """A random name for the place of an upload's file, so that nobody can guess it."""
    return secrets.token_hex(8)


class UploadQuerySet(models.QuerySet["Upload"]):
    def lock(self, pk: int) -> "Upload":
        """The upload, locked until the transaction ends. It is locked before its job, never behind it.

        Raises Upload.DoesNotExist; must be called inside `transaction.atomic()`.
        """
        return self.select_for_update(no_key=True, of=("self",)).get(pk=pk)

    def unfinished(self) -> Self:
        """Uploads with which somebody still may do something."""
        return self.exclude(status__in=FINISHED_UPLOAD_STATUSES)

    def working(self) -> Self:
        """Uploads that are read, checked or imported, or wait for it."""
        return self.filter(status__in=WORKING_UPLOAD_STATUSES)


class Upload(models.Model):
    """One file that a person uploaded, from its arrival until it is a job or is thrown away.

    The work on it (reading, checking, importing) has one owner at a time: who takes it raises `turn` and beats;
    whose turn is over writes nothing more. `queued` and `beat` are times that decide (see `shipping.models.clock`).
    """

    code = models.CharField(max_length=16, unique=True, default=new_upload_code, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    status = models.CharField(max_length=13, choices=UploadStatus.choices, default=UploadStatus.received)
    problem = models.TextField(blank=True, help_text=_("Why it can’t be read, or why its import was refused."))

    file = models.FileField(max_length=255, blank=True)
    file_name = models.CharField(max_length=255)
    file_size = models.PositiveBigIntegerField(default=0, help_text=_("In bytes."))
    digest = models.CharField(max_length=64, db_index=True, help_text=_("SHA-256 of the file."))

    name = models.CharField(max_length=200, help_text=_("The job’s name."))
    carrier = models.CharField(max_length=50)
    stop_on_error = models.BooleanField(default=True)
    ships_at_once = models.BooleanField(default=False)

    headers = models.JSONField(default=list, blank=True)
    sample = models.JSONField(default=list, blank=True, help_text=_("The first orders, as they came."))
    mapping = models.JSONField(default=dict, blank=True, help_text=_("What each header means."))
    corrections = models.JSONField(default=dict, blank=True, help_text=_("New values by row number and header."))
    revision = models.PositiveIntegerField(default=0, help_text=_("Raised by all that changes what is shipped."))

    rows_read = models.PositiveIntegerField(default=0, help_text=_("How far the work has come."))
    rows = models.PositiveIntegerField(default=0)
    good_rows = models.PositiveIntegerField(default=0)
    bad_rows = models.PositiveIntegerField(default=0)
    warned_rows = models.PositiveIntegerField(default=0)
    report = models.JSONField(default=dict, blank=True)
    estimate = models.JSONField(default=dict, blank=True)

    skip_bad = models.BooleanField(default=False)
    starts = models.BooleanField(default=False, help_text=_("The job is started when it is wholly imported."))
    accepted_duplicate = models.BigIntegerField(null=True, blank=True)
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    confirmed_at = models.DateTimeField(null=True, blank=True)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, blank=True, related_name="upload")

    queued = models.FloatField(default=0.0)
    beat = models.FloatField(null=True, blank=True)
    turn = models.PositiveIntegerField(default=0)
    takes = models.PositiveSmallIntegerField(default=0, help_text=_("How often the work at hand was taken up."))

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["queued"], name="upload_working", condition=models.Q(status__in=sorted(WORKING_UPLOAD_STATUSES))
            ),
            models.Index(fields=["status", "changed_at"], name="upload_by_status"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(status=UploadStatus.imported) | models.Q(job__isnull=False),
                name="upload_imported_has_job",
            ),
        ]

    def __str__(self) -> str:
        return f"upload {self.pk} of {self.file_name}"

    @property
    def is_working(self) -> bool:
        return self.status in WORKING_UPLOAD_STATUSES

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED_UPLOAD_STATUSES

    @property
    def version(self) -> str:
        """Changes with all that a page shows of it."""
        return f"{self.status}-{self.revision}-{self.rows_read}-{self.estimate.get('at', '')}"

    @property
    def waits_for_worker(self) -> bool:
        """Whether its work waits for somebody to take it up."""
        if not self.is_working:
            return False
        return self.beat is None or self.beat < book_now() - settings.LEASE_SECONDS


class RememberedMapping(models.Model):
    """What the columns of files with these headers were said to mean the last time, by position."""

    signature = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of the headers’ letters and digits."))
    targets = models.JSONField(default=list)
    chosen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    chosen_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"mapping {self.signature[:8]}"
