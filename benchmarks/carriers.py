"""The carriers of the measurements, keeping the port of `shipping.carriers.port`: one that answers at once in the same
process, and one that buys at the minimal label server. Both hand out no label files.
"""

import itertools
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from benchmarks.client import Client
from shipping.carriers.gate import Gate
from shipping.carriers.port import (
    Guarantee,
    LabelFile,
    ListedPurchase,
    Order,
    Prepared,
    Purchase,
    PurchasePage,
    Quote,
    Rejected,
    Unavailable,
    Unknown,
    VoidAnswer,
)

# The port names its arguments; these carriers need few of them.
# ruff: noqa: ARG002

COST_CENTS = 700


class _ByReference:
    """What both have in common: the handle is our reference, and a purchase can be looked up by it."""

    guarantee = Guarantee.adopt_or_ask
    send_again_when_not_found = True
    prepare_sends = False

    def quote(self, order: Order, *, timeout: float) -> Quote:
        return Quote(carrier="BENCH", service="Ground", cost_cents=COST_CENTS, currency="USD")

    def prepare(self, order: Order, *, timeout: float) -> Prepared:
        return Prepared(handle=order.reference)

    def void(self, purchase_id: str, *, timeout: float) -> VoidAnswer:
        raise Unavailable("no_voids", "This carrier of the benchmarks takes nothing back.")

    def refund_state(self, purchase_id: str, *, timeout: float) -> VoidAnswer:
        raise Unavailable("no_voids", "This carrier of the benchmarks takes nothing back.")

    def void_days(self, carrier: str) -> int | None:
        return None

    def fetch_label(self, purchase_id: str, label_url: str, *, timeout: float) -> LabelFile:
        raise Rejected("no_file", "This carrier of the benchmarks hands out no files.")

    def list_purchases(self, since: datetime, page: str = "", *, timeout: float) -> PurchasePage:
        raise Unavailable("no_list", "This carrier of the benchmarks has no list.")

    def listed_purchase(self, purchase_id: str, *, timeout: float) -> ListedPurchase | None:
        raise Unavailable("no_list", "This carrier of the benchmarks has no list.")


def _purchase(reference: str, purchase_id: str, tracking_number: str, cost_cents: int) -> Purchase:
    return Purchase(
        purchase_id=purchase_id,
        reference=reference,
        tracking_number=tracking_number,
        carrier="BENCH",
        service="Ground",
        cost_cents=cost_cents,
        currency="USD",
        label_url="",
        has_file=False,
    )


class Instant(_ByReference):
    """Answers every purchase at once, in the worker's own process."""

    def __init__(self, *, gate: Gate) -> None:
        self.gate = gate
        self._numbers = itertools.count(1)

    def buy(self, order: Order, handle: str, details: Mapping[str, str], *, timeout: float) -> Purchase:
        return _purchase(handle, f"lbl_{handle}", f"9400{next(self._numbers):016}", COST_CENTS)

    def lookup(self, handle: str, reference: str, *, timeout: float) -> Purchase | None:
        return None


class LabelServer(_ByReference):
    """One POST for each purchase, on a connection that each thread keeps."""

    def __init__(self, *, url: str, gate: Gate) -> None:
        self.gate = gate
        self._client = Client(url)

    def buy(self, order: Order, handle: str, details: Mapping[str, str], *, timeout: float) -> Purchase:
        try:
            _status, told = self._call("POST", handle, timeout)
        except (OSError, ValueError, IndexError) as error:
            raise Unknown("no_answer", f"The label server did not answer: {error}") from error
        return _purchase(handle, told["id"], told["tracking_number"], told["cost_cents"])

    def lookup(self, handle: str, reference: str, *, timeout: float) -> Purchase | None:
        try:
            status, told = self._call("GET", handle, timeout)
        except (OSError, ValueError, IndexError) as error:
            raise Unavailable("no_answer", f"The label server did not answer: {error}") from error
        if status == HTTPStatus.NOT_FOUND:
            return None
        return _purchase(handle, told["id"], told["tracking_number"], told["cost_cents"])

    def _call(self, method: str, reference: str, timeout: float) -> tuple[int, dict[str, Any]]:
        timeout -= self.gate.enter(timeout)
        return self._client.ask(method, reference, timeout)
