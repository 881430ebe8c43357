"""Shipments that tests of the sandbox send."""

from typing import Any

SENDER: dict[str, Any] = {
    "company": "Lantern Supply",
    "street1": "510 Harbor Road",
    "city": "Oakland",
    "state": "CA",
    "zip": "94607",
    "country": "US",
}
RECIPIENT: dict[str, Any] = {
    "name": "Ada Moreno",
    "street1": "12 Elm Street",
    "city": "Austin",
    "state": "TX",
    "zip": "78701",
    "country": "US",
}


def shipment(reference: str = "AB12CD-000001-1", *, weight: float = 12, **recipient: Any) -> dict[str, Any]:
    """The parameters of a create; weight in ounces, other keywords change the recipient's address."""
    return {
        "to_address": {**RECIPIENT, **recipient},
        "from_address": SENDER,
        "parcel": {"length": 8, "width": 6, "height": 4, "weight": weight},
        "reference": reference,
    }
