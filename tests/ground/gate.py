"""A wire to the test's database that can be cut off for a while: closed, or silent."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.support.processes import database_url

HOST = "127.0.0.1"
_CHUNK = 65_536


class Gate:
    """A context manager: a TCP proxy before the test's database. Closed, it breaks all connections and takes none.
    Silent, it takes what it is told and hands on nothing, as a network does that loses everything; what was underway
    is broken when it is opened again.
    """

    def __init__(self) -> None:
        self._server = urlsplit(database_url())
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._open = threading.Event()
        self._open.set()
        self._takes = True
        self._age = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _break(self._listener)
        self.open()

    @property
    def url(self) -> str:
        """The URL of the test's database, through this."""
        login = self._server.netloc.rpartition("@")[0]
        port = self._listener.getsockname()[1]
        return self._server._replace(netloc=f"{login}@{HOST}:{port}").geturl()

    def close(self) -> None:
        """Break all connections, and those that come."""
        self._takes = False
        self._break_all()

    def fall_silent(self) -> None:
        """Hand on nothing any more, and say nothing about it."""
        self._open.clear()

    def open(self) -> None:
        """Break what was underway, and hand on what comes from now on."""
        self._break_all()
        self._takes = True
        self._open.set()

    def _break_all(self) -> None:
        with self._lock:
            self._age += 1
            left, self._sockets = self._sockets, set()
        _break(*left)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                with self._lock:
                    self._sockets.add(client)
                    age = self._age
                threading.Thread(target=self._serve, args=(client, age), daemon=True).start()

    def _serve(self, client: socket.socket, age: int) -> None:
        self._open.wait()
        if not self._takes or age != self._age:
            _break(client)
            return
        server = socket.create_connection((self._server.hostname or HOST, self._server.port or 5432))
        with self._lock:
            self._sockets.add(server)
        threading.Thread(target=self._hand_on, args=(server, client, age), daemon=True).start()
        self._hand_on(client, server, age)

    def _hand_on(self, source: socket.socket, target: socket.socket, age: int) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_CHUNK):
                self._open.wait()
                if age != self._age:
                    break
                target.sendall(piece)
        _break(source, target)


def _break(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
