"""How long to wait before something that failed is tried again."""

from django.conf import settings


def wait_after(failures: int, *, longest: float = 300.0) -> float:
    """Seconds to wait after so many failures in a row: doubling from the heartbeat's length up to `longest`."""
    return min(longest, float(settings.HEARTBEAT_SECONDS) * 2.0 ** min(failures - 1, 20))
