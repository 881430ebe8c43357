"""How long to wait before something that failed is tried again."""

from django.conf import settings

from shipping.carriers.port import CarrierError, Unavailable, Unsent


def failures_with(error: CarrierError, before: int) -> int:
    """How many failures in a row this makes. What was not sent is none: the carrier was not asked."""
    return before if isinstance(error, Unsent) else before + 1


def wait_after(failures: int, error: CarrierError, *, longest: float = 300.0) -> float:
    """Seconds to wait after so many failures in a row, of which `error` is the last: doubling from the heartbeat's
    length up to `longest`, and never less than the carrier itself has named (Retry-After).
    """
    wait = min(longest, float(settings.HEARTBEAT_SECONDS) * 2.0 ** min(failures - 1, 20))
    named = error.retry_after if isinstance(error, Unavailable) else None
    return max(wait, named or 0.0)
