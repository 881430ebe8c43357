"""The bytes of a label from the address that the carrier gave, fetched without any of our keys."""

import threading
import time
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from shipping.carriers.gate import Gate
from shipping.carriers.port import LabelFile, Rejected, Unavailable
from shipping.carriers.sessions import send_once

LARGEST_LABEL = 10 * 1024 * 1024
_PIECE = 64 * 1024
# A host that sends nothing for so long is given up before the whole time is over.
_LONGEST_SILENCE = 5.0
_MEDIA_TYPES = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png"}


class _Sessions(threading.local):
    """One thread's sessions by host and gate, so that its connections to the label hosts are kept alive."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, Gate], requests.Session] = {}


_sessions = _Sessions()


def download_label(url: str, *, timeout: float, gate: Gate) -> LabelFile:
    """The label at an http(s) address: a PDF or PNG of at most 10 MB, read within `timeout` seconds.

    The gate is the carrier's, though its labels may lie elsewhere. Raises Unsent when it does not open in time,
    Rejected when the address can't be right or the host denies the file, Unavailable otherwise.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Rejected("LABEL_ADDRESS", "The label's address is not an http(s) address.")
    ends = time.monotonic() + timeout
    try:
        content = _read(_session(parts.hostname, gate), url, ends, timeout)
    except (requests.RequestException, HTTPError, OSError) as error:
        raise Unavailable("LABEL_UNREACHABLE", f"The label could not be fetched ({type(error).__name__}).") from None
    if not content:
        raise Unavailable("LABEL_EMPTY", "The label's host sent an empty file.")
    for beginning, media_type in _MEDIA_TYPES.items():
        if content.startswith(beginning):
            return LabelFile(content=content, content_type=media_type)
    raise Unavailable("NOT_A_LABEL", "The label's host sent something that is neither a PDF nor a PNG.")


def _session(host: str, gate: Gate) -> requests.Session:
    session = _sessions.made.get((host, gate))
    if session is None:
        session = requests.Session()
        send_once(session, host=host, redirects=3, gate=gate)
        _sessions.made[host, gate] = session
    return session


def _read(session: requests.Session, url: str, ends: float, timeout: float) -> bytes:
    with session.get(url, stream=True, timeout=min(timeout, _LONGEST_SILENCE)) as response:
        status = response.status_code
        if 400 <= status < 500 and status not in {408, 429}:
            raise Rejected("LABEL_REFUSED", f"The label's host refuses the file (HTTP status {status}).")
        if status != 200:
            raise Unavailable("LABEL_UNREACHABLE", f"The label's host answered with HTTP status {status}.")
        content = bytearray()
        # read1 returns with what has come, so that a slow host can't outlive the deadline within one read.
        while piece := response.raw.read1(_PIECE, decode_content=True):
            content += piece
            if len(content) > LARGEST_LABEL:
                raise Rejected("LABEL_TOO_LARGE", f"The label's file is larger than {LARGEST_LABEL} bytes.")
            if time.monotonic() > ends:
                raise Unavailable("LABEL_TOO_SLOW", "The label's host sent the file too slowly.")
        return bytes(content)
