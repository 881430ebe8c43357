"""Which column of an order the carrier's own words are about."""

from collections.abc import Mapping

from shipping.orders.addresses import ADDRESS_FIELDS
from shipping.orders.columns import SIZE_COLUMNS

# EasyPost names the fields that it refuses as "object.field: message" (docs.easypost.com, "Errors"); our adapter
# joins them with semicolons.
_RECIPIENT = ("to_address", "address")
_PARCEL = ("parcel", "package")
_MEASURES = ("weight", *SIZE_COLUMNS)
_BY_CODE: Mapping[str, str] = {"SERVICE_NOT_OFFERED": "service", "NO_RATES": "weight"}


def words_by_column(code: str, message: str) -> dict[str, str]:
    """The parts of a refusal by the column that each concerns; under "" what concerns the order as a whole.

    Fields of the sender are no column of ours: their words stay with the whole.
    """
    if code in _BY_CODE:
        return {_BY_CODE[code]: message}
    said: dict[str, list[str]] = {}
    for part in filter(None, (part.strip() for part in message.split(";"))):
        field, colon, words = part.partition(":")
        column = _column(field.strip()) if colon else ""
        said.setdefault(column, []).append(words.strip() if column else part)
    return {column: "; ".join(parts) for column, parts in said.items()}


def _column(field: str) -> str:
    thing, _dot, name = field.rpartition(".")
    if name in ADDRESS_FIELDS and thing in ("", *_RECIPIENT):
        return f"to_{name}"
    if name in _MEASURES and thing in ("", *_PARCEL):
        return name
    return ""
