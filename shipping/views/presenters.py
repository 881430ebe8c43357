"""What pages say about a job, its runs and its events: plain values and sentences, made from the books."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from shipping import liveness
from shipping.conditions import AT_WORK, AWAITED, CONDITION_NAMES
from shipping.liveness import Condition
from shipping.models import Event, Job, Run
from shipping.models.clock import book_now
from shipping.states import RunEnd
from shipping.views.progress import RowsBar, rows_bars

# A job in one of these does not move until a person acts: its page need not ask again.
AT_REST = frozenset({Condition.interrupted, Condition.completed, Condition.failed, Condition.cancelled})


@dataclass(frozen=True, slots=True)
class JobCard:
    """A job as lists and headings show it."""

    job: Job
    condition: Condition

    @property
    def condition_name(self) -> str:
        return str(CONDITION_NAMES[self.condition])

    @property
    def partial(self) -> str:
        """The template that tells how the job stands."""
        return f"shipping/conditions/{self.condition.value}.html"

    @property
    def is_moving(self) -> bool:
        """Whether the page should look again by itself."""
        return self.condition not in AT_REST


def job_cards(jobs: Sequence[Job]) -> list[JobCard]:
    """Cards of jobs, in a fixed number of queries."""
    conditions = liveness.conditions(jobs)
    return [JobCard(job=job, condition=conditions[job.pk]) for job in jobs]


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as the list of jobs shows it."""

    card: JobCard
    bar: RowsBar

    @property
    def facts(self) -> tuple[object, ...]:
        """What the line shows that can change."""
        return self.card.job.pk, self.card.condition.value, self.card.job.spent_cents, *self.bar.counts.items()


def job_lines(jobs: Sequence[Job]) -> list[JobLine]:
    """Lines of jobs, in a fixed number of queries."""
    bars = rows_bars(jobs)
    return [JobLine(card=card, bar=bars[card.job.pk]) for card in job_cards(jobs)]


@dataclass(frozen=True, slots=True)
class RunLine:
    """One worker's turn as the timeline shows it; `why` names the explanation of how it stands."""

    run: Run
    how: str
    why: str
    is_live: bool
    is_bad: bool


def run_lines(runs: Sequence[Run], job: Job) -> list[RunLine]:
    """How each run stands or ended, in words."""
    now = book_now()
    return [_run_line(run, job, now) for run in runs]


def _run_line(run: Run, job: Job, now: float) -> RunLine:
    if run.ended_at is not None:
        bad = run.end_reason in (RunEnd.died, RunEnd.halted)
        return RunLine(run=run, how=run.get_end_reason_display(), why=run.end_reason, is_live=False, is_bad=bad)
    if run.started_at is None:
        is_awaited = run.epoch == job.epoch
        why = AWAITED if is_awaited else RunEnd.never_started.value
        how = _("Waiting for a worker") if is_awaited else _("Never started")
        return RunLine(run=run, how=how, why=why, is_live=False, is_bad=False)
    if liveness.is_live(run, now):
        return RunLine(run=run, how=_("At work"), why=AT_WORK, is_live=True, is_bad=False)
    how = _("Stopped answering: its process died")
    return RunLine(run=run, how=how, why=RunEnd.died.value, is_live=False, is_bad=True)


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event with the sentence that was written down with it."""

    event: Event
    note: str


def event_lines(events: Sequence[Event]) -> list[EventLine]:
    """Events with the notes that a person understands; the rest of the details stays in the books."""
    return [EventLine(event=event, note=_note(event)) for event in events]


def _note(event: Event) -> str:
    details = event.details if isinstance(event.details, dict) else {}
    notes = [details[key] for key in ("reason", "message", "tracking_number", "answer") if details.get(key)]
    return " · ".join(note for note in notes if isinstance(note, str))
