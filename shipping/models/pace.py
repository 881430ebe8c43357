"""How often, and from when on, a carrier may be asked by all processes together."""

from django.db import models


class Pace(models.Model):
    """One carrier's pace. Both are times that decide (see `shipping.models.clock`): `next_send` is the earliest moment
    that is not given away yet, `wait_until` the end of the time for which the carrier asked to be left alone.
    """

    carrier = models.CharField(max_length=50, unique=True)
    next_send = models.FloatField(default=0.0)
    wait_until = models.FloatField(default=0.0)

    def __str__(self) -> str:
        return f"pace of {self.carrier}"
