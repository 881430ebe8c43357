"""A shipment of the books as the JSON object that EasyPost's API v2 answers with (docs.easypost.com, "Shipment")."""

import hashlib

from shipping.sandbox.ledger import Shipment
from shipping.sandbox.rates import CARRIER, CURRENCY, why_no_rates, zone
from shipping.sandbox.values import JsonObject, dollars, moment

_CARRIER_ACCOUNT = "ca_" + "0" * 32


def shipment_object(shipment: Shipment, base_url: str) -> JsonObject:
    """The shipment with its rates and, once bought, its tracking code, label and selected rate.

    `status` is the status of the tracking, not of the purchase, and stays `unknown`, as with a test key:
    that something was bought is told by `postage_label`.
    """
    rates = [_rate_object(rate, shipment) for rate in shipment.rates]
    charge = shipment.charge
    selected = None if charge is None else next((rate for rate in rates if rate["id"] == charge.rate_id), None)
    return {
        "id": shipment.id,
        "object": "Shipment",
        "mode": "test",
        "created_at": moment(shipment.created_at),
        "updated_at": moment(shipment.updated_at),
        "reference": shipment.reference,
        "status": "unknown",
        "is_return": False,
        "tracking_code": None if charge is None else charge.tracking_code,
        "refund_status": None if charge is None else charge.refund_status,
        "options": shipment.details["options"],
        "messages": _messages(shipment),
        "to_address": _part("Address", "adr", shipment, "to_address"),
        "from_address": _part("Address", "adr", shipment, "from_address"),
        "parcel": _part("Parcel", "prcl", shipment, "parcel"),
        "usps_zone": zone(shipment.details["from_address"]["zip"], shipment.details["to_address"]["zip"])
        if shipment.rates
        else None,
        "rates": rates,
        "selected_rate": selected,
        "postage_label": _label_object(shipment, base_url),
        "insurance": None,
        "tracker": None,
        "fees": [],
        "forms": [],
    }


def rates_object(shipment: Shipment) -> JsonObject:
    """The rates alone, as a rerate answers."""
    return {"rates": [_rate_object(rate, shipment) for rate in shipment.rates]}


def _rate_object(rate: JsonObject, shipment: Shipment) -> JsonObject:
    price = dollars(rate["cents"])
    return {
        "id": rate["id"],
        "object": "Rate",
        "mode": "test",
        "created_at": moment(rate["created_at"]),
        "updated_at": moment(rate["created_at"]),
        "carrier": CARRIER,
        "carrier_account_id": _CARRIER_ACCOUNT,
        "service": rate["service"],
        "rate": price,
        "currency": CURRENCY,
        "list_rate": price,
        "list_currency": CURRENCY,
        "retail_rate": price,
        "retail_currency": CURRENCY,
        "delivery_days": rate["delivery_days"],
        "est_delivery_days": rate["delivery_days"],
        "delivery_date": None,
        "delivery_date_guaranteed": False,
        "shipment_id": shipment.id,
    }


def _label_object(shipment: Shipment, base_url: str) -> JsonObject | None:
    if shipment.charge is None:
        return None
    url = f"{base_url}/labels/{shipment.charge.tracking_code}.pdf"
    return {
        "object": "PostageLabel",
        "created_at": moment(shipment.charge.charged_at),
        "label_url": url,
        "label_pdf_url": url,
        "label_file_type": "application/pdf",
        "label_size": "4x6",
        "label_type": "default",
        "integrated_form": "none",
    }


def _part(kind: str, prefix: str, shipment: Shipment, key: str) -> JsonObject:
    return {
        "id": f"{prefix}_{hashlib.sha256(f'{shipment.id} {key}'.encode()).hexdigest()[:32]}",
        "object": kind,
        "mode": "test",
        "created_at": moment(shipment.created_at),
        **shipment.details[key],
    }


def _messages(shipment: Shipment) -> list[JsonObject]:
    reason = why_no_rates(shipment.details)
    if reason is None:
        return []
    return [
        {
            "carrier": CARRIER,
            "carrier_account_id": _CARRIER_ACCOUNT,
            "type": "rate_error",
            "message": reason,
        }
    ]
