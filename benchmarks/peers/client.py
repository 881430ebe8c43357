"""Buying one label at the minimal label server, for programs with threads and for programs with an event loop."""

import asyncio
import http.client
import json
import os
import threading
from typing import Any
from urllib.parse import urlsplit

_address = urlsplit(os.environ.get("LABEL_SERVER", "http://127.0.0.1:8003"))
HOST, PORT = _address.hostname or "127.0.0.1", _address.port or 80
_local = threading.local()
_idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []


def buy(reference: str) -> dict[str, Any]:
    """One POST, on a connection that each thread keeps."""
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = http.client.HTTPConnection(HOST, PORT, timeout=20)
    connection.request("POST", f"/labels?reference={reference}")
    told: dict[str, Any] = json.loads(connection.getresponse().read())
    return told


async def buy_async(reference: str) -> dict[str, Any]:
    """One POST, on one of the connections that are kept."""
    reader, writer = _idle.pop() if _idle else await asyncio.open_connection(HOST, PORT)
    writer.write(f"POST /labels?reference={reference} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    told: dict[str, Any] = json.loads(await reader.readexactly(length))
    _idle.append((reader, writer))
    return told
