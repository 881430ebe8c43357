"""A minimal label server, a process of its own: one POST buys one label, and a ledger in memory counts each.

    POST /labels?reference=R   charges, always: {"id": …, "tracking_number": …, "cost_cents": …}
    GET  /labels?reference=R   the newest charge under a reference, or 404
    GET  /ledger               {"charges": {reference: count}, "first": seconds, "last": seconds} (this process's clock)
    POST /reset                empties the ledger; ?latency=SECONDS is how long a charge takes from then on

It speaks only as much HTTP/1.1 as its clients need (keep-alive, Content-Length), so that it is never what is measured.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from urllib.parse import parse_qs, urlsplit

HEAD_END = b"\r\n\r\n"


class Ledger:
    """Every charge, by its reference."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.reset()

    def reset(self) -> None:
        self.charges: Counter[str] = Counter()
        self.numbers: dict[str, int] = {}
        self.number = 0
        self.first = self.last = 0.0

    def charge(self, reference: str) -> bytes:
        """Charge for a label and tell of it. `first` and `last` are when a charge came in."""
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.number += 1
        self.charges[reference] += 1
        self.numbers[reference] = self.number
        return self.told(reference)

    def told(self, reference: str) -> bytes:
        """The newest charge under a reference."""
        number = self.numbers[reference]
        told = {"id": f"lbl_{reference}_{number}", "tracking_number": f"9400{number:016}", "cost_cents": 700}
        return json.dumps(told).encode()


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(HEAD_END)) >= 0:
            head = self.buffer[:end]
            length = _content_length(head)
            if len(self.buffer) < end + len(HEAD_END) + length:
                return
            self.buffer = self.buffer[end + len(HEAD_END) + length :]
            method, target, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
            self._serve(method, target)

    def _serve(self, method: str, target: str) -> None:
        address = urlsplit(target)
        query = parse_qs(address.query)
        reference = query.get("reference", [""])[0]
        if (method, address.path) == ("POST", "/labels"):
            # The money is spent when the request is there; the answer takes as long as it takes.
            answer = self.ledger.charge(reference)
            if self.ledger.latency:
                asyncio.get_running_loop().call_later(self.ledger.latency, self._answer, answer)
            else:
                self._answer(answer)
        elif (method, address.path) == ("GET", "/labels"):
            if reference in self.ledger.numbers:
                self._answer(self.ledger.told(reference))
            else:
                self._answer(b"{}", status=b"404 Not Found")
        elif (method, address.path) == ("GET", "/ledger"):
            told = {"charges": self.ledger.charges, "first": self.ledger.first, "last": self.ledger.last}
            self._answer(json.dumps(told).encode())
        elif (method, address.path) == ("POST", "/reset"):
            self.ledger.reset()
            self.ledger.latency = float(query.get("latency", ["0"])[0])
            self._answer(b"{}")
        else:
            self._answer(b"{}", status=b"400 Bad Request")

    def _answer(self, body: bytes, status: bytes = b"200 OK") -> None:
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (status, len(body), body)
            )


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _colon, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def serve(port: int) -> None:
    """Serve on 127.0.0.1 for ever; says its port once it takes connections."""
    ledger = Ledger()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(ledger), "127.0.0.1", port, backlog=512)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_server")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, which is written to stdout")
    asyncio.run(serve(parser.parse_args().port))
