"""The real sandbox carrier as a process of its own, for tests.

Start it with a file of its own, talk to it over HTTP, kill it, start it again on the same port and file:

    with SandboxProcess(tmp_path / "sandbox.sqlite3") as sandbox:
        client = EasyPostClient("EZTK-test", api_base=sandbox.api_base)
        sandbox.faults([{"on": "buy", "action": "drop", "when": "after", "count": 1}])
        ...
        sandbox.kill()
        sandbox.restart()
        assert sandbox.stats()["duplicates"] == 0

docs/sandbox.md describes the faults and the words in an address that make the sandbox refuse a row.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.altered import Alteration, program

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_ANSWER_SECONDS = 30.0


class SandboxProcess:
    """A context manager that runs `python -m shipping.sandbox`; it listens when the block begins."""

    def __init__(self, database: Path, *, port: int = 0, arguments: Sequence[str] = ()) -> None:
        """Use the books in the file `database`; `port` 0 takes a free port, and a restart takes the same again.

        `arguments` are further options of the command, such as `("--rates-expire-after", "1")`.
        """
        self.database = database
        self.port = port
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        # What is altered in the process that is started next (tests.support.altered).
        self.alterations: Sequence[Alteration] = ()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:1234`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_base(self) -> str:
        """What the vendor's SDK takes as `api_base`."""
        return f"{self.url}/v2"

    @property
    def pid(self) -> int:
        """The process id of the running sandbox."""
        assert self._process is not None, "the sandbox is not running"
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until it listens. Raises RuntimeError when it doesn't within 30 s."""
        assert self._process is None, "the sandbox runs already"
        sandbox = program(self.alterations, "sandbox") if self.alterations else ["-m", "shipping.sandbox"]
        command = [sys.executable, *sandbox, "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--database", str(self.database), *self._arguments], cwd=ROOT, stdout=subprocess.PIPE
        )
        try:
            self.port = int(self._first_line().rpartition(":")[2])
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it as an operator would (SIGTERM), by force when that takes too long; no error when it is over."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._forget()

    def kill(self) -> None:
        """Kill it with SIGKILL, as a power cut or the kernel would, and wait until it is gone."""
        assert self._process is not None, "the sandbox is not running"
        self._process.kill()
        self._forget()

    def wait_for_death(self, seconds: float) -> None:
        """Wait until it was killed by a signal that it sent itself. Raises TimeoutExpired, or AssertionError when it
        ended otherwise.
        """
        assert self._process is not None, "the sandbox is not running"
        assert self._process.wait(seconds) == -signal.SIGKILL, "the sandbox ended by itself"
        self._forget()

    def restart(self) -> None:
        """Start it on the same port and file; stops it first when it still runs."""
        self.stop()
        self.start()

    def ledger(self, *, after: int = 0) -> list[dict[str, Any]]:
        """Every charge in the order in which they were made, or those after the one with that id; read page by page."""
        charges: list[dict[str, Any]] = []
        more = True
        while more:
            last = charges[-1]["id"] if charges else after
            page = self.ask("GET", f"/__sandbox/ledger?after={last}&limit=5000")
            charges += page["charges"]
            more = page["has_more"]
        return charges

    def stats(self) -> dict[str, int]:
        """The counts `shipments charges references duplicates refunded`."""
        return self.ask("GET", "/__sandbox/stats")

    def arrivals(self) -> list[float]:
        """When each request arrived, in seconds since the machine booted; those under /__sandbox don't count."""
        times: list[float] = self.ask("GET", "/__sandbox/arrivals")["arrivals"]
        return times

    def faults(self, faults: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        """Let these faults hold instead of all others, or just look (None); each with its `seen` and `hits`."""
        body = None if faults is None else {"faults": faults}
        answer = self.ask("GET" if faults is None else "POST", "/__sandbox/faults", body)
        held: list[dict[str, Any]] = answer["faults"]
        return held

    def decide_refunds(self, status: str, shipment_id: str | None = None) -> int:
        """Have refunds that were submitted end as `refunded` or `rejected`, one shipment's or all; returns how many."""
        body = {"status": status} if shipment_id is None else {"status": status, "shipment": shipment_id}
        return int(self.ask("POST", "/__sandbox/refunds", body)["decided"])

    def reset(self) -> None:
        """Forget every shipment, charge and fault."""
        self.ask("POST", "/__sandbox/reset")

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send JSON to any of its addresses and return the JSON of the answer. Raises urllib's HTTPError."""
        request = urllib.request.Request(  # noqa: S310  # to 127.0.0.1
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": "Bearer EZTK-test"},
        )
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310  # to 127.0.0.1
            value: dict[str, Any] = json.load(answer)
            return value

    def _first_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = b""
        until = time.monotonic() + _START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left = until - time.monotonic()
                piece = os.read(self._process.stdout.fileno(), 1024) if left > 0 and selector.select(left) else b""
                if not piece:
                    raise RuntimeError(f"the sandbox did not start: {line!r}")
                line += piece
        return line.decode().strip()

    def _forget(self) -> None:
        assert self._process is not None
        self._process.wait(_STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
