"""Taking turns: when a run that has had its turn gives way to work that nobody is at."""

from django.conf import settings
from django.db.models import F, Q

from shipping.models import Comparison, Run, Upload
from shipping.states import JobStatus

# What has waited for less may be about to be taken up by an idle worker.
MOMENT_SECONDS = 1.0


def should_give_way(run_id: int, now: float) -> bool:
    """Whether a run is to hand over: more jobs, files and comparisons wait with nobody at them than runs that are
    longer at work (issued earlier) than this one. So as many give way as are needed, and the first of them always.
    """
    started = Run.objects.started()
    live = started.filter(beat__gte=now - settings.LEASE_SECONDS)
    before_me = live.filter(pk__lt=run_id).count()
    waiting = (
        Run.objects.issued()
        .filter(issued__lt=now - MOMENT_SECONDS, epoch=F("job__epoch"))
        .filter(job__status=JobStatus.running, job__error_code="")
        .exclude(job__in=live.values("job"))
        # One that is interrupted waits for a person, and for no worker.
        .exclude(turn=1, job__in=started.values("job"))
    )
    jobs = waiting.order_by().values("job").distinct()[: before_me + 1].count()
    return jobs > before_me or jobs + _other_work(now) > before_me


def _other_work(now: float) -> int:
    """Files to be worked and comparisons to be made that no worker has taken up."""
    untaken = Q(queued__lt=now - MOMENT_SECONDS) & (Q(beat__isnull=True) | Q(beat__lt=now - settings.LEASE_SECONDS))
    return Upload.objects.working().filter(untaken).count() + Comparison.objects.working().filter(untaken).count()
