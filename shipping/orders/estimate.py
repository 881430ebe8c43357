"""What a file's labels may cost: the carrier's prices for some of its orders, carried over to all. Nothing is bought,
and nothing of this is a promise: prices and rows may differ when it comes to buying.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from shipping.carriers.port import CarrierError, Order, Quote, Rejected
from shipping.carriers.registry import UnknownCarrier, get_carrier
from shipping.models import Sender, Upload
from shipping.models.clock import local_seconds
from shipping.models.row import order_for_carrier
from shipping.orders.checking import PREVIEW_ROWS
from shipping.orders.uploads import UploadRefused
from shipping.pace import attend, attend_until
from shipping.states import CHECKED_UPLOAD_STATUSES

AT_ONCE = 8
# All questions together; a person waits for the answer.
SECONDS = 20.0
KEPT_REFUSALS = 10
# The true total lies within two standard errors of an estimate in about 95 of 100 cases.
STANDARD_ERRORS = 2.0


@dataclass
class Answers:
    """What came back: quotes by row number, refusals with the carrier's reason, and rows without an answer."""

    quotes: dict[int, Quote] = field(default_factory=dict)
    refusals: dict[int, str] = field(default_factory=dict)
    unanswered: dict[int, str] = field(default_factory=dict)


def estimate(upload_id: int, *, actor: User | None) -> Upload:
    """Ask the carrier what the labels of a sample would cost, and keep what follows for all good rows. Takes SECONDS
    at most, and must not be called inside a transaction.

    Raises UploadRefused when there is nothing to ask for, or when the upload was changed meanwhile.
    """
    upload = Upload.objects.get(pk=upload_id)
    sample = upload.report.get("sample", [])
    if upload.status not in CHECKED_UPLOAD_STATUSES or not sample:
        raise UploadRefused(_("There are no checked rows to ask the carrier about."))
    sender = Sender.objects.current()
    if sender is None:
        raise UploadRefused(_("No sender is set. Prices depend on where parcels come from."))
    orders = {
        # Job codes are capital letters and digits: no purchase is ever looked up by such a reference.
        each["row"]: order_for_carrier(
            each["order"], reference=f"quote-{upload.pk}-{each['row']}", sender=sender.address
        )
        for each in sample
    }
    answers = _ask(upload.carrier, orders)
    found = extrapolate(answers, asked=list(orders), good_rows=upload.good_rows)
    found |= {
        "at": timezone.now().isoformat(),
        "by": actor.get_username() if actor else "",
        "revision": upload.revision,
        "sender": sender.pk,
    }
    with transaction.atomic():
        locked = Upload.objects.lock(upload_id)
        if (locked.revision, locked.status) != (upload.revision, upload.status):
            raise UploadRefused(_("The file was changed while the carrier was asked. Please look at it again."))
        locked.estimate = found
        locked.save(update_fields=["estimate", "changed_at"])
    return locked


def extrapolate(answers: Answers, *, asked: Sequence[int], good_rows: int) -> dict[str, Any]:
    """The estimate as plain JSON. The first rows are counted as they are, the others stand for the rest of the file;
    a row that the carrier refused or did not answer counts with the average, as somebody will want it shipped.
    """
    cents = {row: quote.cost_cents for row, quote in answers.quotes.items()}
    currencies = {quote.currency for quote in answers.quotes.values()}
    found: dict[str, Any] = {
        "rows": good_rows,
        "asked": len(asked),
        "answered": len(cents),
        "refused": len(answers.refusals),
        "unanswered": len(answers.unanswered),
        "refusals": [
            {"row": row, "message": message} for row, message in sorted(answers.refusals.items())[:KEPT_REFUSALS]
        ],
        "complete": len(cents) == good_rows,
        "costs": {
            str(row): {"cents": quote.cost_cents, "service": quote.service, "carrier": quote.carrier}
            for row, quote in answers.quotes.items()
        },
        "currency": min(currencies, default=""),
        "problem": next(iter(answers.unanswered.values()), ""),
    }
    figures = ("average_cents", "total_cents", "low_cents", "high_cents", "cheapest_cents", "dearest_cents")
    found |= dict.fromkeys(figures)
    if len(currencies) > 1:
        found["problem"] = _("The carrier's prices are in several currencies, so they can't be added.")
    elif cents:
        found |= _figures(cents, asked=asked, good_rows=good_rows)
    return found


def _figures(cents: dict[int, int], *, asked: Sequence[int], good_rows: int) -> dict[str, int]:
    first, rest = asked[:PREVIEW_ROWS], asked[PREVIEW_ROWS:]
    known = [cents[row] for row in first if row in cents]
    drawn = [cents[row] for row in rest if row in cents]
    open_rows = good_rows - len(known)
    # Too few of the rest answered: then all that answered stand for it.
    basis = drawn if len(drawn) > 1 or not known else [*known, *drawn]
    total = sum(known) + statistics.fmean(basis) * open_rows
    spread = 0.0
    if len(basis) > 1 and open_rows > len(drawn):
        # The standard error of a total from a sample drawn without putting back.
        share_left = 1 - len(drawn) / open_rows
        spread = STANDARD_ERRORS * open_rows * statistics.stdev(basis) * math.sqrt(share_left / len(basis))
    return {
        "average_cents": round(total / good_rows),
        "total_cents": round(total),
        "low_cents": max(sum(cents.values()), round(total - spread)),
        "high_cents": round(total + spread),
        "cheapest_cents": min(cents.values()),
        "dearest_cents": max(cents.values()),
    }


def _ask(carrier_name: str, orders: dict[int, Order]) -> Answers:
    """Ask for all orders, AT_ONCE at a time, for SECONDS at most. No thread here touches the database."""
    try:
        carrier = get_carrier(carrier_name)
    except UnknownCarrier as error:
        raise UploadRefused(str(error)) from error
    ends_at = local_seconds() + SECONDS

    def ask(order: Order) -> Quote | None:
        left = ends_at - local_seconds()
        return carrier.quote(order, timeout=left) if left > 0 else None

    attend(carrier_name, len(orders))
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="quote")
    asked = {row: pool.submit(ask, order) for row, order in orders.items()}
    with suppress(TimeoutError):
        attend_until(partial(_all_done, asked.values()), carrier_name, SECONDS, unanswered=TimeoutError)
    pool.shutdown(wait=False, cancel_futures=True)
    answers = Answers()
    for row, future in asked.items():
        _take(answers, row, future)
    return answers


def _all_done(asked: Iterable["Future[Quote | None]"], *, timeout: float) -> None:
    if wait(asked, timeout=timeout).not_done:
        raise TimeoutError


def _take(answers: Answers, row: int, future: "Future[Quote | None]") -> None:
    try:
        quote = future.result(timeout=0) if future.done() and not future.cancelled() else None
    except Rejected as error:
        answers.refusals[row] = error.message
    except CarrierError as error:
        answers.unanswered[row] = error.message
    else:
        if quote is None:
            answers.unanswered[row] = _("The carrier did not answer in time.")
        else:
            answers.quotes[row] = quote
