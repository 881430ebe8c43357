"""What is so about a charge that no row owns, and what adopting or voiding it would do, in rows and money."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recovery.facts import guarantee_of
from recovery.wording import one_line
from shipping.carriers.port import Guarantee
from shipping.models import Job, Orphan, Row
from shipping.states import RowStatus
from shipping.templatetags.money import money


class OrphanDecision(TextChoices):
    """What a person can do about a charge that no row owns."""

    adopt = "adopt", gettext_lazy("Adopt")
    void = "void", gettext_lazy("Void")


class Situation(Enum):
    """How the row of an orphan stands, as far as it decides what the orphan means."""

    no_row = auto()
    awaited = auto()  # the carrier is being asked about this very purchase
    under_way = auto()  # another purchase for the row is in the air, or in doubt
    answer = auto()  # the row is in review for this very purchase
    in_review = auto()  # the row is in review for another one
    bought = auto()
    sold_once = auto()  # the row waits, and its own shipment is what was sold: it can't be sold again
    waits = auto()
    never_bought = auto()  # the row waits in a job that is over
    failed = auto()
    skipped = auto()


# Nothing can be done about these here, and this is why.
OBSTACLES: Mapping[Situation, str | Promise] = {
    Situation.no_row: gettext_lazy(
        "The job has no row of that number, so nothing here can use the label. Void it in your account at the carrier;"
        " after that, a new comparison takes it off this list."
    ),
    Situation.awaited: gettext_lazy(
        "The carrier is being asked about this very purchase. Its answer records the label by itself; there is nothing"
        " to decide."
    ),
}

CERTAIN: Mapping[Situation, str | Promise] = {
    **OBSTACLES,
    Situation.under_way: gettext_lazy("Another purchase for the row was sent, and its answer is not there yet."),
    Situation.answer: gettext_lazy("The row waits for somebody to say whether it was bought: it was."),
    Situation.in_review: gettext_lazy(
        "The row waits for a decision about another purchase; this one was paid for, whatever becomes of that."
    ),
    Situation.bought: gettext_lazy("The row has the label %(label)s already: it was paid for twice."),
    Situation.sold_once: gettext_lazy(
        "The row waits. This carrier sells its shipment only once: when its turn comes, this label is recorded and no"
        " other is bought."
    ),
    Situation.waits: gettext_lazy("The row waits: if the job goes on before this is settled, it is paid for again."),
    Situation.never_bought: gettext_lazy("The row counts as not bought, and the job is over."),
    Situation.failed: gettext_lazy("The row counts as failed. It was bought all the same."),
    Situation.skipped: gettext_lazy("The row was left out. It was bought all the same."),
}

_BOUGHT_WITH_IT = gettext_lazy("Row %(number)s is bought with it, and nothing more is bought for that row.")

ADOPT: Mapping[Situation, str | Promise] = {
    Situation.under_way: gettext_lazy(
        "Row %(number)s is bought with it. Should the purchase that is still unanswered turn out to have been bought,"
        " too, it is recorded as a second charge."
    ),
    Situation.answer: _BOUGHT_WITH_IT,
    Situation.in_review: gettext_lazy(
        "Row %(number)s is bought with it. The carrier is asked once more about the other purchase; should that have"
        " been bought, too, it is recorded as a second charge."
    ),
    Situation.bought: gettext_lazy(
        "Row %(number)s keeps its own label, %(label)s. This one is recorded as a second charge: it is not printed with"
        " the others, and can be voided later."
    ),
    Situation.sold_once: _BOUGHT_WITH_IT,
    Situation.waits: _BOUGHT_WITH_IT,
    Situation.never_bought: _BOUGHT_WITH_IT,
    Situation.failed: gettext_lazy("Row %(number)s does not count as failed any more: it is bought with it."),
    Situation.skipped: gettext_lazy("Row %(number)s was left out; it is bought with it after all."),
}

_BOUGHT_ANEW = gettext_lazy(
    "Row %(number)s still waits, and is bought once more when its turn comes: another purchase, with a price of its"
    " own. To keep this label instead, adopt it."
)

VOID: Mapping[Situation, str | Promise] = {
    Situation.under_way: gettext_lazy(
        "Row %(number)s stays as it is. The void is sent once the row's other purchase is answered."
    ),
    Situation.answer: gettext_lazy(
        "Row %(number)s then counts as bought, with a label that must not be used, and nothing more is bought for it."
    ),
    Situation.in_review: gettext_lazy(
        "Row %(number)s stays in review. The void is sent once that row is decided and owes no answer any more."
    ),
    Situation.bought: gettext_lazy("Row %(number)s keeps its own label, %(label)s."),
    Situation.sold_once: _BOUGHT_ANEW,
    Situation.waits: _BOUGHT_ANEW,
    Situation.never_bought: gettext_lazy("Row %(number)s stays as it is: nothing is bought for it any more."),
    Situation.failed: gettext_lazy("Row %(number)s stays failed. To try it again buys a label of its own."),
    Situation.skipped: gettext_lazy("Row %(number)s stays left out."),
}


# How the row of an orphan stands by its status: when another purchase is its own, and when this one is.
BY_STATUS: Mapping[RowStatus, tuple[Situation, Situation]] = {
    RowStatus.in_flight: (Situation.under_way, Situation.awaited),
    RowStatus.needs_review: (Situation.in_review, Situation.answer),
    RowStatus.completed: (Situation.bought, Situation.bought),
    RowStatus.failed: (Situation.failed, Situation.failed),
    RowStatus.skipped: (Situation.skipped, Situation.skipped),
}


def is_own(orphan: Orphan, row: Row) -> bool:
    """Whether an orphan is what the row's present attempt buys. A row's handle is the purchase's id, or our reference
    where the carrier has no handles of its own.
    """
    return row.handle in (orphan.purchase_id, orphan.reference)


def situation_of(orphan: Orphan, job: Job) -> Situation:
    """How the orphan's row stands now; its row, and that row's label, must be at hand."""
    row = orphan.row
    if row is None:
        return Situation.no_row
    if row.status == RowStatus.pending:
        return _while_it_waits(orphan, job, row)
    theirs, own = BY_STATUS[RowStatus(row.status)]
    return own if is_own(orphan, row) else theirs


def _while_it_waits(orphan: Orphan, job: Job, row: Row) -> Situation:
    if job.is_over:
        return Situation.never_bought
    sold_once = is_own(orphan, row) and guarantee_of(job) is Guarantee.exactly_once
    return Situation.sold_once if sold_once else Situation.waits


@dataclass(frozen=True, slots=True)
class OrphanPlan:
    """An orphan as a person sees it: what is certain, and why nothing can be decided about it, where it can't."""

    orphan: Orphan
    job: Job
    situation: Situation

    @classmethod
    def of(cls, orphan: Orphan, job: Job) -> "OrphanPlan":
        return cls(orphan, job, situation_of(orphan, job))

    @property
    def certain(self) -> str:
        """What is certain about its row."""
        return str(CERTAIN[self.situation]) % self._said()

    @property
    def obstacle(self) -> str:
        """Why it can be neither adopted nor voided; "" where it can."""
        return str(OBSTACLES.get(self.situation, ""))

    def sentences(self, decision: OrphanDecision, *, void_until: datetime | None = None) -> list[str]:
        """What a decision would do, the row and the money first. `void_until`: until when the carrier takes the label
        back, where that is known.
        """
        said = self._said()
        if decision == OrphanDecision.adopt:
            return [
                str(ADOPT[self.situation]) % said,
                _("Its cost, %(cost)s, counts as spent for this job from then on.") % said,
            ]
        return [
            str(VOID[self.situation]) % said,
            _("Its cost, %(cost)s, counts as spent until the carrier has agreed to give it back.") % said,
            _(
                "The carrier decides. It refuses a label that was scanned already; that one stays paid for, and this"
                " is said."
            ),
            *self._in_time(void_until),
            _("A voided label must not be used. If a parcel carries it already, adopt it instead."),
        ]

    def _in_time(self, void_until: datetime | None) -> list[str]:
        if void_until is None:
            return []
        day = {"day": date_format(timezone.localtime(void_until), "j M Y")}
        if void_until < timezone.now():
            return [_("The carrier's time for voids ended on %(day)s: it is asked all the same, and may refuse.") % day]
        return [_("The carrier takes it back until %(day)s.") % day]

    def _said(self) -> dict[str, Any]:
        row = self.orphan.row
        return {
            "number": intcomma(row.number) if row is not None else "",
            "label": one_line(row.label.tracking_number) if row is not None and row.label is not None else "–",
            "cost": money(self.orphan.cost_cents, self.orphan.currency),
        }
