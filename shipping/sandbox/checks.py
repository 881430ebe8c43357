"""What the sandbox carrier refuses before it gives a shipment an id."""

import math
import re
from collections.abc import Iterator
from typing import Any

from shipping.sandbox.errors import FieldError, RefusedError
from shipping.sandbox.values import JsonObject

REJECT_AT_CREATE = "REJECT"
NO_RATES = "NORATE"
REFUSE_AT_BUY = "REFUSE AT BUY"

_ADDRESS_FIELDS = ("name", "company", "street1", "street2", "city", "state", "zip", "country", "phone", "email")
_SIZES = ("length", "width", "height")
_US_ZIP = re.compile(r"\d{5}(-\d{4})?")
_STATE_CODES = """
AA AE AK AL AP AR AS AZ CA CO CT DC DE FL FM GA GU HI IA ID IL IN KS KY LA MA MD ME MH MI MN MO MP MS MT
NC ND NE NH NJ NM NV NY OH OK OR PA PR PW RI SC SD TN TX UT VA VI VT WA WI WV WY
"""
_STATES = frozenset(_STATE_CODES.split())


def street_says(address: JsonObject, word: str) -> bool:
    """Whether the street of a checked address holds one of the words that make the sandbox refuse a row."""
    return word in str(address["street1"]).upper()


def checked_shipment(body: JsonObject) -> JsonObject:
    """The parts of a create request that are kept: addresses, parcel, options, reference.

    Raises RefusedError (422) naming every field that a carrier would not take.
    """
    shipment = body.get("shipment")
    if not isinstance(shipment, dict):
        raise RefusedError(
            422,
            "SHIPMENT.INVALID_PARAMS",
            "A shipment must be sent as an object under the key 'shipment'.",
            [FieldError("shipment", "is missing")],
        )
    to_address = _checked_address(shipment, "to_address")
    from_address = _checked_address(shipment, "from_address")
    return {
        "to_address": to_address,
        "from_address": from_address,
        "parcel": _checked_parcel(shipment.get("parcel")),
        "options": _checked_options(shipment.get("options")),
        "reference": _checked_reference(shipment.get("reference")),
    }


def _checked_address(shipment: JsonObject, key: str) -> JsonObject:
    given = shipment.get(key)
    if not isinstance(given, dict):
        raise RefusedError(
            422, "SHIPMENT.INVALID_PARAMS", f"{key} is missing.", [FieldError(key, "must be an address object")]
        )
    address = {field: _text(given.get(field)) for field in _ADDRESS_FIELDS}
    address["country"] = (address["country"] or "US").upper()
    address["state"] = address["state"].upper() if address["country"] == "US" else address["state"]
    errors = [FieldError(f"{key}.{field}", message) for field, message in _address_errors(address)]
    if key == "to_address" and street_says(address, REJECT_AT_CREATE):
        errors.append(FieldError(f"{key}.street1", "Address not found"))
    if errors:
        raise RefusedError(422, "ADDRESS.VERIFY.FAILURE", "Unable to verify address.", errors)
    return {field: value or None for field, value in address.items()}


def _address_errors(address: dict[str, str]) -> Iterator[tuple[str, str]]:
    if not address["name"] and not address["company"]:
        yield "name", "a name or a company is required"
    for field in ("street1", "city"):
        if not address[field]:
            yield field, "is required"
    if not re.fullmatch(r"[A-Z]{2}", address["country"]):
        yield "country", "must be a two-letter country code (ISO 3166)"
    if address["country"] == "US":
        if address["state"] not in _STATES:
            yield "state", "must be a two-letter US state code"
        if not _US_ZIP.fullmatch(address["zip"]):
            yield "zip", "must be a ZIP code of 5 or 9 digits"


def _checked_parcel(given: Any) -> JsonObject:
    if not isinstance(given, dict):
        raise RefusedError(
            422, "SHIPMENT.INVALID_PARAMS", "parcel is missing.", [FieldError("parcel", "must be a parcel object")]
        )
    errors: list[FieldError] = []
    parcel: JsonObject = {}
    for field in ("weight", *_SIZES):
        if given.get(field) is None and field != "weight":
            parcel[field] = None
            continue
        parcel[field] = _positive_number(given.get(field))
        if parcel[field] is None:
            unit = "ounces" if field == "weight" else "inches"
            errors.append(FieldError(f"parcel.{field}", f"must be a positive number of {unit}"))
    if errors:
        raise RefusedError(422, "PARCEL.PARAMETERS.INVALID", "The parcel's weight or size is not valid.", errors)
    return parcel


def _checked_options(given: Any) -> JsonObject:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise RefusedError(
            422, "SHIPMENT.OPTIONS.INVALID", "options must be an object.", [FieldError("options", "must be an object")]
        )
    return given


def _checked_reference(given: Any) -> str | None:
    if given is None or (isinstance(given, str) and given.isprintable()):
        return given or None
    raise RefusedError(
        422, "SHIPMENT.INVALID_PARAMS", "reference must be text.", [FieldError("reference", "must be printable text")]
    )


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)


def _positive_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
