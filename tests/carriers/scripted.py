"""A carrier that does on the wire exactly what a test tells it, and counts the requests that reach it."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request that arrived, with header names in lowercase."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What is sent back. `drip` sends one byte each so many seconds; `claims` is a false Content-Length.

    `wait` is in seconds before anything is sent.
    """

    body: bytes
    status: int = 200
    headers: tuple[str, ...] = ()
    drip: float = 0.0
    claims: int | None = None
    then_close: bool = False
    wait: float = 0.0
    raw_head: bytes = b""

    def head(self) -> bytes:
        if self.raw_head:
            return self.raw_head
        length = len(self.body) if self.claims is None else self.claims
        lines = [f"HTTP/1.1 {self.status} Whatever", f"Content-Length: {length}", *self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Drop:
    """The connection is closed without an answer."""


class Hang:
    """Nothing is ever answered."""


Act = Reply | Drop | Hang


def answer(value: object, status: int = 200, *headers: str) -> Reply:
    """A reply with a JSON body."""
    return Reply(json.dumps(value).encode(), status, headers)


def refusal(status: int, code: str, message: str = "No.", errors: list[Any] | None = None, *headers: str) -> Reply:
    """A reply in the form of EasyPost's errors."""
    return answer({"error": {"code": code, "message": message, "errors": errors or []}}, status, *headers)


class ScriptedCarrier:
    """Listens on a free port. `on` says what follows on a request; the last act of a script repeats."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._scripts: dict[str, list[Act]] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._start(self._accept)

    def on(self, request: str, *acts: Act) -> None:
        """Script a request, named by its method and the end of its path: `POST /buy`."""
        self._scripts[request] = list(acts)

    def count(self, request: str) -> int:
        """How many requests of that name arrived."""
        method, end = request.split()
        return sum(each.method == method and each.path.endswith(end) for each in self.requests)

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        with connection:
            buffer = b""
            while not self._stop.is_set():
                request, buffer = self._read(connection, buffer)
                if request is None:
                    return
                self.requests.append(request)
                if not self._play(connection, self._act_for(request)):
                    return

    def _read(self, connection: socket.socket, buffer: bytes) -> tuple[Request | None, bytes]:
        while not self._stop.is_set():
            head, end, rest = buffer.partition(b"\r\n\r\n")
            if end:
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                length = int(headers.get("content-length", "0"))
                if len(rest) >= length:
                    method, path, _ = first.split(" ")
                    return Request(method, path, headers, rest[:length]), rest[length:]
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return None, b""
            if not piece:
                return None, b""
            buffer += piece
        return None, b""

    def _act_for(self, request: Request) -> Act:
        for name, acts in self._scripts.items():
            method, end = name.split()
            if request.method == method and request.path.endswith(end):
                return acts.pop(0) if len(acts) > 1 else acts[0]
        return refusal(404, "NOT_FOUND", f"Nothing is scripted for {request.method} {request.path}.")

    def _play(self, connection: socket.socket, act: Act) -> bool:
        """Whether the connection stays open."""
        if isinstance(act, Drop):
            return False
        if isinstance(act, Hang):
            self._stop.wait(30)
            return False
        if self._stop.wait(act.wait):
            return False
        try:
            connection.sendall(act.head())
            if not act.drip:
                connection.sendall(act.body)
            for place in range(len(act.body) if act.drip else 0):
                connection.sendall(act.body[place : place + 1])
                if self._stop.wait(act.drip):
                    return False
        except OSError:
            return False
        return act.claims is None and not act.then_close


@contextmanager
def scripted_carrier() -> Iterator[ScriptedCarrier]:
    carrier = ScriptedCarrier()
    try:
        yield carrier
    finally:
        carrier.close()


@contextmanager
def silent_listener() -> Iterator[int]:
    """A port whose queue of connections is full, so that connecting to it takes for ever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(listener.getsockname())
            time.sleep(0.1)
            yield listener.getsockname()[1]
        finally:
            for each in waiting:
                each.close()


def refused_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
