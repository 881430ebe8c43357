"""EasyPost's objects as the tests' scripted carrier answers them."""

from typing import Any

from shipping.carriers.easypost import EasyPost
from shipping.carriers.port import Address, Order, Parcel
from tests.carriers.scripted import ScriptedCarrier

KEY = "EZTK-a-key-of-the-tests"
HANDLE = "shp_0123456789abcdef"
REFERENCE = "K7Q2M4-000048-1"

SENDER = Address(
    name="Sender", street1="417 Montgomery St", city="San Francisco", state="CA", zip="94104", country="US"
)
RECIPIENT = Address(
    name="Ana Gómez", street1="10 Main St", street2="Apt 4", city="Austin", state="TX", zip="78701", country="US"
)


def order(*, service: str = "", reference: str = REFERENCE) -> Order:
    parcel = Parcel(weight=12.5, length=9, width=6, height=2)
    return Order(reference=reference, sender=SENDER, recipient=RECIPIENT, parcel=parcel, service=service)


def rate(service: str, price: str, *, carrier: str = "USPS", currency: str = "USD") -> dict[str, Any]:
    return {
        "id": f"rate_{service}_{price}",
        "object": "Rate",
        "carrier": carrier,
        "service": service,
        "rate": price,
        "currency": currency,
    }


RATES = [rate("Priority", "9.65"), rate("GroundAdvantage", "5.455"), rate("Express", "31.00")]


def created(**changes: Any) -> dict[str, Any]:
    """A shipment without postage."""
    return {
        "id": HANDLE,
        "object": "Shipment",
        "reference": REFERENCE,
        "tracking_code": None,
        "refund_status": None,
        "messages": [],
        "rates": RATES,
        "selected_rate": None,
        "postage_label": None,
        **changes,
    }


def bought(**changes: Any) -> dict[str, Any]:
    """A shipment with postage."""
    label = {
        "id": "pl_1",
        "object": "PostageLabel",
        "created_at": "2026-01-24T00:36:23Z",
        "label_url": "https://labels.example/1.pdf",
    }
    return created(
        **{"tracking_code": "9400100000000000000000", "selected_rate": RATES[1], "postage_label": label, **changes}
    )


def adapter(carrier: ScriptedCarrier, key: str = KEY) -> EasyPost:
    return EasyPost(api_key=key, api_base=f"{carrier.url}/v2")
