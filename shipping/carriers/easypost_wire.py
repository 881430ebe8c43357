"""The wire to EasyPost: each request is sent once, and what became of it is told without a guess.

The vendor's SDK (10.7) sends the requests. Its exceptions say too little, though: they drop the headers, one
type stands for a refused connection and for a dropped reply, and a body of an unexpected form crashes it. So
an answer is judged by its own status and body, which the SDK's response hook hands over, and a request without
an answer by the exception that the SDK was handling.
"""

import json
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from easypost.easypost_client import EasyPostClient
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError

from shipping.carriers.gate import Gate
from shipping.carriers.port import Unsent
from shipping.carriers.sessions import is_private_way, send_once
from shipping.outages import Outage, in_plain_words, outage_of

JsonObject = dict[str, Any]

logger = logging.getLogger("onceship.carriers")

_TEST_KEY_PREFIX = "EZTK"
_LONGEST_CODE = 100
_LONGEST_MESSAGE = 1000
_LONGEST_WAIT = 3600.0
# "Too many requests" and "service unavailable": what their Retry-After names holds for every request.
_LATER = frozenset({429, 503})


class CallFailed(Exception):
    """A request that was not answered as hoped. Holds no kind yet: that depends on what was asked.

    `sent` is False only when it is certain that nothing reached the carrier, `held` is True when the gate kept it back.
    `status` is the answer's HTTP
    status, None without an answer. `readable` says whether the answer was an error in EasyPost's own form.
    `retry_after` is in seconds.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        sent: bool = True,
        held: bool = False,
        status: int | None = None,
        readable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.sent = sent
        self.held = held
        self.status = status
        self.readable = readable
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Any
    body: str


class _Line(threading.local):
    """One thread's client. The SDK keeps a session and one timeout per client, so threads can't share it."""

    client: Any = None
    answer: _Answer | None = None


class Wire:
    """Sends requests to one EasyPost account, from any number of threads, each over its own kept-alive connection."""

    def __init__(self, *, api_key: str, api_base: str, gate: Gate) -> None:
        """Raises ValueError for a key or an address that can't be right; the key is never part of the message."""
        if not re.fullmatch(r"[!-~]+", api_key):
            raise ValueError("The EasyPost API key is empty, or holds characters that no key has.")
        self.api_base = api_base.rstrip("/")
        parts = urlsplit(self.api_base)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"The EasyPost API base must be an http(s) address, not {api_base!r}.")
        self._host = parts.hostname
        if not is_private_way(parts.scheme, self._host) and not api_key.startswith(_TEST_KEY_PREFIX):
            raise ValueError("A live EasyPost API key is only ever sent over https.")
        self._api_key = api_key
        self._gate = gate
        self._line = _Line()

    def call(self, request: Callable[[Any], object], *, timeout: float) -> JsonObject:
        """Run one SDK call, given this thread's client, and return the JSON object of its answer.

        `timeout` is in seconds, for connecting and for each read. Raises CallFailed, and nothing else.
        """
        line = self._line
        line.answer = None
        try:
            if line.client is None:
                line.client = self._new_client()
            line.client.timeout = timeout
            request(line.client)
        except Exception as error:  # whatever happened, the request may have left
            if isinstance(error.__context__, Unsent):
                raise _held_back(error.__context__) from None
            if line.answer is None:
                raise _without_answer(error) from None
        answer = line.answer
        if answer is None:
            raise CallFailed("REQUEST_FAILED", "The request to the carrier brought no answer.")
        return self._read(answer)

    def _new_client(self) -> Any:
        client: Any = EasyPostClient(api_key=self._api_key, api_base=self.api_base)
        # The SDK mounts an adapter of its own, with three retries; and following a 307 or 308 would send a
        # purchase a second time. Its session has no public name.
        send_once(client._requests_session, host=self._host, redirects=0, gate=self._gate)  # noqa: SLF001
        client.subscribe_to_response_hook(self._keep_answer)
        return client

    def _keep_answer(self, **facts: Any) -> None:
        self._line.answer = _Answer(facts["http_status"], facts["headers"], facts["response_body"])

    def _read(self, answer: _Answer) -> JsonObject:
        body = _json_object(answer.body)
        if 200 <= answer.status < 300 and body is not None:
            return body
        retry_after = _seconds_to_wait(answer.headers.get("Retry-After"), answer.headers.get("Date"))
        if retry_after and answer.status in _LATER:
            self._gate.tell(retry_after)
        error = (body or {}).get("error")
        if answer.status < 400 or not isinstance(error, dict | str):
            raise CallFailed(
                "UNREADABLE_ANSWER",
                f"The carrier's answer could not be read (HTTP status {answer.status}).",
                status=answer.status,
                retry_after=retry_after,
            )
        raise CallFailed(
            self._clean(error.get("code") if isinstance(error, dict) else "", _LONGEST_CODE),
            self._clean(_sentence(error), _LONGEST_MESSAGE),
            status=answer.status,
            readable=True,
            retry_after=retry_after,
        )

    def _clean(self, value: object, longest: int) -> str:
        text = value if isinstance(value, str) else ""
        return " ".join(text.replace(self._api_key, "[API key]").replace("\0", "").split())[:longest]


def _held_back(error: Unsent) -> CallFailed:
    return CallFailed(error.code, error.message, sent=False, held=True, retry_after=error.retry_after)


def _without_answer(error: Exception) -> CallFailed:
    """What became of a request that was not answered, told by the exception that the SDK's own replaced."""
    cause = error.__context__
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return CallFailed("CONNECT_TIMEOUT", "The carrier could not be reached: connecting took too long.", sent=False)
    if isinstance(cause, requests.exceptions.ConnectionError) and _never_connected(cause):
        return _not_connected(cause)
    if isinstance(cause, requests.exceptions.Timeout):
        return CallFailed("TIMED_OUT", "The carrier did not answer in time.")
    if isinstance(cause, requests.exceptions.TooManyRedirects):
        return CallFailed("REDIRECTED", "The carrier answered with a redirect, which is not followed.")
    if isinstance(cause, requests.exceptions.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return CallFailed("CONNECTION_LOST", "The connection to the carrier broke before its answer was complete.")
    # What nobody foresaw has a name for the log, which would say nothing to a clerk.
    logger.warning("A request to the carrier failed with %s.", type(cause or error).__name__)
    return CallFailed("REQUEST_FAILED", f"The request to the carrier failed. {in_plain_words(error)}")


def _not_connected(error: Exception) -> CallFailed:
    """No connection came about, for want of a carrier or of a file handle on this side: nothing was sent."""
    if outage_of(error) is Outage.no_file_handles:
        said = f"The carrier could not be reached from here. {in_plain_words(error)}"
        return CallFailed("NO_FILE_HANDLES", said, sent=False)
    return CallFailed("CONNECTION_REFUSED", "The carrier could not be reached: no connection.", sent=False)


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _json_object(text: str) -> JsonObject | None:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _sentence(error: JsonObject | str) -> str:
    """The error's message with its field errors, which come as objects or as plain strings (docs.easypost.com)."""
    if isinstance(error, str):
        return error
    message = error.get("message")
    parts = [] if not message else [message if isinstance(message, str) else json.dumps(message)]
    fields = error.get("errors")
    for field in fields if isinstance(fields, list) else []:
        if isinstance(field, dict):
            parts.append(": ".join(str(field[key]) for key in ("field", "message") if field.get(key)))
        elif isinstance(field, str):
            parts.append(field)
    return "; ".join(part.rstrip(".;") for part in parts if part) + "." if any(parts) else ""


def _seconds_to_wait(header: str | None, answered: str | None) -> float | None:
    """A Retry-After header in seconds from now (RFC 9110, 10.2.3: a number or a date), at most an hour. A date is
    counted from the answer's own (6.6.1), so that this machine's wall clock has no say; only an answer without one
    leaves nothing else.
    """
    if not header:
        return None
    try:
        seconds = float(header) if header.strip().isdecimal() else _seconds_until(header, answered)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _seconds_until(date: str, answered: str | None) -> float:
    since = _moment(answered) if answered else datetime.now(tz=UTC)
    return (_moment(date) - since).total_seconds()


def _moment(date: str) -> datetime:
    moment = parsedate_to_datetime(date)
    return moment.replace(tzinfo=moment.tzinfo or UTC)
