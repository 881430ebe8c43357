"""One decision about many rows: those that were ticked, or all of a list.

Each row is bound to what was shown of it and refused singly when it moved, and each gets an event of its own. A list
of any length is worked through in short transactions, for a few seconds a request; the next request goes on behind
the last row. A kill loses nothing: what is decided is decided, and the rest still stands in the list.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.core import signing
from django.db import transaction
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recovery.review import (
    DECIDED,
    SENT_AGAIN,
    NoDecisionNeeded,
    TooEarly,
    require_decidable,
    require_open,
    require_quiet,
    taken_up_where_it_only_waited,
    what_was_shown,
)
from recovery.shown import ShownList, ShownRow, sums_of
from shipping.engine.books import complete_if_done
from shipping.models import Event, Job, Row
from shipping.models.clock import book_now
from shipping.rows import move_rows
from shipping.services import FactsMoved, Refused
from shipping.states import EventKind, RowStatus

# Few enough rows that a chunk holds SQLite's write lock well under 200 ms.
CHUNK_ROWS = 250
# After so many seconds a request stops at the end of a chunk, well before any proxy gives it up.
SECONDS_A_REQUEST = 5.0
# So many rows of a list are looked at in one request, at most.
ROWS_A_REQUEST = 10_000
# No form shows more rows than this.
MOST_TICKED = 1_000
# So many rows are named for each reason of a refusal.
NAMED_ROWS = 5
RESULT_SALT = "recovery.decided"


class ManyDecision(TextChoices):
    """What can be decided about many rows at once."""

    send_again = "send_again", gettext_lazy("Try again")
    skip = "skip", gettext_lazy("Leave out")


# Which event each is, and what becomes of the rows.
_CARRIED_OUT: Mapping[ManyDecision, tuple[EventKind, RowStatus, Mapping[str, Any]]] = {
    ManyDecision.send_again: (EventKind.resolved, RowStatus.pending, SENT_AGAIN),
    ManyDecision.skip: (EventKind.skipped, RowStatus.skipped, DECIDED),
}


@dataclass(slots=True)
class Decided:
    """How many rows were decided, and how many refused for which reason, with the first of their numbers.

    `left` is what goes on with the next request; None when all is done.
    """

    done: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    named: dict[str, list[int]] = field(default_factory=dict)
    left: ShownList | None = None

    @property
    def refused_count(self) -> int:
        return sum(self.refused.values())

    def refuse(self, reason: str, number: int | None) -> None:
        """Note a row that was left as it is."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        named = self.named.setdefault(reason, [])
        if number is not None and len(named) < NAMED_ROWS:
            named.append(number)

    def sentences(self) -> list[str]:
        """A sentence for each reason of a refusal, with the first rows by number."""
        return [self._sentence(reason, count) for reason, count in self.refused.items()]

    def _sentence(self, reason: str, count: int) -> str:
        named = self.named[reason]
        if not named:
            return _("%(count)s × %(reason)s.") % {"count": count, "reason": reason}
        rows = ", ".join(map(str, named)) + (", …" if count > len(named) else "")
        return _("%(count)s × %(reason)s (row %(rows)s).") % {"count": count, "reason": reason, "rows": rows}

    def signed(self) -> str:
        """A note for the form that goes on."""
        return signing.dumps({**asdict(self), "left": None}, salt=RESULT_SALT, compress=True)

    @classmethod
    def read(cls, note: str) -> "Decided":
        """What a form that goes on brought along; a fresh start for anything else."""
        try:
            return cls(**signing.loads(note, salt=RESULT_SALT))
        except (signing.BadSignature, TypeError):
            return cls()


def decide_rows(
    job_id: int, shown: Collection[ShownRow], decision: ManyDecision, *, actor: User | None, reason: str
) -> Decided:
    """Decide the rows that were ticked, each as it was shown. Raises Refused for more than MOST_TICKED, and
    JobOver when rows are to be sent and the job is over; then nothing was changed.
    """
    if len(shown) > MOST_TICKED:
        raise Refused(_("At most %(most)s rows can be ticked at once.") % {"most": MOST_TICKED})
    decided = Decided()
    ticked = list(dict.fromkeys(shown))
    for start in range(0, len(ticked), CHUNK_ROWS):
        _decide_chunk(job_id, ticked[start : start + CHUNK_ROWS], decision, decided, actor=actor, reason=reason)
    return decided


def decide_list(
    shown: ShownList, decision: ManyDecision, decided: Decided, *, actor: User | None, reason: str
) -> Decided:
    """Decide the rows of a whole list by rising number, for SECONDS_A_REQUEST, noting in `decided` what became of
    them; its `left` is what to go on with.

    Raises FactsMoved when the list is not the one that was shown any more (a row joined it, left it or was sent once
    more meanwhile), and JobOver; then nothing more was changed. A row that joins it later is left alone.
    """
    ends_at = time.monotonic() + SECONDS_A_REQUEST
    # Read before the sums are compared: what joins the list between the two makes them differ, and what joins it
    # afterwards is not among these.
    listed = shown.rows.listed(after=shown.after, most=ROWS_A_REQUEST)
    if sums_of(shown.rows.rows()) != shown.sums:
        raise FactsMoved(_("The list has changed since you were shown it. Please look at it again."))
    for start in range(0, len(listed), CHUNK_ROWS):
        began = time.monotonic()
        chunk = listed[start : start + CHUNK_ROWS]
        rows = [row for _number, row in chunk]
        settled = _decide_chunk(shown.rows.job_id, rows, decision, decided, actor=actor, reason=reason)
        sums = shown.sums
        for row in settled:
            sums = sums.without(row)
        shown = ShownList(shown.rows, sums, chunk[-1][0])
        if time.monotonic() > ends_at:
            break
        # As long as this chunk has held the write lock, others may have it.
        time.sleep(min(1.0, time.monotonic() - began))
    all_done = len(listed) < ROWS_A_REQUEST and (not listed or shown.after == listed[-1][0])
    decided.left = None if all_done else shown
    return decided


def _decide_chunk(
    job_id: int,
    shown: Collection[ShownRow],
    decision: ManyDecision,
    decided: Decided,
    *,
    actor: User | None,
    reason: str,
) -> list[Row]:
    """Decide rows, each as it was shown, in one transaction under the job's lock. Returns those that were decided, as
    they were; every other one is noted as refused.
    """
    kind, status, fields = _CARRIED_OUT[decision]
    told: dict[str, Any] = {"reason": reason, "decision": decision.value, "many": True}
    seen = {each.key: each for each in shown}
    with transaction.atomic():
        job = Job.objects.lock(job_id)
        if status == RowStatus.pending:
            require_open(job)
        now = book_now()
        rows = list(Row.objects.filter(job=job, pk__in=list(seen)).order_by("number"))
        for _gone in range(len(seen) - len(rows)):
            decided.refuse(_("is no row of this job"), None)
        chosen = [row for row in rows if _may_be_decided(row, seen[row.pk], now, decided)]
        with taken_up_where_it_only_waited(job):
            move_rows(job, chosen, status, **fields)
            Event.objects.bulk_create(
                Event(job=job, row=row, actor=actor, kind=kind, details={**told, "shown": what_was_shown(row)})
                for row in chosen
            )
        decided.done += len(chosen)
        complete_if_done(job)
        job.save()
    return chosen


def _may_be_decided(row: Row, seen: ShownRow, now: float, decided: Decided) -> bool:
    if not seen.is_still(row):
        decided.refuse(_("has changed since you were shown it"), row.number)
        return False
    try:
        require_decidable(row)
        require_quiet(row, now)
    except (TooEarly, NoDecisionNeeded) as refusal:
        decided.refuse(_why(refusal), row.number)
        return False
    return True


def _why(refusal: TooEarly | NoDecisionNeeded) -> str:
    """A refusal in words that group with others'."""
    if isinstance(refusal, TooEarly):
        return _("its request may still be on its way, so it is too early to decide")
    return _("needs no decision")
