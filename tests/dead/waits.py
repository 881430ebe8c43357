"""Waits with room for a carrier on a busy machine; the rules of the system checks are kept."""

from collections.abc import Mapping

ROOMY: Mapping[str, float] = {"REQUEST_TIMEOUT_SECONDS": 4, "LEASE_SECONDS": 13, "QUIET_SECONDS": 2}


def variables(waits: Mapping[str, float]) -> dict[str, str]:
    """Waits as the environment of a process holds them."""
    return {name: f"{value:g}" for name, value in waits.items()}
