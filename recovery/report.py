"""The report on one interrupted job: what happened, what is certain, what is not, and what it has cost."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from recovery.comparison import Standing, comparison_context, standing_facts, standing_of
from recovery.facts import describe
from recovery.incident import ago, since, telling_runs, why
from recovery.timeline import timeline
from shipping import liveness
from shipping.carriers.port import Guarantee
from shipping.models import Event, Job, Label, Row
from shipping.services import JobService
from shipping.states import EventKind, RowStatus
from shipping.views.live import version_of
from shipping.views.progress import rows_bar
from shipping.views.strip import rows_strip

DOUBTS_SHOWN = 25
ANSWERS_SHOWN = 20

# Events that say what became of a doubt.
ANSWERS: dict[str, str | Promise] = {
    EventKind.adopted: gettext_lazy("The carrier says it was bought; the label has been recorded."),
    EventKind.late_label: gettext_lazy("An answer came late: it was bought; the label has been recorded."),
    EventKind.not_bought: gettext_lazy("The carrier says it was not bought; the row waits."),
    EventKind.set_aside: gettext_lazy("The carrier could not settle it; the row needs a decision."),
}
# Answers count from the last of these.
SET_GOING = (EventKind.started, EventKind.resumed, EventKind.restarted)

GUARANTEES: dict[Guarantee | None, str | Promise] = {
    Guarantee.exactly_once: gettext_lazy(
        "This carrier charges each purchase at most once: a row in doubt can't be paid for twice by carrying on."
    ),
    Guarantee.adopt_or_ask: gettext_lazy(
        "With this carrier we look a purchase up before we send it again. It doesn't itself prevent a second charge; if"
        " one ever happened, it would be recorded and shown."
    ),
    None: gettext_lazy("This job's carrier is not set up any more, so it can't be asked about rows in doubt."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a row that was in doubt; `cost_cents` is None where no label was recorded."""

    event: Event
    said: str
    tracking_number: str
    cost_cents: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """A quick look at what moves about an interrupted job. `version` changes when the report says something else."""

    version: str
    live_runs: list[int]
    worker_alive: bool
    comparison: Standing


def look_at(job: Job) -> Look:
    """Look at a job as it is now, in a few quick queries."""
    service = JobService()
    live_runs, worker_alive = liveness.live_run_ids(job.pk), service.worker_alive()
    doubts = service.rows_in_doubt(job.pk, live_runs).aggregate(Count("pk"), Max("answered_at"), Max("claimed_at"))
    comparison = standing_of(job, worker_alive=worker_alive)
    counters = (job.total_rows, job.processed_rows, job.successful_rows, job.failed_rows)
    version = version_of(
        (job.name, job.status, job.epoch, job.error_code, job.error_message, job.error_row_number),
        (job.sweep, job.sweep_next_row, *counters, job.cost_cents, job.replaced_cents),
        sorted(doubts.items()),
        service.get_rows(job.pk, RowStatus.needs_review).count(),
        sorted(job.runs.aggregate(Max("pk"), Max("ended_at"), Sum("bought_rows")).items()),
        live_runs,
        service.get_events(job.pk).values_list("pk", flat=True).first(),
        worker_alive,
        ago(since(job)),
        standing_facts(comparison),
    )
    return Look(version=version, live_runs=live_runs, worker_alive=worker_alive, comparison=comparison)


def report_context(job: Job, look: Look) -> dict[str, Any]:
    """All that the report says, in a fixed number of queries. `look` was taken before: what changes while the rest is
    read is shown by the next look.
    """
    service = JobService()
    info = describe(job, service, worker_alive=look.worker_alive, live_runs=look.live_runs)
    doubts = list(service.rows_in_doubt(job.pk, look.live_runs)[:DOUBTS_SHOWN])
    return {
        "job": job,
        "version": look.version,
        "info": info,
        "bar": rows_bar(job, in_flight=0, in_doubt=info.in_flight_count, in_review=info.needs_review_count),
        "strip": rows_strip(job, look.live_runs),
        "since": since(job),
        "ago": ago(since(job)),
        "highest_row": None if _was_restarted(job) else info.highest_row_number,
        "why": why(job, telling_runs([job]).get(job.pk)),
        "halted_row": _halted_row(job),
        "guarantee": str(GUARANTEES[info.guarantee]),
        "voided": _voided(job),
        "timeline": timeline(job, look.live_runs),
        **_answers(job),
        "doubts": doubts,
        "more_doubts": max(0, info.in_flight_count - len(doubts)),
        **comparison_context(job, look.comparison),
    }


def _answers(job: Job) -> dict[str, Any]:
    """What is known since the job was last set going of rows that were in doubt, the newest first."""
    events = JobService().get_events(job.pk)
    set_going = events.filter(kind__in=SET_GOING).values_list("pk", flat=True).first() or 0
    found = events.filter(kind__in=list(ANSWERS), row__isnull=False, pk__gt=set_going)
    count = found.count()
    shown = [
        Answer(
            event=event,
            said=str(ANSWERS[event.kind]),
            tracking_number=event.details.get("tracking_number", ""),
            cost_cents=event.details.get("cost_cents"),
        )
        for event in found[:ANSWERS_SHOWN]
    ]
    return {"answers": shown, "answers_count": count, "more_answers": count - len(shown)}


def _was_restarted(job: Job) -> bool:
    """Whether labels of before a restart stand among the bought rows, so that the highest of them says nothing about
    how far the work has come.
    """
    return JobService().get_events(job.pk).filter(kind=EventKind.restarted).exists()


def _halted_row(job: Job) -> Row | None:
    if job.error_row_number is None:
        return None
    return JobService().get_rows(job.pk).filter(number=job.error_row_number).first()


def _voided(job: Job) -> dict[str, int]:
    """How many labels were voided, and what they had cost, in cents."""
    found = Label.objects.filter(job=job, voided_at__isnull=False).aggregate(count=Count("pk"), cents=Sum("cost_cents"))
    return {"count": found["count"], "cents": found["cents"] or 0}
