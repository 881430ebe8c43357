"""Small values that every part of the sandbox shares: JSON, ids, moments, money."""

import secrets
from datetime import UTC, datetime
from typing import Any

JsonObject = dict[str, Any]


def new_id(prefix: str) -> str:
    """An id in EasyPost's form: a prefix for the kind of object, `_`, and 32 hex digits."""
    return f"{prefix}_{secrets.token_hex(16)}"


def new_tracking_code() -> str:
    """A 22-digit number in the form of a USPS IMpb barcode: service code 94, then random digits, then a check digit.

    The last digit is the usual modulo-10 check with weights 3 and 1, counted from the right.
    """
    digits = "94" + "".join(str(secrets.randbelow(10)) for _ in range(19))
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return f"{digits}{-total % 10}"


def now() -> float:
    """Seconds since 1970, as they are kept in the ledger."""
    return datetime.now(tz=UTC).timestamp()


def moment(seconds: float) -> str:
    """A moment as ISO 8601 in UTC with microseconds, ending in Z."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def dollars(cents: int) -> str:
    """Cents as the API writes money: `745` is `"7.45"`."""
    return f"{cents // 100}.{cents % 100:02d}"
