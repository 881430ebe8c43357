"""The three choices as they are offered to one person: what each would do, its form, and who may make it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from recovery.confirmation import RecoveryChoice
from recovery.forms import RestartForm, ResumeForm
from recovery.plan import plan_all
from recovery.plans import Plan, RestartPlan
from shipping.forms import ReasonForm
from shipping.models import Event, Job
from shipping.services import JobService
from shipping.states import EventKind
from shipping.views.access import Holders, right_name, who_may
from shipping.views.live import version_of

NEEDED_RIGHTS = {
    RecoveryChoice.resume: "shipping.resume_job",
    RecoveryChoice.restart: "shipping.restart_job",
    RecoveryChoice.cancel: "shipping.cancel_job",
}
CHOICE_EVENTS = {
    RecoveryChoice.resume: EventKind.resumed,
    RecoveryChoice.restart: EventKind.restarted,
    RecoveryChoice.cancel: EventKind.cancelled,
}
# In place of a version: these choices were shown as out of date already.
MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the three choices, with what it would do and whether this person may make it; if not, who may."""

    plan: Plan
    allowed: bool
    right: str
    holders: Holders | None
    form: ResumeForm | RestartForm | ReasonForm | None


def choices_for(job: Job, user: User, live_runs: Collection[int] | None = None) -> dict[str, Choice]:
    """The three choices by name, each with the form that carries the facts shown."""
    resume, restart, cancel = plan_all(job, JobService(), live_runs)
    forms = {
        RecoveryChoice.resume: ResumeForm.shown_with(resume),
        RecoveryChoice.cancel: ReasonForm(initial={"confirmation": cancel.confirmation}, auto_id="cancel_%s"),
    }
    return {plan.choice.value: _choice(plan, user, forms.get(plan.choice)) for plan in (resume, restart, cancel)}


def _choice(plan: Plan, user: User, form: ResumeForm | ReasonForm | None) -> Choice:
    right = NEEDED_RIGHTS[plan.choice]
    allowed = user.has_perm(right)
    return Choice(
        plan=plan,
        allowed=allowed,
        right=right_name(right),
        holders=None if allowed else who_may(right),
        form=form,
    )


def offers_context(job: Job, user: User, *, seen: str = "", live_runs: Collection[int] | None = None) -> dict[str, Any]:
    """The choices, and whether they are others than the ones that a page has `seen`: then what the page still shows
    would be refused, and it says so. What a person has begun to fill in is never taken away for that.
    """
    choices = choices_for(job, user, live_runs)
    version = _version(choices)
    moved = bool(seen) and seen != version
    return {
        "choices": choices,
        "offers_version": MOVED if moved else version,
        "offers_moved": moved,
        "tell_moved": moved and seen != MOVED,
    }


def _version(choices: dict[str, Choice]) -> str:
    """What the job service compares when it is told to resume or cancel, and which fields the forms have."""
    facts = choices[RecoveryChoice.resume.value].plan.facts
    shapes = [(choice.allowed, sorted(choice.form.fields) if choice.form else []) for choice in choices.values()]
    return version_of(facts.epoch, facts.status, facts.error_row_number, shapes)


def restart_context(job: Job, plan: RestartPlan, form: RestartForm) -> dict[str, Any]:
    """What the restart's modal shows."""
    return {
        "job": job,
        "plan": plan,
        "form": form,
        "more_rows": max(0, plan.labelled_rows - len(plan.first_rows)),
    }


def own_choice(job: Job, user: User, choice: RecoveryChoice) -> Event | None:
    """The latest choice about a job if it is this very one by this very person: a button pressed twice, or a page
    that came back from the history.
    """
    latest = JobService().get_events(job.pk).filter(kind__in=CHOICE_EVENTS.values()).first()
    own = latest is not None and latest.actor_id == user.pk and latest.kind == CHOICE_EVENTS[choice]
    return latest if own else None
