"""A wire to PostgreSQL that breaks at one COMMIT: before the server has it, or before its answer is back."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.support.processes import database_url

HOST = "127.0.0.1"
_CHUNK = 65_536
# What psycopg sends, in whichever of the protocol's two ways of sending a statement.
_COMMIT = b"COMMIT\x00"
_ENDS = (_COMMIT, b"ROLLBACK\x00")


class CutWire:
    """A context manager: a TCP proxy before the test's database, which breaks the connection of the first transaction
    that holds a statement, when it is to be committed. `delivered`: after the server has committed it.
    """

    def __init__(self, *, statement: bytes, delivered: bool) -> None:
        """`statement` is a part of the statement's text."""
        self._statement = statement
        self._delivered = delivered
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = urlsplit(database_url())
        self.cuts = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _break(self._listener)
        with self._lock:
            left = list(self._open)
        _break(*left)

    @property
    def url(self) -> str:
        """The URL of the test's database, through this."""
        login = self._server.netloc.rpartition("@")[0]
        port = self._listener.getsockname()[1]
        return self._server._replace(netloc=f"{login}@{HOST}:{port}").geturl()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection((self._server.hostname or HOST, self._server.port or 5432))
                with self._lock:
                    self._open |= {client, server}
                line = _Line(self, client, server)
                threading.Thread(target=line.to_server, daemon=True).start()
                threading.Thread(target=line.to_client, daemon=True).start()

    def takes(self, transaction: bytes) -> bool:
        """Whether this transaction is the one: true once."""
        with self._lock:
            if self.cuts or self._statement not in transaction:
                return False
            self.cuts += 1
            return True

    @property
    def delivered(self) -> bool:
        """Whether the COMMIT reaches the server."""
        return self._delivered


class _Line:
    """One connection through the proxy."""

    def __init__(self, wire: CutWire, client: socket.socket, server: socket.socket) -> None:
        self._wire = wire
        self._client = client
        self._server = server
        self._said = bytearray()
        self._swallow = False

    def to_server(self) -> None:
        """Hand on what the client says, unless it is the COMMIT that must not arrive."""
        with contextlib.suppress(OSError):
            while piece := self._client.recv(_CHUNK):
                self._said += piece
                if self._said.endswith(_COMMIT) or _COMMIT in piece:
                    if self._wire.takes(bytes(self._said)):
                        if not self._wire.delivered:
                            break
                        self._swallow = True
                    self._said.clear()
                elif _ENDS[1] in piece:
                    self._said.clear()
                self._server.sendall(piece)
        if not self._swallow:
            _break(self._client, self._server)

    def to_client(self) -> None:
        """Hand on what the server says, unless it is the answer that must not arrive: then break the wire."""
        with contextlib.suppress(OSError):
            while piece := self._server.recv(_CHUNK):
                if self._swallow:
                    break
                self._client.sendall(piece)
        _break(self._client, self._server)


def _break(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
