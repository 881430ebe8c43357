"""Ordering a comparison, and looking after those that nobody does."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.module_loading import import_string

from shipping.models import Comparison, Job
from shipping.models.clock import book_now
from shipping.refusals import lock_job
from shipping.runs import record
from shipping.states import COMPARISON_TRANSITIONS, ComparisonStatus, EventKind
from shipping.tickets import ticket_waits

COMPARISONS_A_ROUND = 20


@transaction.atomic
def order_comparison(job_id: int, *, actor: User | None = None, reason: str = "") -> bool:
    """Order that a worker compares a job with the carrier's own list; false when that is ordered already. It changes
    nothing at the carrier, whatever it finds. Raises UnknownJob.
    """
    job = lock_job(job_id)
    comparison, is_new = Comparison.objects.get_or_create(job=job, defaults={"ordered_by": actor})
    if not is_new and comparison.is_ordered:
        return False
    if not is_new:
        move(comparison, ComparisonStatus.ordered)
    comparison.ordered_at, comparison.ordered_by = timezone.now(), actor
    comparison.started_at = comparison.ended_at = comparison.beat = None
    comparison.takes = 0
    comparison.save()
    record(job, EventKind.comparison_ordered, actor=actor, reason=reason)
    queue_after_commit(comparison)
    return True


def move(comparison: Comparison, status: ComparisonStatus) -> None:
    """Put a comparison, read under its job's lock, into another state, in memory. The state machine is checked."""
    if status not in COMPARISON_TRANSITIONS[ComparisonStatus(comparison.status)]:
        raise ValueError(f"A comparison can't go from {comparison.status} to {status}.")
    comparison.status = status


def queue_after_commit(comparison: Comparison) -> None:
    """Put the work into the task queue after the commit, and note when, under the job's lock."""
    comparison.queued = book_now()
    comparison.save(update_fields=["queued"])
    comparison_id = comparison.pk
    transaction.on_commit(lambda: comparison_task().enqueue(comparison_id), robust=True)


def comparison_task() -> Any:
    """The task that does the work. By name: the tasks stand above this and import it."""
    return import_string("shipping.tasks.compare_with_carrier")


def look_after_comparisons() -> int:
    """Queue work again that was cut off or never begun, COMPARISONS_A_ROUND of them at most; returns how many."""
    before = book_now() - settings.LEASE_SECONDS
    lost = Comparison.objects.working().filter(queued__lt=before).filter(Q(beat__isnull=True) | Q(beat__lt=before))
    keys = list(lost.order_by("queued").values_list("pk", "job")[:COMPARISONS_A_ROUND])
    return sum(_queue_again(comparison_id, job_id) for comparison_id, job_id in keys)


@transaction.atomic
def _queue_again(comparison_id: int, job_id: int) -> bool:
    """`queued` is set under the job's lock, so this happens at most once a lease."""
    Job.objects.lock(job_id)
    comparison = Comparison.objects.get(pk=comparison_id)
    if not comparison.waits_for_worker or comparison.queued >= book_now() - settings.LEASE_SECONDS:
        return False
    if ticket_waits(comparison_task(), comparison_id):
        # It only waits its turn.
        comparison.queued = book_now()
        comparison.save(update_fields=["queued"])
        return False
    queue_after_commit(comparison)
    return True
