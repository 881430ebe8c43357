"""A carrier of the guarantee *adopt or ask* at the sandbox: no keys, purchases are looked up by our reference alone.

Preparing costs nothing and asks nobody: the handle is our reference. Each purchase makes a shipment of its own and buys
it, so a second purchase under one reference is a second charge, and nothing but our own books prevents it.
"""

import time
from collections.abc import Mapping
from typing import Any

from shipping.carriers import easypost_errors as errors
from shipping.carriers.easypost import EasyPost
from shipping.carriers.easypost_replies import Unreadable, purchase_of
from shipping.carriers.easypost_wire import CallFailed, JsonObject
from shipping.carriers.gate import Gate
from shipping.carriers.port import Guarantee, Order, Prepared, Purchase, Unavailable, Unknown

# The carriers' names in the settings that `adopting` and `tests.support.adopting_settings` make.
ASKS_A_PERSON = "by_reference"
SENDS_AGAIN = "by_reference_sends_again"
# What a child process needs so that it knows these carriers, too.
ADOPTING = {"DJANGO_SETTINGS_MODULE": "tests.support.adopting_settings"}

_PAGE_SIZE = 100
# As in the adapter of EasyPost: a purchase is sent only with this share of the call's time left.
_SHARE_FOR_BUYING = 0.25


class ByReference(EasyPost):
    """The adapter; voids, label files and the list of purchases are EasyPost's."""

    guarantee = Guarantee.adopt_or_ask
    prepare_sends = False

    def __init__(self, *, api_key: str, api_base: str, gate: Gate, send_again_when_not_found: bool = False) -> None:
        """`send_again_when_not_found` is the policy for what the carrier does not know after the quiet period."""
        super().__init__(api_key=api_key, api_base=api_base, gate=gate)
        # One shipment of its own for each purchase, made and bought as EasyPost does it.
        self._shipments = EasyPost(api_key=api_key, api_base=api_base, gate=gate)
        self.send_again_when_not_found = send_again_when_not_found

    def prepare(self, order: Order, *, timeout: float) -> Prepared:  # noqa: ARG002 (the port's signature)
        """Our reference is the handle. Nothing is sent."""
        return Prepared(handle=order.reference)

    def buy(self, order: Order, handle: str, details: Mapping[str, str], *, timeout: float) -> Purchase:  # noqa: ARG002
        """Make a shipment and buy it. Raises Unavailable when the first took so long that the second can't be answered
        in time: nothing was bought then.
        """
        ends = _now() + timeout
        shipment = self._shipments.prepare(order, timeout=timeout)
        left = ends - _now()
        if left <= timeout * _SHARE_FOR_BUYING:
            raise Unavailable("NO_TIME_LEFT", "The carrier took so long that no time was left to go on.")
        return self._shipments.buy(order, shipment.handle, shipment.details, timeout=left)

    def lookup(self, handle: str, reference: str, *, timeout: float) -> Purchase | None:  # noqa: ARG002
        """Ask for what was bought under a reference: the newest purchase, when there are several."""
        try:
            reply = self._wire.call(
                lambda client: client.shipment.all(purchased=True, reference=reference, page_size=_PAGE_SIZE),
                timeout=timeout,
            )
        except CallFailed as failure:
            raise errors.of_question(failure) from None
        try:
            return _newest_of(reply, reference)
        except Unreadable as error:
            raise Unknown(error.code, error.message) from None


def carriers(api_base: str) -> dict[str, dict[str, Any]]:
    """Both policies, as entries of `settings.CARRIERS`. `api_base` is the sandbox's."""
    return {
        name: {
            "ADAPTER": "tests.support.by_reference.ByReference",
            "OPTIONS": {"api_key": "EZTK-sandbox", "api_base": api_base, "send_again_when_not_found": sends_again},
        }
        for name, sends_again in ((ASKS_A_PERSON, False), (SENDS_AGAIN, True))
    }


def _newest_of(reply: JsonObject, reference: str) -> Purchase | None:
    """The newest purchase of a page that is the whole list for a reference. Raises Unreadable for anything else."""
    shipments, more = reply.get("shipments"), reply.get("has_more")
    if not isinstance(shipments, list) or more is not False:
        raise Unreadable("UNREADABLE_ANSWER", "The carrier's answer is not the list of a reference's shipments.")
    for shipment in shipments:
        if not isinstance(shipment, dict) or not isinstance(shipment.get("id"), str):
            raise Unreadable("UNREADABLE_ANSWER", "The carrier's list holds something that is not a shipment.")
        purchase = purchase_of(shipment, handle=shipment["id"], reference=reference)
        if purchase is not None:
            return purchase
    return None


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
