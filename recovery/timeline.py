"""What happened to a job, in order: the turns of its workers, and what people chose between them.

Turns that ended alike under one choice are told as one, so that a job of many hours stays readable; their number and
that of the events shown are bounded, and so is the number of queries.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Count, Max, Min, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from recovery.incident import PLACE_NAMES, place_of
from shipping import liveness
from shipping.models import Event, Job, Run
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import EventKind, RunEnd

GROUPS_SHOWN = 12
OPEN_RUNS_SHOWN = 12
EVENTS_SHOWN = 20
# Questions may be asked again and again; they must not crowd the choices out.
QUESTIONS_SHOWN = 3

# What people did with the whole job, in the words of the timeline.
CHOSEN: dict[str, str | Promise] = {
    EventKind.created: gettext_lazy("Uploaded"),
    EventKind.started: gettext_lazy("Started"),
    EventKind.paused: gettext_lazy("Paused"),
    EventKind.resumed: gettext_lazy("Resumed"),
    EventKind.restarted: gettext_lazy("Restarted"),
    EventKind.cancelled: gettext_lazy("Cancelled"),
    EventKind.check_requested: gettext_lazy("Had the carrier asked again"),
}
TOLD = (*(kind for kind in CHOSEN if kind != EventKind.check_requested), EventKind.halted, EventKind.sweep_done)

ENDED: dict[str, str | Promise] = {
    RunEnd.handed_over: gettext_lazy("Worked, then handed over to the next turn, as it should"),
    RunEnd.no_work: gettext_lazy("Worked until nothing was left to do"),
    RunEnd.halted: gettext_lazy("Worked until an error stopped the job"),
    RunEnd.fenced: gettext_lazy("Worked until a person chose otherwise"),
    RunEnd.died: gettext_lazy("Worked, then stopped in the middle without a word"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline. `tone` is `person`, `bad`, `live` or nothing; `process` is for administrators."""

    at: datetime
    title: str
    until: datetime | None = None
    tone: str = ""
    who: str = ""
    notes: list[str] = field(default_factory=list)
    process: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The entries, the earliest first, and whether earlier ones were left out."""

    entries: list[Entry]
    has_earlier: bool

    @property
    def latest(self) -> datetime | None:
        """When the last of them began."""
        return self.entries[-1].at if self.entries else None


def timeline(job: Job, live_runs: Collection[int] | None = None) -> Timeline:
    """What happened to a job so far, in a fixed number of queries. `live_runs` are the job's live runs, where they
    are known already.
    """
    open_runs = list(job.runs.started().order_by("-pk")[:OPEN_RUNS_SHOWN])
    groups = list(_groups(job)[: GROUPS_SHOWN + 1])
    of_the_job = JobService().get_events(job.pk).filter(row=None)
    events = list(of_the_job.filter(kind__in=TOLD)[: EVENTS_SHOWN + 1])
    questions = list(of_the_job.filter(kind=EventKind.check_requested)[:QUESTIONS_SHOWN])
    doubts = _doubts_by_run(job, live_runs)
    now = book_now()
    entries = [
        *(_of_run(run, doubts.get(run.pk, 0), now) for run in open_runs),
        *(_of_group(group) for group in groups[:GROUPS_SHOWN]),
        *(_of_event(event) for event in (*events[:EVENTS_SHOWN], *questions)),
    ]
    has_earlier = len(groups) > GROUPS_SHOWN or len(events) > EVENTS_SHOWN
    # Of what happened in the same moment, the choice comes before the turn that followed from it.
    entries.sort(key=lambda entry: (entry.at, entry.tone != "person"))
    return Timeline(entries=entries, has_earlier=has_earlier)


# --- Turns of workers ------------------------------------------------------------------------------------


def _groups(job: Job) -> Any:
    """Turns that are over, by the choice they worked under, how they ended and where; the latest first."""
    over = job.runs.filter(started_at__isnull=False, ended_at__isnull=False)
    return (
        over.order_by()
        .values("epoch", "end_reason", "host")
        .annotate(
            turns=Count("pk"),
            first_at=Min("started_at"),
            last_at=Max("ended_at"),
            last_beat_at=Max("beat_at"),
            bought=Sum("bought_rows"),
            lowest=Min("lowest_row"),
            highest=Max("highest_row"),
        )
        .order_by("-first_at", "-epoch", "end_reason")
    )


def _of_group(group: Mapping[str, Any]) -> Entry:
    died = group["end_reason"] == RunEnd.died
    how = str(ENDED.get(group["end_reason"], group["end_reason"]))
    turns = group["turns"]
    notes = list(_bought(group["bought"], group["lowest"], group["highest"]))
    if turns > 1:
        said = ngettext("%(count)s turn ended like this.", "%(count)s turns ended like this.", turns)
        notes.insert(0, said % {"count": intcomma(turns)})
    return Entry(
        at=group["first_at"],
        # Its end was written down only by the next choice; what is known is when it was last heard of.
        until=group["last_beat_at"] if died else group["last_at"],
        title=how,
        tone="bad" if died or group["end_reason"] == RunEnd.halted else "",
        who=_who(Run(host=group["host"])),
        notes=notes,
    )


def _of_run(run: Run, doubts: int, now: float) -> Entry:
    live = liveness.is_live(run, now)
    notes = list(_bought(run.bought_rows, run.lowest_row, run.highest_row))
    if doubts and not live:
        notes.append(
            ngettext(
                "It left %(count)s purchase without an answer: that row is in doubt.",
                "It left %(count)s purchases without an answer: those rows are in doubt.",
                doubts,
            )
            % {"count": intcomma(doubts)}
        )
    return Entry(
        at=run.started_at or run.issued_at,
        until=None if live else run.beat_at,
        title=_("At work") if live else str(ENDED[RunEnd.died]),
        tone="live" if live else "bad",
        who=_who(run),
        notes=notes,
        process=_("process %(pid)s") % {"pid": run.pid} if run.pid else "",
    )


def _who(run: Run) -> str:
    return str(PLACE_NAMES[place_of(run)])


def _bought(rows: int | None, lowest: int | None, highest: int | None) -> Iterator[str]:
    if not rows or lowest is None or highest is None:
        return
    if lowest == highest:
        yield _("Bought 1 label, for row %(row)s.") % {"row": intcomma(lowest)}
        return
    said = ngettext(
        "Bought %(count)s label, between row %(lowest)s and row %(highest)s.",
        "Bought %(count)s labels, from row %(lowest)s to row %(highest)s.",
        rows,
    )
    yield said % {"count": intcomma(rows), "lowest": intcomma(lowest), "highest": intcomma(highest)}


def _doubts_by_run(job: Job, live_runs: Collection[int] | None) -> dict[int, int]:
    rows = JobService().rows_in_doubt(job.pk, live_runs).filter(run__isnull=False).order_by()
    return dict(rows.values_list("run").annotate(Count("pk")))


# --- What people and the engine did ----------------------------------------------------------------------


def _of_event(event: Event) -> Entry:
    details = event.details if isinstance(event.details, dict) else {}
    if event.kind == EventKind.halted:
        return Entry(at=event.at, title=_halted(details), tone="bad")
    if event.kind == EventKind.sweep_done:
        return Entry(at=event.at, title=_("All rows had been gone through for what was chosen"))
    return Entry(
        at=event.at,
        title=str(CHOSEN[event.kind]),
        tone="person",
        who=event.actor.get_username() if event.actor else _("Somebody at a terminal"),
        notes=list(_chosen(event.kind, details)),
    )


def _halted(details: Mapping[str, Any]) -> str:
    if details.get("row_number"):
        return _("The job stopped at row %(row)s: %(message)s") % {
            "row": intcomma(details["row_number"]),
            "message": details.get("message", ""),
        }
    return _("The job stopped: %(message)s") % {"message": details.get("message", "")}


def _chosen(kind: str, details: Mapping[str, Any]) -> Iterator[str]:
    """What the choice said, and the reason that was given for it."""
    rows = (details.get("shown") or {}).get("labelled_rows")
    if kind == EventKind.restarted and rows is not None:
        yield ngettext(
            "%(count)s label that had been bought was to be bought again.",
            "%(count)s labels that had been bought were to be bought again.",
            rows,
        ) % {"count": intcomma(rows)}
        if details.get("void_first"):
            yield _("Each was to be voided first.")
    if kind == EventKind.resumed and details.get("skipped_row"):
        yield _("Row %(row)s, at which it had stopped, was left out.") % {"row": intcomma(details["skipped_row"])}
    if kind in (EventKind.created, EventKind.check_requested) and details.get("rows") is not None:
        yield ngettext("%(count)s row.", "%(count)s rows.", details["rows"]) % {"count": intcomma(details["rows"])}
    if details.get("reason"):
        yield _("Reason: %(reason)s") % {"reason": details["reason"]}
