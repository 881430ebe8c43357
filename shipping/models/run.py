"""One worker's turn at a job."""

from typing import Self

from django.db import models

from shipping.models.job import Job
from shipping.states import RunEnd


class RunQuerySet(models.QuerySet["Run"]):
    def open(self) -> Self:
        """Runs that nobody has ended: issued, live or dead."""
        return self.filter(ended_at__isnull=True)

    def issued(self) -> Self:
        """Open runs that have not started."""
        return self.open().filter(started_at__isnull=True)

    def started(self) -> Self:
        """Open runs that have started: live or dead, `shipping.liveness` tells which."""
        return self.open().filter(started_at__isnull=False)


class Run(models.Model):
    """Made when it is issued; its id is the ticket in the task queue. Starts once, ends once.

    `issued`, `queued`, `beat` and `failing_since` are times that decide (see `shipping.models.clock`); the `*_at` are
    for people.
    Only the run itself or a choice writes `ended_at`.
    """

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="runs")
    epoch = models.PositiveIntegerField()
    turn = models.PositiveIntegerField(default=1, help_text="1, and one more for each hand-over.")
    issued = models.FloatField()
    queued = models.FloatField()
    beat = models.FloatField(null=True)
    issued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, choices=RunEnd.choices, blank=True)
    host = models.CharField(max_length=100, blank=True, help_text="Boot id and PID namespace.")
    pid = models.PositiveIntegerField(null=True)
    pid_start_ticks = models.BigIntegerField(null=True)
    bought_rows = models.PositiveIntegerField(default=0, help_text="Labels that its own purchases brought.")
    failing_since = models.FloatField(
        null=True, help_text="Since when the carrier has failed, as the run before it handed it on."
    )
    lowest_row = models.PositiveIntegerField(null=True, help_text="The lowest row that it bought.")
    highest_row = models.PositiveIntegerField(null=True, help_text="The highest row that it bought.")

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["job", "epoch"], name="run_open", condition=models.Q(ended_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} of job {self.job_id}"
