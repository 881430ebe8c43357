"""How a shipment's refund stands at EasyPost, and for how long one may be asked for (docs.easypost.com,
"Shipping Refund").
"""

from shipping.carriers.easypost_wire import JsonObject
from shipping.carriers.port import VoidAnswer, VoidState

_STATES = {
    "submitted": VoidState.submitted,
    "refunded": VoidState.refunded,
    "rejected": VoidState.refused,
    "not_applicable": VoidState.refused,
}
_REFUSALS = {
    "rejected": "The carrier rejected the refund; it may be asked for again.",
    "not_applicable": "The carrier charges a label only when it is scanned, so there is nothing to refund.",
}

# EasyPost's names of the carriers, in lower case: its own accounts with UPS and FedEx have names of their own.
_DAYS = {"usps": 30, "ups": 90, "upsdap": 90, "fedex": 90, "fedexdefault": 90}


def refund_of(shipment: JsonObject, purchase_id: str) -> VoidAnswer | None:
    """How this shipment's refund stands, or None when the reply does not say."""
    status = shipment.get("refund_status")
    if shipment.get("id") != purchase_id or not isinstance(status, str) or status not in _STATES:
        return None
    return VoidAnswer(state=_STATES[status], message=_REFUSALS.get(status, ""))


def days_to_void(carrier: str) -> int | None:
    """The days after its purchase in which a label of a carrier, by the name that its rate bears, is taken back:
    30 for USPS, 90 for UPS and FedEx, and None for others, of which EasyPost says nothing.
    """
    return _DAYS.get(carrier.casefold())
