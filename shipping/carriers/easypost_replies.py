"""What EasyPost's shipments say: their rates and their purchase. Nothing is believed that can't be read."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from shipping.carriers.easypost_refunds import refund_of
from shipping.carriers.easypost_wire import JsonObject
from shipping.carriers.port import ListedPurchase, Order, Purchase, Rejected

_LARGEST_PRICE = Decimal(1_000_000)


class Unreadable(Exception):
    """A reply that does not say what it must, or speaks of something else. `message` is for the person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Rate:
    """One offer. `price` is in whole units of `currency` (dollars)."""

    id: str
    carrier: str
    service: str
    price: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.carrier} {self.service} ({self.price:.2f} {self.currency})"

    @property
    def cents(self) -> int:
        """The price in hundredths of its currency."""
        return int((self.price * 100).to_integral_value(ROUND_HALF_UP))

    def is_called(self, wanted: str) -> bool:
        """Whether a name means this service, with or without the carrier, whatever its case and spaces."""
        return _key(wanted) in {_key(self.service), _key(self.carrier + self.service)}


def handle_of(shipment: JsonObject, reference: str) -> str:
    """The id of a new shipment that carries our reference. Raises Unreadable."""
    handle = shipment.get("id")
    if not isinstance(handle, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", handle):
        raise Unreadable("UNREADABLE_ANSWER", "The carrier's answer holds no shipment id.")
    _check_reference(shipment, reference)
    return handle


def pick_rate(reply: JsonObject, order: Order) -> Rate:
    """The cheapest rate of the wanted service, or of all when none is wanted. Raises Rejected, listing the offers."""
    rates = _rates(reply)
    if not rates:
        raise Rejected("NO_RATES", f"The carrier offers no service for this parcel.{_reasons(reply)}")
    fitting = [rate for rate in rates if not order.service.strip() or rate.is_called(order.service)]
    if not fitting:
        offers = ", ".join(str(rate) for rate in rates)
        raise Rejected(
            "SERVICE_NOT_OFFERED", f"The service “{order.service}” is not offered for this parcel; offered: {offers}."
        )
    if len({rate.currency for rate in fitting}) > 1:
        offers = ", ".join(str(rate) for rate in fitting)
        raise Rejected("SEVERAL_CURRENCIES", f"Prices in several currencies can't be compared; name one of: {offers}.")
    return fitting[0]


def purchase_of(shipment: JsonObject, *, handle: str, reference: str) -> Purchase | None:
    """The purchase of a shipment, or None when it plainly has none.

    Raises Unreadable for another shipment, another reference, or a purchase that is not told in full.
    """
    if shipment.get("id") != handle:
        raise Unreadable("OTHER_SHIPMENT", "The carrier answered about another shipment.")
    if not _has_postage(shipment):
        _check_reference(shipment, reference)
        return None
    _check_reference(shipment, reference)
    rate = _rate(shipment.get("selected_rate"))
    if rate is None:
        raise Unreadable("UNREADABLE_PRICE", "The carrier's answer does not say what was bought at which price.")
    label = shipment.get("postage_label")
    if not isinstance(label, dict):
        raise Unreadable("NO_LABEL", "The carrier's answer names a price but no label.")
    tracking_number = _text(shipment.get("tracking_code"), 100)
    if not tracking_number:
        raise Unreadable("NO_TRACKING_NUMBER", "The carrier's answer holds no tracking number.")
    return Purchase(
        purchase_id=handle,
        reference=reference,
        tracking_number=tracking_number,
        carrier=rate.carrier,
        service=rate.service,
        cost_cents=rate.cents,
        currency=rate.currency,
        label_url=label_url_of(shipment),
        bought_at=bought_at(shipment),
    )


def listed_of(shipment: JsonObject) -> ListedPurchase | None:
    """What a shipment says of its purchase, whatever its reference, or None when it plainly has none.

    Raises Unreadable when it does not even name itself.
    """
    shipment_id = _text(shipment.get("id"), 100)
    if not shipment_id:
        raise Unreadable("UNREADABLE_ANSWER", "The carrier's answer holds a shipment without an id.")
    if not _has_postage(shipment):
        return None
    rate = _rate(shipment.get("selected_rate"))
    tracking_number = _text(shipment.get("tracking_code"), 100)
    refund = refund_of(shipment, shipment_id)
    return ListedPurchase(
        purchase_id=shipment_id,
        reference=_text(shipment.get("reference"), 100),
        tracking_number=tracking_number,
        cost_cents=None if rate is None else rate.cents,
        currency="" if rate is None else rate.currency,
        refund=None if refund is None else refund.state,
        readable=bool(rate and tracking_number and (refund or shipment.get("refund_status") in (None, ""))),
        carrier="" if rate is None else rate.carrier,
        service="" if rate is None else rate.service,
        label_url=label_url_of(shipment),
        bought_at=bought_at(shipment),
    )


def made_at(shipment: JsonObject) -> datetime:
    """When a shipment was created. Raises Unreadable."""
    moment = _moment(shipment.get("created_at"))
    if moment is None:
        raise Unreadable("UNREADABLE_ANSWER", "The carrier's answer does not say when a shipment was created.")
    return moment


def bought_at(shipment: JsonObject) -> datetime | None:
    """When a shipment's label was made, or None when the shipment does not say."""
    label = shipment.get("postage_label")
    return _moment(label.get("created_at")) if isinstance(label, dict) else None


def label_url_of(shipment: JsonObject) -> str:
    """Where the label's bytes are, or "" when the shipment does not say."""
    label = shipment.get("postage_label")
    return _text(label.get("label_url"), 4000) if isinstance(label, dict) else ""


def _has_postage(shipment: JsonObject) -> bool:
    return any(shipment.get(key) for key in ("postage_label", "tracking_code", "selected_rate"))


def _check_reference(shipment: JsonObject, reference: str) -> None:
    if shipment.get("reference") != reference:
        raise Unreadable(
            "REFERENCE_MISMATCH",
            f"The carrier's shipment carries the reference {str(shipment.get('reference'))[:100]!r},"
            f" not {reference!r}.",
        )


def _rates(reply: JsonObject) -> list[Rate]:
    """All rates that can be read, the cheapest first; equal prices in an order that stays the same."""
    given = reply.get("rates")
    rates = [_rate(rate) for rate in given] if isinstance(given, list) else []
    return sorted((rate for rate in rates if rate), key=lambda rate: (rate.price, rate.carrier, rate.service, rate.id))


def _rate(given: object) -> Rate | None:
    if not isinstance(given, dict):
        return None
    id_, carrier, service = (
        _text(given.get("id"), 100),
        _text(given.get("carrier"), 50),
        _text(given.get("service"), 100),
    )
    price, currency = _price(given.get("rate")), _text(given.get("currency"), 3).upper()
    if not (id_ and carrier and service) or price is None or not re.fullmatch(r"[A-Z]{3}", currency):
        return None
    return Rate(id_, carrier, service, price, currency)


def _price(given: object) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return None
    try:
        price = Decimal(str(given))
    except InvalidOperation:
        return None
    return price if price.is_finite() and 0 <= price <= _LARGEST_PRICE else None


def _text(given: object, longest: int) -> str:
    text = given.strip() if isinstance(given, str) else ""
    return text if len(text) <= longest and text.isprintable() else ""


def _moment(given: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _key(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _reasons(reply: JsonObject) -> str:
    """Why there are no rates, in the words of the carriers (docs.easypost.com, "Messages")."""
    messages = reply.get("messages")
    said = [
        f" {_text(message.get('carrier'), 50) or 'Carrier'}: {_text(message.get('message'), 300)}"
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict) and _text(message.get("message"), 300)
    ]
    return "".join(said[:5])
