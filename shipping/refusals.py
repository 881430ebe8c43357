"""Why a command was not carried out, and what is compared before one is. Under the job's lock."""

from django.utils import timezone
from django.utils.translation import gettext as _

from shipping import liveness
from shipping.models import Job, Row
from shipping.reads import Facts, JobReads
from shipping.states import EventKind

CHOICE_EVENTS = (
    EventKind.started,
    EventKind.paused,
    EventKind.resumed,
    EventKind.restarted,
    EventKind.cancelled,
    EventKind.resolved,
    EventKind.skipped,
    EventKind.corrected,
)


class Refused(ValueError):
    """A command was not carried out; nothing was changed. The message is a sentence for the person."""


class UnknownJob(Refused):
    """There is no such job."""


class IllegalTransition(Refused):
    """The state machine has no such move."""


class NotInterrupted(Refused):
    """The job is not interrupted (any more)."""


class FactsMoved(Refused):
    """What the person was shown is no longer so."""


def lock_job(job_id: int) -> Job:
    """The job, locked until the transaction ends. Raises UnknownJob."""
    try:
        return Job.objects.lock(job_id)
    except Job.DoesNotExist:
        raise UnknownJob(_("There is no job %(job_id)s.") % {"job_id": job_id}) from None


def require_interrupted(job: Job) -> None:
    """Raises NotInterrupted, which says how the job stands and who chose last. Under the job's lock, the answer
    holds until the lock goes.
    """
    condition = liveness.condition(job)
    if condition == liveness.Condition.interrupted:
        return
    why = {
        liveness.Condition.working: _("a worker is on it"),
        liveness.Condition.waiting_for_worker: _("it waits for a worker to take it up"),
        liveness.Condition.waiting_for_person: _("it only waits for rows in review to be decided"),
    }.get(condition) or _("it is %(status)s") % {"status": job.get_status_display().lower()}
    said = _("“%(job)s” is not interrupted: %(why)s.") % {"job": job.name, "why": why}
    raise NotInterrupted(" ".join(filter(None, [said, _latest_choice(job)])))


def require_same_facts(job: Job, expected: Facts | None, *, with_labels: bool = False) -> None:
    """Raises FactsMoved, which says who did what meanwhile, when a choice was made from other facts than these."""
    if expected is None:
        return
    facts = JobReads().facts(job, expected.mark)
    same = (facts.epoch, facts.status, facts.error_row_number) == (
        expected.epoch,
        expected.status,
        expected.error_row_number,
    )
    if with_labels:
        same = same and (facts.labelled_rows, facts.labelled_cents) == (
            expected.labelled_rows,
            expected.labelled_cents,
        )
    if not same:
        raise facts_moved(job, expected)


def require_undecided(job: Job, row: Row, expected: Facts | None) -> None:
    """Raises FactsMoved when somebody has corrected a row, or had it tried again, since a choice about it was shown."""
    if expected is None:
        return
    decisions = row.events.filter(kind__in=(EventKind.corrected, EventKind.resolved), pk__gt=expected.seen_event)
    if decisions.exists():
        raise facts_moved(job, expected)


def facts_moved(job: Job, expected: Facts) -> FactsMoved:
    """The refusal of a choice that was made from facts of before; it says who did what meanwhile."""
    changed = _("“%(job)s” has changed since you were shown it.") % {"job": job.name}
    choice = _latest_choice(job, since_event=expected.seen_event)
    return FactsMoved(" ".join(filter(None, [changed, choice, _("Please look at it again.")])))


def _latest_choice(job: Job, *, since_event: int = 0) -> str:
    event = (
        job.events.filter(kind__in=CHOICE_EVENTS, pk__gt=since_event).select_related("actor").order_by("-pk").first()
    )
    if event is None:
        return ""
    return _("%(person)s chose “%(choice)s” at %(time)s.") % {
        "person": event.actor.get_username() if event.actor else _("Somebody at a terminal"),
        "choice": event.get_kind_display().lower(),
        "time": f"{timezone.localtime(event.at):%H:%M:%S}",
    }
