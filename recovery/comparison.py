"""What pages show of the comparison of a job with the carrier's own list, and of the charges that no row owns."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from django.db.models import Count, Sum

from recovery.orphan_plans import OrphanPlan
from shipping.audit.findings import DIFFERENCES, Kind
from shipping.models import Comparison, Job, Orphan
from shipping.services import JobService
from shipping.states import ComparisonStatus
from shipping.views.live import version_of

ORPHANS_SHOWN = 20


class Stage(StrEnum):
    """How a comparison stands, as the page tells it."""

    never = "never"
    waiting = "waiting"
    comparing = "comparing"
    done = "done"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class Standing:
    """The comparison of a job, and how many charges without a label are open, for how much (in cents). Whether a worker
    is alive is known only while one is waited for.
    """

    stage: Stage
    comparison: Comparison | None
    orphans: int
    cents: int
    worker_alive: bool = True

    @property
    def is_moving(self) -> bool:
        """Whether the page should look again by itself."""
        return self.stage in (Stage.waiting, Stage.comparing)

    @property
    def other_differences(self) -> int:
        """How much else differs, beside the charges that no row owns."""
        counts = self.comparison.counts if self.comparison is not None else {}
        return sum(counts.get(kind.value, 0) for kind in DIFFERENCES - {Kind.orphan, Kind.in_review})

    @property
    def unnamed_differences(self) -> int:
        """How many of those are not told in a sentence."""
        return self.other_differences - len(self.comparison.others if self.comparison is not None else [])

    @property
    def unreadable(self) -> int:
        """How many entries of the carrier could not be read."""
        return int(self.comparison.counts.get(Kind.unreadable.value, 0)) if self.comparison is not None else 0

    @property
    def agrees(self) -> bool:
        """Whether the latest comparison was made to its end, found nothing, and left nothing open."""
        found = self.orphans or self.other_differences or self.unreadable
        return self.stage == Stage.done and not found


def standing_of(job: Job, *, worker_alive: bool | None = None) -> Standing:
    """How the comparison of a job stands, in a few quick queries. Whether a worker is alive is looked up where it
    matters and is not given.
    """
    comparison = Comparison.objects.filter(job=job).select_related("ordered_by").first()
    found = Orphan.objects.open().filter(job=job).aggregate(count=Count("pk"), cents=Sum("cost_cents"))
    standing = Standing(_stage(comparison), comparison, orphans=found["count"], cents=found["cents"] or 0)
    if not standing.is_moving:
        return standing
    return replace(standing, worker_alive=JobService().worker_alive() if worker_alive is None else worker_alive)


def _stage(comparison: Comparison | None) -> Stage:
    if comparison is None:
        return Stage.never
    if comparison.waits_for_worker:
        return Stage.waiting
    stages = {
        ComparisonStatus.ordered: Stage.comparing,
        ComparisonStatus.done: Stage.done,
        ComparisonStatus.failed: Stage.failed,
    }
    return stages[ComparisonStatus(comparison.status)]


def comparison_context(job: Job, standing: Standing) -> dict[str, Any]:
    """All that the part of a page about the carrier's own list shows, in a fixed number of queries."""
    orphans = Orphan.objects.open().filter(job=job).select_related("row__label").order_by("row__number", "pk")
    shown = [OrphanPlan.of(orphan, job) for orphan in orphans[:ORPHANS_SHOWN]] if standing.orphans else []
    return {
        "standing": standing,
        "comparison": standing.comparison,
        "orphans": shown,
        "more_orphans": max(0, standing.orphans - len(shown)),
        "comparison_version": version_of(standing_facts(standing), [_facts(plan) for plan in shown]),
    }


def standing_facts(standing: Standing) -> tuple[object, ...]:
    """What changes when the comparison stands otherwise."""
    comparison = standing.comparison
    moves = (comparison.turn, comparison.listed, comparison.ended_at) if comparison is not None else ()
    return standing.stage.value, standing.orphans, standing.cents, standing.worker_alive, *moves


def _facts(plan: OrphanPlan) -> tuple[object, ...]:
    return plan.orphan.pk, plan.orphan.tracking_number, plan.orphan.cost_cents, plan.situation.name
