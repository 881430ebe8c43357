"""What a plan holds, and the sentences in which it says to a person what a choice would do, in rows and money."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from recovery.confirmation import RecoveryChoice
from recovery.wording import one_line
from shipping.reads import Facts
from shipping.templatetags.money import money


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRow:
    """A row as people recognise it; the amount is in hundredths of `currency`."""

    number: int
    recipient: str
    tracking_number: str
    cost_cents: int
    currency: str

    def __str__(self) -> str:
        return _("Row %(number)s: %(recipient)s, tracking %(tracking)s, %(cost)s") % {
            "number": self.number,
            "recipient": one_line(self.recipient),
            "tracking": one_line(self.tracking_number),
            "cost": money(self.cost_cents, self.currency),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What all plans tell. `doubt_rows` may or may not have been bought, and the carrier is asked about them first;
    `review_rows` wait for a person whatever is chosen; `paid_already_rows` wait though a charge for them is known that
    no row owns; `pending_rows` were never bought in their present attempt.
    Amounts are in hundredths of `currency`. `sentences()` says the plan to a person, one line each.
    """

    choice: ClassVar[RecoveryChoice]

    job_id: int
    job_name: str
    facts: Facts
    confirmation: str
    currency: str
    completed_rows: int
    spent_cents: int
    pending_rows: int
    doubt_rows: int
    failed_rows: int
    review_rows: int
    skipped_rows: int
    paid_already_rows: int

    def sentences(self) -> list[str]:
        return list(self._sentences())

    def _sentences(self) -> Iterator[str]:
        """Each choice's own."""
        yield from self._waiting()

    def _waiting(self) -> Iterator[str]:
        if self.paid_already_rows:
            yield ngettext(
                "Pays a second time for %(count)s row that waits and was charged already: settle that charge first.",
                "Pays a second time for %(count)s rows that wait and were charged already: settle those charges first.",
                self.paid_already_rows,
            ) % {"count": self.paid_already_rows}
        if self.doubt_rows:
            yield ngettext(
                "The carrier is asked first about %(count)s row in doubt.",
                "The carrier is asked first about %(count)s rows in doubt.",
                self.doubt_rows,
            ) % {"count": self.doubt_rows}
        if self.review_rows:
            yield ngettext(
                "%(count)s row stays in review for a person to decide.",
                "%(count)s rows stay in review for a person to decide.",
                self.review_rows,
            ) % {"count": self.review_rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePlan(Plan):
    """Going on. `retried_rows` failed since the halt and are tried again; `again_rows` are what a restart that was cut
    short still has to buy again, at about `again_cents`, with `void_first` after they were voided. `estimated_cents`
    is for the pending and retried rows at the average price so far, None before the first label.
    """

    choice = RecoveryChoice.resume

    halted_row_number: int | None
    halted_recipient: str
    retried_rows: int
    again_rows: int
    again_cents: int
    void_first: bool
    estimated_cents: int | None

    def _sentences(self) -> Iterator[str]:
        yield self._buys()
        if self.again_rows:
            yield self._restart_goes_on()
        elif self.completed_rows:
            yield ngettext(
                "Does not buy the %(count)s label again that there already is.",
                "Does not buy the %(count)s labels again that there already are.",
                self.completed_rows,
            ) % {"count": self.completed_rows}
        if self.halted_row_number is not None:
            yield self._tries_again(self.halted_row_number)
        yield from self._waiting()
        left = self.failed_rows - self.retried_rows
        if left and self.retried_rows:
            yield ngettext(
                "%(count)s other failed row stays failed.", "%(count)s other failed rows stay failed.", left
            ) % {"count": left}
        elif left:
            yield ngettext("%(count)s failed row stays failed.", "%(count)s failed rows stay failed.", left) % {
                "count": left
            }

    def _buys(self) -> str:
        rows = self.pending_rows + self.retried_rows
        if self.estimated_cents is None:
            return ngettext("Buys %(count)s remaining row.", "Buys %(count)s remaining rows.", rows) % {"count": rows}
        return ngettext(
            "Buys %(count)s remaining row, for about %(cost)s.",
            "Buys %(count)s remaining rows, for about %(cost)s.",
            rows,
        ) % {"count": rows, "cost": money(self.estimated_cents, self.currency)}

    def _restart_goes_on(self) -> str:
        if self.void_first:
            said = ngettext(
                "Carries the restart on: up to %(count)s label bought before is voided and bought again, for about"
                " %(cost)s.",
                "Carries the restart on: up to %(count)s labels bought before are voided and bought again, for about"
                " %(cost)s.",
                self.again_rows,
            )
        else:
            said = ngettext(
                "Carries the restart on: up to %(count)s label bought before is bought again, for about %(cost)s.",
                "Carries the restart on: up to %(count)s labels bought before are bought again, for about %(cost)s.",
                self.again_rows,
            )
        return said % {"count": self.again_rows, "cost": money(self.again_cents, self.currency)}

    def _tries_again(self, number: int) -> str:
        if not self.halted_recipient:
            return _("Tries row %(number)s again, at which it stopped.") % {"number": number}
        return _("Tries row %(number)s (%(recipient)s) again, at which it stopped.") % {
            "number": number,
            "recipient": one_line(self.halted_recipient),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPlan(Plan):
    """Beginning again. `labelled_rows` completed rows have labels that cost `labelled_cents`, and are bought again for
    about as much; `first_rows` names the first of them. Failed rows are tried again too.
    """

    choice = RecoveryChoice.restart

    labelled_rows: int
    labelled_cents: int
    first_rows: tuple[NamedRow, ...]

    @property
    def again_cents(self) -> int:
        """What buying the same labels again would cost: an estimate, by what they cost before."""
        return self.labelled_cents

    @property
    def warning(self) -> str:
        return _(
            "WARNING: %(count)s rows already have tracking numbers. Restarting will create duplicate shipments for"
            " these rows. Consider using 'resume' instead."
        ) % {"count": self.labelled_rows}

    def _sentences(self) -> Iterator[str]:
        if self.labelled_rows:
            yield ngettext(
                "Buys %(count)s label again that cost %(paid)s, for about %(cost)s.",
                "Buys %(count)s labels again that cost %(paid)s, for about %(cost)s.",
                self.labelled_rows,
            ) % {
                "count": self.labelled_rows,
                "paid": money(self.labelled_cents, self.currency),
                "cost": money(self.again_cents, self.currency),
            }
        if self.pending_rows + self.failed_rows:
            yield self._first_labels(self.pending_rows + self.failed_rows)
        yield from self._waiting()
        if self.skipped_rows:
            yield ngettext("%(count)s row stays skipped.", "%(count)s rows stay skipped.", self.skipped_rows) % {
                "count": self.skipped_rows
            }

    def _first_labels(self, rows: int) -> str:
        if not self.failed_rows:
            return ngettext(
                "Buys %(count)s row that has no label yet.", "Buys %(count)s rows that have no label yet.", rows
            ) % {"count": rows}
        return ngettext(
            "Buys %(count)s row that has no label yet, %(failed)s of them failed before.",
            "Buys %(count)s rows that have no label yet, %(failed)s of them failed before.",
            rows,
        ) % {"count": rows, "failed": self.failed_rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPlan(Plan):
    """Stopping for good. `voidable_rows` have labels for `voidable_cents` that can be voided afterwards; the void of
    `voids_begun` of them was sent to the carrier before.
    """

    choice = RecoveryChoice.cancel

    voidable_rows: int
    voidable_cents: int
    voids_begun: int

    def _sentences(self) -> Iterator[str]:
        yield ngettext(
            "Buys nothing more: %(count)s row will not be processed.",
            "Buys nothing more: %(count)s rows will not be processed.",
            self.pending_rows,
        ) % {"count": self.pending_rows}
        if self.doubt_rows:
            yield ngettext(
                "The carrier is still asked about %(count)s row in doubt; what was bought shows.",
                "The carrier is still asked about %(count)s rows in doubt; what was bought shows.",
                self.doubt_rows,
            ) % {"count": self.doubt_rows}
        if self.review_rows:
            yield ngettext("%(count)s row stays in review.", "%(count)s rows stay in review.", self.review_rows) % {
                "count": self.review_rows
            }
        if self.voidable_rows:
            yield ngettext(
                "%(count)s label for %(cost)s stays bought and can be voided afterwards.",
                "%(count)s labels for %(cost)s stay bought and can be voided afterwards.",
                self.voidable_rows,
            ) % {"count": self.voidable_rows, "cost": money(self.voidable_cents, self.currency)}
        if self.voids_begun:
            yield ngettext(
                "The void of %(count)s label among them was sent to the carrier already, and may still be carried out.",
                "The void of %(count)s labels among them was sent to the carrier already, and may still be carried"
                " out.",
                self.voids_begun,
            ) % {"count": self.voids_begun}
