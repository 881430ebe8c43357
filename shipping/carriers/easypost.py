"""EasyPost, and the sandbox carrier that speaks its API: a shipment is created for free, then bought once.

The shipment's id is the handle. EasyPost refuses to buy a shipment that has its postage already, so a handle is
charged at most once, whoever sends the purchase and however late it arrives.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from shipping.carriers import easypost_errors as errors
from shipping.carriers.easypost_list import Place, page_of
from shipping.carriers.easypost_refunds import days_to_void, refund_of
from shipping.carriers.easypost_replies import (
    Rate,
    Unreadable,
    handle_of,
    label_url_of,
    listed_of,
    pick_rate,
    purchase_of,
)
from shipping.carriers.easypost_wire import CallFailed, JsonObject, Wire
from shipping.carriers.gate import Gate
from shipping.carriers.label_download import download_label
from shipping.carriers.port import (
    Address,
    CarrierError,
    Guarantee,
    LabelFile,
    ListedPurchase,
    Order,
    Parcel,
    Prepared,
    Purchase,
    PurchasePage,
    Quote,
    Rejected,
    Unavailable,
    Unknown,
    VoidAnswer,
    VoidState,
)

# A purchase is sent only with this share of the call's time left: one that can't be answered in time is a doubt.
_SHARE_FOR_BUYING = 0.25


def _now() -> float:
    """Seconds that also pass while the machine sleeps, as they do for the engine's deadlines."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Countdown:
    """The time of one call of the port, shared by all the requests that it sends."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = _now() + seconds

    def left(self, *, share: float = 0.0) -> float:
        """The seconds left. Raises Unavailable when they are less than this share of the whole."""
        left = self._ends - _now()
        if left <= self._seconds * share:
            raise Unavailable("NO_TIME_LEFT", "The carrier took so long that no time was left to go on.")
        return left


class EasyPost:
    """The adapter. Safe to call from many threads at once; sends each request once."""

    guarantee = Guarantee.exactly_once
    # Of no meaning here: a handle that is charged at most once may always be sent again.
    send_again_when_not_found = True
    prepare_sends = True

    def __init__(self, *, api_key: str, api_base: str, gate: Gate | None = None) -> None:
        """`api_base` is the API's address with its version; without a gate, requests are sent at any pace. Raises
        ValueError for an address or a key that can't be right.
        """
        self.gate = gate or Gate()
        self._wire = Wire(api_key=api_key, api_base=api_base, gate=self.gate)

    def __repr__(self) -> str:
        return f"EasyPost(api_base={self._wire.api_base!r})"

    def quote(self, order: Order, *, timeout: float) -> Quote:
        """Create a shipment that is never bought, and read its rate. See the port."""
        rate = pick_rate(self._free(lambda client: client.shipment.create(**_shipment(order)), timeout), order)
        return Quote(carrier=rate.carrier, service=rate.service, cost_cents=rate.cents, currency=rate.currency)

    def prepare(self, order: Order, *, timeout: float) -> Prepared:
        """Create a shipment, which costs nothing, and choose its rate. See the port."""
        shipment = self._free(lambda client: client.shipment.create(**_shipment(order)), timeout)
        try:
            handle = handle_of(shipment, order.reference)
        except Unreadable as error:
            raise Unavailable(error.code, error.message) from None
        rate = pick_rate(shipment, order)
        return Prepared(
            handle=handle,
            details={
                "rate_id": rate.id,
                "carrier": rate.carrier,
                "service": rate.service,
                "rate": str(rate.price),
                "currency": rate.currency,
            },
        )

    def buy(self, order: Order, handle: str, details: Mapping[str, str], *, timeout: float) -> Purchase:
        """Buy the shipment. See the port.

        A second purchase is sent only after the first was refused for its rate, which is a definite "not bought".
        """
        countdown = _Countdown(timeout)
        rate_id = details.get("rate_id", "")
        if not rate_id:
            shipment = self._shipment_to_buy(handle, countdown)
            purchase = _purchase_or_unknown(shipment, handle, order.reference)
            if purchase is not None:
                return purchase
            rate_id = self._rate_of(shipment, order, handle, countdown).id
        try:
            return self._send_purchase(order, handle, rate_id, countdown)
        except CallFailed as failure:
            if not errors.is_rate_gone(failure):
                raise errors.of_purchase(failure) from None
        rate_id = self._new_rate(order, handle, countdown).id
        try:
            return self._send_purchase(order, handle, rate_id, countdown)
        except CallFailed as failure:
            raise errors.of_purchase(failure) from None

    def lookup(self, handle: str, reference: str, *, timeout: float) -> Purchase | None:
        """Ask for the shipment. See the port."""
        try:
            shipment = self._wire.call(lambda client: client.shipment.retrieve(handle), timeout=timeout)
        except CallFailed as failure:
            raise errors.of_question(failure) from None
        return _purchase_or_unknown(shipment, handle, reference)

    def void(self, purchase_id: str, *, timeout: float) -> VoidAnswer:
        """Ask for the refund of a shipment. See the port.

        A refusal is checked against the shipment: an earlier request may have been accepted and its answer lost.
        """
        countdown = _Countdown(timeout)
        try:
            shipment = self._wire.call(lambda client: client.shipment.refund(purchase_id), timeout=countdown.left())
        except CallFailed as failure:
            if not errors.is_refused(failure):
                raise errors.of_refund(failure) from None
            return self._refused_refund(failure, purchase_id, countdown)
        answer = refund_of(shipment, purchase_id)
        if answer is None:
            raise Unknown("UNREADABLE_ANSWER", "The carrier's answer does not say how the refund stands.")
        return answer

    def refund_state(self, purchase_id: str, *, timeout: float) -> VoidAnswer:
        """Ask the shipment how its refund stands. See the port."""
        try:
            shipment = self._wire.call(lambda client: client.shipment.retrieve(purchase_id), timeout=timeout)
        except CallFailed as failure:
            raise errors.of_question(failure) from None
        answer = refund_of(shipment, purchase_id)
        if answer is None:
            raise Unknown("UNREADABLE_ANSWER", "The carrier's answer does not say how the refund stands.")
        return answer

    def void_days(self, carrier: str) -> int | None:
        """See the port, and `days_to_void`."""
        return days_to_void(carrier)

    def fetch_label(self, purchase_id: str, label_url: str, *, timeout: float) -> LabelFile:
        """Fetch the label's bytes, asking the shipment for their address when it is not known. See the port."""
        countdown = _Countdown(timeout)
        if not label_url:
            try:
                shipment = self._wire.call(
                    lambda client: client.shipment.retrieve(purchase_id), timeout=countdown.left()
                )
            except CallFailed as failure:
                raise errors.of_question(failure) from None
            label_url = label_url_of(shipment) if shipment.get("id") == purchase_id else ""
        if not label_url:
            raise Unavailable("NO_LABEL", "The carrier does not say where the label is.")
        return download_label(label_url, timeout=countdown.left(), gate=self.gate)

    def list_purchases(self, since: datetime, page: str = "", *, timeout: float) -> PurchasePage:
        """Ask for one page of the account's shipments that have postage. See the port, and `easypost_list`."""
        place = Place.of(page, since=since)
        try:
            reply = self._wire.call(lambda client: client.shipment.all(**place.parameters()), timeout=timeout)
        except CallFailed as failure:
            raise errors.of_list(failure) from None
        try:
            return page_of(reply, place)
        except Unreadable as error:
            raise Unavailable(error.code, error.message) from None

    def listed_purchase(self, purchase_id: str, *, timeout: float) -> ListedPurchase | None:
        """Ask for one shipment as the list would tell it. See the port."""
        try:
            shipment = self._wire.call(lambda client: client.shipment.retrieve(purchase_id), timeout=timeout)
        except CallFailed as failure:
            if failure.status == 404 and failure.readable:
                return None
            raise errors.of_question(failure) from None
        if shipment.get("id") != purchase_id:
            raise Unknown("OTHER_SHIPMENT", "The carrier answered about another shipment.")
        return listed_of(shipment)

    def _free(self, request: Callable[[Any], object], timeout: float) -> JsonObject:
        try:
            return self._wire.call(request, timeout=timeout)
        except CallFailed as failure:
            raise errors.of_free_request(failure) from None

    def _shipment_to_buy(self, handle: str, countdown: _Countdown) -> JsonObject:
        try:
            return self._wire.call(lambda client: client.shipment.retrieve(handle), timeout=countdown.left())
        except CallFailed as failure:
            if failure.status == 404 and failure.readable:
                # Nothing can be bought under a handle that the carrier denies, now or later.
                raise Rejected(
                    failure.code or "NOT_FOUND", "The carrier does not know this shipment, so it can't be bought."
                ) from None
            raise errors.of_free_request(failure) from None

    def _rate_of(self, shipment: JsonObject, order: Order, handle: str, countdown: _Countdown) -> Rate:
        try:
            return pick_rate(shipment, order)
        except Rejected:
            return self._new_rate(order, handle, countdown)

    def _new_rate(self, order: Order, handle: str, countdown: _Countdown) -> Rate:
        rerated = self._free(lambda client: client.shipment.regenerate_rates(handle), countdown.left())
        return pick_rate(rerated, order)

    def _send_purchase(self, order: Order, handle: str, rate_id: str, countdown: _Countdown) -> Purchase:
        """Send the one request that costs money. Raises CallFailed for its error, Unavailable when there is no time."""
        left = countdown.left(share=_SHARE_FOR_BUYING)
        try:
            shipment = self._wire.call(lambda client: client.shipment.buy(handle, rate={"id": rate_id}), timeout=left)
            purchase = _purchase_or_unknown(shipment, handle, order.reference)
        except CallFailed as failure:
            if errors.is_already_bought(failure):
                return self._existing_purchase(failure, order, handle, countdown)
            raise
        except CarrierError:
            raise
        except Exception as error:  # the purchase may have left: whatever went wrong, it is in doubt
            raise Unknown("UNREADABLE_ANSWER", f"The answer could not be read ({type(error).__name__}).") from None
        if purchase is None:
            raise Unknown("NO_LABEL", "The carrier answered the purchase without a label.")
        return purchase

    def _existing_purchase(self, failure: CallFailed, order: Order, handle: str, countdown: _Countdown) -> Purchase:
        try:
            purchase = self.lookup(handle, order.reference, timeout=countdown.left())
        except Unavailable as error:
            raise Unknown(
                failure.code, f"The shipment was bought already, but the purchase could not be seen: {error.message}"
            ) from None
        if purchase is None:
            raise Unknown(failure.code, "The carrier says that the shipment was bought already, but shows no purchase.")
        return purchase

    def _refused_refund(self, failure: CallFailed, purchase_id: str, countdown: _Countdown) -> VoidAnswer:
        refusal = VoidAnswer(state=VoidState.refused, message=failure.message or failure.code)
        if failure.status == 404:
            return refusal
        try:
            shipment = self._wire.call(lambda client: client.shipment.retrieve(purchase_id), timeout=countdown.left())
        except CallFailed as unanswered:
            raise errors.unknown(unanswered) from None
        answer = refund_of(shipment, purchase_id)
        return answer if answer is not None and answer.state is not VoidState.refused else refusal


def _purchase_or_unknown(shipment: JsonObject, handle: str, reference: str) -> Purchase | None:
    try:
        return purchase_of(shipment, handle=handle, reference=reference)
    except Unreadable as error:
        raise Unknown(error.code, error.message) from None


def _shipment(order: Order) -> JsonObject:
    """The parameters of a new shipment. EasyPost's own label format is PNG; labels here are PDF."""
    return {
        "reference": order.reference,
        "from_address": _address(order.sender),
        "to_address": _address(order.recipient),
        "parcel": _parcel(order.parcel),
        "options": {"label_format": "PDF"},
    }


def _address(address: Address) -> dict[str, str]:
    fields = ("name", "company", "street1", "street2", "city", "state", "zip", "country", "phone", "email")
    return {field: value for field in fields if (value := getattr(address, field))}


def _parcel(parcel: Parcel) -> dict[str, float]:
    sizes = {"length": parcel.length, "width": parcel.width, "height": parcel.height, "weight": parcel.weight}
    return {name: size for name, size in sizes.items() if size is not None}
