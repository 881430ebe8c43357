"""What the recovery pages show beside the facts: why each job was interrupted, its doubts, and what may be chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, OuterRef, Subquery
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recovery.confirmation import RecoveryChoice
from recovery.facts import describe
from recovery.forms import RestartForm, ResumeForm
from recovery.plan import plan_cancel, plan_restart, plan_resume
from recovery.plans import Plan, RestartPlan
from shipping import liveness
from shipping.carriers.port import Guarantee
from shipping.forms import ReasonForm
from shipping.models import Event, Job, Label, Row, Run
from shipping.services import JobService
from shipping.states import EventKind, RunEnd
from shipping.views.access import right_name
from shipping.views.presenters import run_lines

DOUBTS_SHOWN = 25
RUNS_SHOWN = 20
ANSWERS_SHOWN = 20

NEEDED_RIGHTS = {
    RecoveryChoice.resume: "shipping.resume_job",
    RecoveryChoice.restart: "shipping.restart_job",
    RecoveryChoice.cancel: "shipping.cancel_job",
}

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
class DeskLine:
    """An interrupted job on the list of them."""

    job: Job
    since: datetime
    why: str
    last_label: Label | None
    in_doubt: int
    in_review: int

    @property
    def bar_maximum(self) -> int:
        """Never 0, which a progress bar does not take."""
        return max(1, self.job.total_rows)


def desk_lines(jobs: Sequence[Job]) -> list[DeskLine]:
    """Lines for jobs that `interrupted_jobs()` gave, in a fixed number of queries."""
    last = Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list(
        "pk",
        Subquery(Label.objects.filter(job=OuterRef("pk")).order_by("-pk").values("pk")[:1]),
        Subquery(Run.objects.filter(job=OuterRef("pk")).order_by("-pk").values("pk")[:1]),
    )
    keys = {job: (label, run) for job, label, run in last}
    labels = Label.objects.select_related("row").in_bulk([label for label, _run in keys.values() if label])
    runs = Run.objects.in_bulk([run for _label, run in keys.values() if run])
    rows = Row.objects.filter(job__in=jobs).order_by()
    doubts = dict(rows.in_doubt(liveness.live_run_ids()).values_list("job").annotate(Count("pk")))
    reviews = dict(rows.in_review().values_list("job").annotate(Count("pk")))
    lines = []
    for job in jobs:
        label, run = keys.get(job.pk, (None, None))
        lines.append(
            DeskLine(
                job=job,
                since=since(job),
                why=why(job, runs.get(run) if run else None),
                last_label=labels.get(label) if label else None,
                in_doubt=doubts.get(job.pk, 0),
                in_review=reviews.get(job.pk, 0),
            )
        )
    return lines


def since(job: Job) -> datetime:
    """When anybody who worked on an interrupted job was last heard of; `interrupted_jobs()` knows it."""
    known: datetime = getattr(job, "last_sign_at", None) or job.started_at or job.created_at
    return known


def ago(moment: datetime) -> str:
    """How long ago a moment was, in words."""
    if timezone.now() - moment < timedelta(minutes=1):
        return _("less than a minute ago")
    return _("%(time)s ago") % {"time": timesince(moment)}


def why(job: Job, last_run: Run | None) -> str:
    """Why an interrupted job does not go on, in one sentence."""
    if job.error_code:
        return _("It stopped at an error: %(message)s") % {"message": job.error_message or job.error_code}
    if last_run is None:
        return _("It was set to run, but nobody was asked to work on it.")
    if last_run.end_reason == RunEnd.died or (last_run.started_at and not last_run.ended_at):
        return _("Its worker stopped in the middle: the process ended or does not answer any more.")
    if last_run.started_at is None:
        return _("Its worker stopped before anybody else had taken it up.")
    return _("Its worker left before the work was done.")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the three choices, with what it would do and whether this person may make it."""

    plan: Plan
    allowed: bool
    right: str
    form: ResumeForm | RestartForm | ReasonForm | None


def choices_for(job: Job, user: User) -> dict[str, Choice]:
    """The three choices by name, each with the form that carries the facts shown."""
    service = JobService()
    resume, restart, cancel = plan_resume(job, service), plan_restart(job, service), plan_cancel(job, service)
    forms = {
        RecoveryChoice.resume: ResumeForm.shown_with(resume),
        RecoveryChoice.cancel: ReasonForm(initial={"confirmation": cancel.confirmation}, auto_id="cancel_%s"),
    }
    return {
        plan.choice.value: Choice(
            plan=plan,
            allowed=user.has_perm(NEEDED_RIGHTS[plan.choice]),
            right=right_name(NEEDED_RIGHTS[plan.choice]),
            form=forms.get(plan.choice),
        )
        for plan in (resume, restart, cancel)
    }


def job_context(job: Job, user: User) -> dict[str, Any]:
    """All that the recovery page of one interrupted job shows, in a fixed number of queries."""
    service = JobService()
    info = describe(job, service)
    doubts = list(service.rows_in_doubt(job.pk)[:DOUBTS_SHOWN])
    runs = list(service.get_runs(job.pk).order_by("-pk")[:RUNS_SHOWN])
    return {
        "job": job,
        "info": info,
        "bar_maximum": max(1, job.total_rows),
        "since": since(job),
        "ago": ago(since(job)),
        "highest_row": None if _was_restarted(job) else info.highest_row_number,
        "why": why(job, runs[0] if runs else None),
        "halted_row": _halted_row(job),
        "guarantee": str(GUARANTEES[info.guarantee]),
        **_answers(job),
        "doubts": doubts,
        "more_doubts": max(0, info.in_flight_count - len(doubts)),
        "run_lines": run_lines(runs, job),
        "choices": choices_for(job, user),
    }


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a row that was in doubt; `cost_cents` is None where no label was recorded."""

    event: Event
    said: str
    tracking_number: str
    cost_cents: int | None


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


def restart_context(job: Job, plan: RestartPlan, form: RestartForm) -> dict[str, Any]:
    """What the restart's modal shows."""
    return {
        "job": job,
        "plan": plan,
        "form": form,
        "more_rows": max(0, plan.labelled_rows - len(plan.first_rows)),
    }
