"""A worker process, so that pages can say when nobody is there to do the work."""

from django.db import models


class Worker(models.Model):
    """Beats while idle and while it works; `shipping.liveness` tells whether any lives."""

    name = models.CharField(max_length=64, unique=True)
    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    pid_start_ticks = models.BigIntegerField()
    beat = models.FloatField()
    beat_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"worker {self.name}"
