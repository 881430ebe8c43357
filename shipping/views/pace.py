"""How fast a job goes and when it will be done, from the labels of the last minute."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shipping.models import Job, Label

LOOKED_BACK = timedelta(minutes=1)
# However fast a job goes, no more labels than these are looked at.
LABELS_SEEN = 600
# From fewer labels, or in less time, nothing is foretold.
LABELS_NEEDED = 5
SECONDS_NEEDED = 3.0

MINUTE, HOUR = 60, 3_600


@dataclass(frozen=True, slots=True)
class Pace:
    """Labels per minute, and about how many seconds the rows that are left will take at that rate."""

    per_minute: int
    seconds_left: int

    @property
    def left(self) -> str:
        """The time that is left, as roughly as it is known."""
        if self.seconds_left < MINUTE:
            return _("less than a minute")
        if self.seconds_left < 2 * HOUR:
            minutes = round(self.seconds_left / MINUTE)
            return ngettext("about %(count)s minute", "about %(count)s minutes", minutes) % {"count": minutes}
        hours = round(self.seconds_left / HOUR)
        return ngettext("about %(count)s hour", "about %(count)s hours", hours) % {"count": hours}


def pace(job: Job, rows_left: int) -> Pace | None:
    """The pace of a job that is being worked on, with `rows_left` rows for workers; None while too little is known.
    One query that looks at the newest labels only.
    """
    now = timezone.now()
    recent = Q(recorded_at__gte=now - LOOKED_BACK)
    newest = Label.objects.filter(job=job).order_by("-pk")[:LABELS_SEEN]
    seen = newest.aggregate(count=Count("pk", filter=recent), oldest=Min("recorded_at", filter=recent))
    return _pace(seen["count"], seen["oldest"], now, rows_left)


def _pace(count: int, oldest: datetime | None, now: datetime, rows_left: int) -> Pace | None:
    """From `count` labels since `oldest`: the time from the first of them on, in which the others came."""
    seconds = (now - oldest).total_seconds() if oldest else 0.0
    if count < LABELS_NEEDED or seconds < SECONDS_NEEDED:
        return None
    per_second = (count - 1) / seconds
    return Pace(per_minute=max(1, round(per_second * MINUTE)), seconds_left=round(rows_left / per_second))
