"""How a `requests` session must be set up before anything that costs money goes over it."""

import ipaddress
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from shipping.carriers.gate import Gate

# A request waits at the gate for no more than this share of its time: the rest is for sending it and its answer.
_SHARE_FOR_WAITING = 0.75


class _Gated(HTTPAdapter):
    """Sends each request, the one that a redirect asks for included, once it may pass the gate."""

    def __init__(self, gate: Gate, **options: Any) -> None:
        self._gate = gate
        super().__init__(**options)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """`timeout` is in seconds, and the wait counts. Raises Unsent besides the errors of requests."""
        timeout: float = options.pop("timeout")
        waited = self._gate.enter(timeout * _SHARE_FOR_WAITING)
        return super().send(request, timeout=timeout - waited, **options)


def send_once(session: requests.Session, *, host: str, redirects: int, gate: Gate) -> None:
    """Make a session send each request exactly once, through the gate and with a timeout, follow at most so many
    redirects, and use only its own keys.

    Every prefix that has an adapter gets one without retries: the longest prefix wins, so a new one under
    `https://` would leave a library's own in place. What the environment holds for other hosts stays away:
    a .netrc entry would replace the key that is sent, and a proxy can't reach a carrier on this machine.
    """
    for prefix in list(session.adapters):
        session.mount(prefix, _Gated(gate, max_retries=0, pool_connections=2, pool_maxsize=1))
    session.max_redirects = redirects
    session.auth = lambda request: request
    if _is_this_machine(host):
        session.trust_env = False


def is_private_way(scheme: str, host: str) -> bool:
    """Whether nobody else can read what is sent there: over TLS, or without leaving this machine."""
    return scheme == "https" or _is_this_machine(host)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
