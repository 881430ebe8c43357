"""Buying one label at the minimal label server, for programs with threads and for programs with an event loop. Onceship
and its peers send the same bytes: what is compared is the engines.
"""

import asyncio
import json
import os
import socket
import threading
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

_idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []


class Client:
    """Requests on a connection that each thread keeps."""

    def __init__(self, url: str) -> None:
        self.host, self.port = _place(url)
        self._local = threading.local()

    def ask(self, method: str, reference: str, timeout: float = 20.0) -> tuple[int, dict[str, Any]]:
        """The status of the answer, and what it says. Raises OSError, ValueError or IndexError when none came."""
        kept: tuple[socket.socket, BinaryIO] | None = getattr(self._local, "kept", None)
        if kept is None:
            connection = socket.create_connection((self.host, self.port), timeout)
            kept = self._local.kept = (connection, connection.makefile("rb"))
        connection, answer = kept
        try:
            connection.settimeout(timeout)
            connection.sendall(_request(method, reference, self.host))
            status = int(answer.readline().split(b" ", 2)[1])
            length = 0
            while (line := answer.readline()) not in (b"\r\n", b""):
                name, _colon, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            return status, json.loads(answer.read(length))
        except BaseException:
            # Whatever is still to come on this connection belongs to a request that was given up.
            answer.close()
            connection.close()
            self._local.kept = None
            raise


def _place(url: str) -> tuple[str, int]:
    address = urlsplit(url)
    return address.hostname or "127.0.0.1", address.port or 80


def _request(method: str, reference: str, host: str) -> bytes:
    target = f"/labels?reference={quote(reference)}"
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode()


_client = Client(os.environ.get("LABEL_SERVER", "http://127.0.0.1:8003"))


def buy(reference: str) -> dict[str, Any]:
    """One POST, on a connection that each thread keeps."""
    return _client.ask("POST", reference)[1]


async def buy_async(reference: str) -> dict[str, Any]:
    """One POST, on one of the connections that are kept."""
    reader, writer = _idle.pop() if _idle else await asyncio.open_connection(_client.host, _client.port)
    writer.write(_request("POST", reference, _client.host))
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    told: dict[str, Any] = json.loads(await reader.readexactly(length))
    _idle.append((reader, writer))
    return told
