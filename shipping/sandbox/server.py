"""The sandbox carrier's HTTP server, with the faults that need the raw socket."""

import contextlib
import logging
import select
import signal
import socket
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

from shipping.sandbox.api import Answer, CarrierApi, Request, refusal_answer
from shipping.sandbox.arrivals import Arrivals
from shipping.sandbox.control import ControlApi
from shipping.sandbox.database import Database
from shipping.sandbox.errors import RefusedError, malformed
from shipping.sandbox.fault_book import FaultBook
from shipping.sandbox.faults import Action, Effects, When
from shipping.sandbox.ledger import Ledger

_LARGEST_BODY = 1_000_000
_LOOPBACK = {"127.0.0.1", "localhost"}

logger = logging.getLogger(__name__)


class StartError(Exception):
    """The sandbox can't be started; the message says why."""


class SandboxServer(ThreadingHTTPServer):
    """Listens on the loopback interface; a thread for each connection."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port: int, database: Database, *, rates_expire_after: float) -> None:
        """Listen on a port of 127.0.0.1, 0 for a free one. Raises OSError when it is taken."""
        super().__init__(("127.0.0.1", port), SandboxHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        ledger = Ledger(database, rates_expire_after=rates_expire_after)
        self.faults = FaultBook(database)
        self.arrivals = Arrivals()
        self.carrier = CarrierApi(ledger, self.url)
        self.control = ControlApi(ledger, self.faults, self.arrivals)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # socketserver's signature
        """Stay silent about clients that went away; anything else goes to the log."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            logger.error("A connection from %s ended badly", client_address, exc_info=error)


class SandboxHandler(BaseHTTPRequestHandler):
    """One connection: reads requests, lets the faults strike, and answers."""

    server: SandboxServer
    protocol_version = "HTTP/1.1"
    server_version = "OnceshipSandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 65_536  # head and body leave in one packet
    timeout = 3600

    def do_GET(self) -> None:
        """Answer a request of whatever method."""
        try:
            answer, effects = self._answer_to(self._read())
        except RefusedError as refusal:
            answer, effects = refusal_answer(refusal), Effects()
        except (ConnectionError, TimeoutError):
            raise  # the client went away
        except Exception:
            logger.exception("The sandbox failed at %s", self.requestline)
            error = RefusedError(500, "INTERNAL_SERVER_ERROR", "The sandbox itself failed; its log says why.")
            answer, effects = refusal_answer(error), Effects()
        if answer is not None:
            self._send(answer, effects)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def _read(self) -> Request:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise malformed("Send the body's length as Content-Length.")
        if int(length) > _LARGEST_BODY:
            self.close_connection = True
            raise RefusedError(413, "BODY.TOO_LARGE", f"A body holds at most {_LARGEST_BODY} bytes.")
        body = self.rfile.read(int(length))
        return Request.to(self.command, self.path, authorization=self.headers.get("Authorization"), body=body)

    def _answer_to(self, request: Request) -> tuple[Answer | None, Effects]:
        """The answer, or None when a fault leaves the client without one."""
        if request.path[:1] == ["__sandbox"]:
            return self.server.control.answer(request), Effects()
        self.server.arrivals.note()
        call = self.server.carrier.understand(request)
        effects = self.server.faults.strike(call.endpoint, call.subject)
        time.sleep(effects.delay_before)
        if effects.ending is not None and effects.ending.when is When.before:
            return self._spoil(effects), effects
        try:
            answer: Answer | None = call.perform(effects)
        except RefusedError as refusal:
            answer = refusal_answer(refusal)
        time.sleep(effects.delay_after)
        if effects.ending is not None and effects.ending.action is not Action.malformed:
            answer = self._spoil(effects)
        return answer, effects

    def _spoil(self, effects: Effects) -> Answer | None:
        fault = effects.ending
        assert fault is not None  # noqa: S101  # the callers looked
        if fault.action is Action.error:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return refusal_answer(fault.refusal(), headers)
        if fault.action is Action.hang:
            self._wait_until_the_client_gives_up()
        self._drop()
        return None

    def _wait_until_the_client_gives_up(self) -> None:
        while True:
            readable, _, _ = select.select([self.connection], [], [])
            if readable and not self.connection.recv(65_536):
                return

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, answer: Answer, effects: Effects) -> None:
        content = answer.content
        if effects.ending is not None and effects.ending.action is Action.malformed:
            content = content[: len(content) // 2]
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        if effects.bytes_per_second is None:
            self.wfile.write(content)
        else:
            self._drip(content, effects.bytes_per_second)

    def _drip(self, content: bytes, bytes_per_second: int) -> None:
        self.wfile.flush()
        step = max(1, bytes_per_second // 10)
        for start in range(0, len(content), step):
            piece = content[start : start + step]
            time.sleep(len(piece) / bytes_per_second)
            self.wfile.write(piece)
            self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server itself refuses in the API's form, too."""
        self.close_connection = True
        self.command = getattr(self, "command", None) or "GET"
        self.request_version = getattr(self, "request_version", None) or self.protocol_version
        text = message or explain or "The request could not be understood."
        self._send(refusal_answer(RefusedError(int(code), "BAD_REQUEST", text)), Effects())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
        """Keep no log of requests: the ledger is the record."""


def serve(*, port: int, database: Path, rates_expire_after: float, host: str = "127.0.0.1") -> None:
    """Run the sandbox carrier until SIGTERM or SIGINT; prints one line with its address once it listens.

    `rates_expire_after` is in seconds. Must be called in the main thread. Raises StartError.
    """
    if host not in _LOOPBACK:
        raise StartError(f"The sandbox carrier listens on 127.0.0.1 only, not on {host}.")
    try:
        books = Database(database)
    except (sqlite3.Error, OSError) as error:
        raise StartError(f"The sandbox carrier can't use {database}: {error}.") from error
    try:
        server = SandboxServer(port, books, rates_expire_after=rates_expire_after)
    except (OSError, OverflowError) as error:
        books.close()
        raise StartError(f"The sandbox carrier can't listen on port {port}: {error}.") from error
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        print(f"Sandbox carrier on {server.url}", flush=True)  # noqa: T201  # whoever started us waits for it
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        books.close()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # a second one must not disturb the closing
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
