"""What happened, who did it and why. Append-only."""

from django.conf import settings
from django.db import models

from shipping.models.job import Job
from shipping.models.row import Row
from shipping.models.run import Run
from shipping.states import EventKind


class Event(models.Model):
    """`actor` is null for what the engine did; `details` holds plain JSON."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="events")
    row = models.ForeignKey(Row, on_delete=models.PROTECT, null=True, blank=True, related_name="events")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Who chose stays known: a user who has chosen is deactivated, not deleted.
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True)
    kind = models.CharField(max_length=20, choices=EventKind.choices)
    at = models.DateTimeField(auto_now_add=True)
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["job", "id"], name="event_by_job")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.at:%Y-%m-%d %H:%M:%S})"
