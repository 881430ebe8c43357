"""Mending the order of a row that the carrier refused, or that nobody has sent yet: its address, parcel or service.

Why a new order never doubles a charge. What was sent under the row's handle holds the old address and can't be changed
at the carrier, so a corrected row gets a new attempt, with a reference and a handle of its own; a preparation of the
old attempt that is still on its way is worth nothing (a claim names its attempt). Two handles can be charged twice,
though, so the old one must be past charging:

- A row that owes an answer is never corrected, nor one that was bought.
- Each claim's purchase is sent once. Where the carrier's own answer to it was a definite "no", nothing is on its way.
- Where a claim was given up without its own answer (a look-up or a person said "not bought"), a frozen process could
  still send it. A carrier that charges a handle at most once protects a row against that only while the row keeps its
  handle. So there a correction waits until every process that could have sent it is certainly gone.
- The carrier is asked about the old handle once more: what it says was bought is adopted instead, and "could not find
  out" is no permission.

With a carrier that is adopted or asked, the handle never prevented a second charge: the window of a process that was
frozen between its last check and the send is the same whether a row is sent again as it is or corrected.
"""

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.translation import gettext as _

from recovery.review import (
    adopt,
    ask_now,
    deciding,
    question_about,
    require_open,
    taken_up_where_it_only_waited,
)
from shipping.carriers.port import CarrierError, Guarantee, Purchase
from shipping.carriers.registry import UnknownCarrier, get_carrier
from shipping.engine.letters import Question
from shipping.liveness import ProcessIdentity, is_gone, live_run_ids
from shipping.models import Job, Label, Row
from shipping.models.search_key import search_keys
from shipping.orders.checks import CheckedRow, RowChecker
from shipping.orders.columns import ADDRESS_COLUMNS, COLUMNS, SIZE_COLUMNS, lay_out
from shipping.orders.tables import Record
from shipping.rows import IllegalRowMove, move_row
from shipping.services import Refused
from shipping.states import EventKind, RowStatus

CORRECTABLE = (*ADDRESS_COLUMNS, "weight", *SIZE_COLUMNS, "service")

# Our own columns in ounces and inches: what is in the books already.
_LAYOUT = lay_out(COLUMNS)


class NotCorrectable(Refused):
    """The row's order can't be changed, now or ever."""


class BadOrder(Refused):
    """The order can't be shipped as it was written. `problems` has sentences by column."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Corrected:
    """The row as it is now; `found` is the label that the carrier turned out to have sold already, where it had."""

    row: Row
    found: Label | None = None


def correct(row: Row, given: Mapping[str, str], *, actor: User | None = None, reason: str = "") -> Corrected:
    """Change the order of a row to the columns `given` (those of CORRECTABLE) and set it to be bought.

    The carrier may be asked before (for up to REQUEST_TIMEOUT_SECONDS). Raises BadOrder, NotCorrectable, JobOver, or
    FactsMoved when the row is not as `row` shows it; then nothing was changed.
    """
    checked = check_correction(row, given)
    changed = changes(row, checked.order)
    if not changed:
        raise NotCorrectable(_("What you wrote is what row %(number)s has already.") % {"number": row.number})
    require_correctable(row.job, row)
    bought = _bought_meanwhile(row)
    if bought is not None:
        return _adopt_instead(row, *bought, actor=actor, reason=reason)
    error = {"code": row.error_code, "message": row.error_message}
    before = {"attempt": row.attempt, "handle": row.handle}
    with deciding(
        row, EventKind.corrected, actor=actor, reason=reason, changed=changed, before=before, error=error
    ) as (job, fresh):
        require_correctable(job, fresh)
        with taken_up_where_it_only_waited(job):
            _order_anew(job, fresh, checked)
    return Corrected(fresh)


def check_correction(row: Row, given: Mapping[str, str]) -> CheckedRow:
    """The order with the columns given, through the same checks as every order of a file. Raises BadOrder."""
    order = {column: row.order.get(column, "") for column in COLUMNS}
    order |= {column: given[column] for column in CORRECTABLE if column in given}
    with closing(RowChecker(_LAYOUT)) as checker:
        checked = checker.check(Record(row.number, row.number, [order[column] for column in COLUMNS]))
    if checked.errors:
        raise BadOrder({error.column: error.message for error in checked.errors})
    return checked


def changes(row: Row, order: Mapping[str, str]) -> dict[str, list[str]]:
    """What another order would change, as [before, after] by column."""
    return {
        column: [row.order.get(column, ""), order.get(column, "")]
        for column in CORRECTABLE
        if row.order.get(column, "") != order.get(column, "")
    }


def require_correctable(job: Job, row: Row) -> None:
    """Raises NotCorrectable or JobOver, with a sentence that says why the order can't be changed now."""
    require_open(job)
    number = {"number": row.number}
    if not job.import_complete:
        raise NotCorrectable(_("The file of this job is still being imported."))
    if row.status == RowStatus.completed:
        raise NotCorrectable(_("Row %(number)s was bought with this order.") % number)
    if row.status not in (RowStatus.failed, RowStatus.pending):
        raise NotCorrectable(
            _("Row %(number)s is “%(status)s”; only the order of a row that failed or waits can be changed.")
            % {**number, "status": row.get_status_display().lower()}
        )
    if row.due is not None:
        raise NotCorrectable(_("The carrier still owes an answer about row %(number)s.") % number)
    if row.run_id is not None and row.run_id in live_run_ids(job.pk):
        raise NotCorrectable(_("A worker is about to buy row %(number)s. Pause the job first.") % number)
    if row.handle and not _nothing_is_on_its_way(job, row):
        raise NotCorrectable(
            _(
                "An earlier request for row %(number)s was given up without its own answer, and the worker that sent it"
                " may still run. It can be tried again as it is without any risk of paying twice; with another address"
                " both could be charged. Restart the worker to change the order."
            )
            % number
        )


def _nothing_is_on_its_way(job: Job, row: Row) -> bool:
    """Whether no purchase under the row's handle can still reach the carrier; see the top of this file."""
    with suppress(UnknownCarrier):
        if get_carrier(row.account).guarantee is not Guarantee.exactly_once:
            return True
    given_up = (
        row.events.filter(
            Q(kind=EventKind.not_bought)
            | Q(
                kind=EventKind.resolved,
                details__decision="send_again",
                details__shown__status=RowStatus.needs_review.value,
            )
        )
        .order_by("-pk")
        .first()
    )
    if given_up is None:
        return True
    senders = job.runs.filter(started_at__lt=given_up.at).values_list("host", "pid", "pid_start_ticks").distinct()
    return all(
        is_gone(ProcessIdentity(host=host, pid=pid or 0, start_ticks=ticks or 0))
        for host, pid, ticks in senders.iterator()
    )


def _bought_meanwhile(row: Row) -> tuple[Question, Purchase] | None:
    """What the carrier sold under the row's handle after all; None for a definite "not bought". Raises NotCorrectable
    when it could not be found out.
    """
    if not row.handle:
        return None
    question = question_about(row)
    answer = ask_now(question)
    if isinstance(answer, CarrierError):
        raise NotCorrectable(
            _(
                "The carrier could not be asked whether row %(number)s was bought with its old address, so it was left"
                " as it is: %(message)s"
            )
            % {"number": row.number, "message": answer.message}
        )
    return None if answer is None else (question, answer)


def _adopt_instead(row: Row, question: Question, purchase: Purchase, *, actor: User | None, reason: str) -> Corrected:
    with deciding(row, EventKind.resolved, actor=actor, reason=reason, decision="record_bought") as (job, fresh):
        return Corrected(fresh, adopt(job, fresh, question, purchase))


def _order_anew(job: Job, row: Row, checked: CheckedRow) -> None:
    """Give a row its new order under a new attempt, and set it to be bought. Under the job's lock."""
    anew = {
        "order": dict(checked.order),
        "recipient": checked.recipient,
        **search_keys(recipient=checked.recipient, order_reference=row.order_reference),
        "attempt": row.attempt + 1,
        "handle": None,
        "run": None,
        "crashes": 0,
        "ask_after": 0.0,
        "questions_failed": 0,
        "answer": "",
        "answered_at": None,
        "error_code": "",
        "error_message": "",
        "failed_epoch": None,
    }
    if row.status == RowStatus.failed:
        move_row(job, row, RowStatus.pending, **anew)
        return
    waiting = Row.objects.filter(
        pk=row.pk, status=RowStatus.pending, attempt=row.attempt, claims=row.claims, due__isnull=True
    )
    if waiting.update(**anew) != 1:
        raise IllegalRowMove(f"Row {row.number} does not wait any more.")
    for name, value in anew.items():
        setattr(row, name, value)
