"""What every measurement stands on: fresh databases, the label server, and children that tell in one line of JSON."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parents[1]
CHILD_SECONDS = 3600.0


def start_worker(command: Sequence[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A worker with whatever processes it starts, for `kill_worker` to end."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)


def kill_worker(worker: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to a worker and all its processes, as when the machine dies."""
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


class Ledger:
    """What the label server has charged, asked over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def reset(self, latency: float = 0.0) -> None:
        """Forget everything; a charge takes `latency` seconds from now on."""
        self._call("POST", f"/reset?latency={latency}")

    def read(self) -> dict[str, Any]:
        """The charges by their references, and when (this server's clock) the first and the last came in."""
        found: dict[str, Any] = self._call("GET", "/ledger")
        return found

    def rows_per_second(self) -> float:
        """Charges per second, between the first and the last."""
        told = self.read()
        charges = sum(told["charges"].values())
        return float((charges - 1) / (told["last"] - told["first"]))

    def _call(self, method: str, path: str) -> Any:
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


class Stage:
    """Use as a context: at its end the label server has ended and everything on disk is gone."""

    def __init__(self, cluster: str) -> None:
        """`cluster` is the URL of a PostgreSQL database whose user may create others."""
        self._cluster = cluster
        self._made = 0
        self._templates: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="onceship-bench-"))
        self._server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.label_server"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._server.stdout is not None
        self.label_server = f"http://127.0.0.1:{int(self._server.stdout.readline())}"
        self.ledger = Ledger(self.label_server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.kill()
        self._server.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def environment(self, database: str, **more: str) -> dict[str, str]:
        """The environment of a child on a database."""
        found = {**os.environ, "DATABASE_URL": database, "LABEL_SERVER": self.label_server, "PYTHONPATH": str(ROOT)}
        return {**found, "MEDIA_ROOT": str(self.directory / "media"), **more}

    def tell(self, arguments: Sequence[str], database: str, *, python: str = sys.executable, **more: str) -> Any:
        """What a Python program tells: the JSON of the last line that it writes."""
        done = subprocess.run(
            [python, *arguments],
            cwd=ROOT,
            env=self.environment(database, **more),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=CHILD_SECONDS,
        )
        return json.loads(done.stdout.strip().splitlines()[-1])

    @contextmanager
    def database(self, kind: str) -> Iterator[str]:
        """A fresh database with the product's tables (`sqlite`, `postgres`) or an empty one (`empty`); its URL."""
        url = self._new(kind) if kind == "empty" else self._copy(kind)
        yield url
        if kind != "sqlite":
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)"), url)

    def _copy(self, kind: str) -> str:
        template = self._templates.get(kind)
        if template is None:
            template = self._templates[kind] = self._new(kind)
            self.tell(["-m", "benchmarks.batch", "--rows", "0"], template)
        if kind == "sqlite":
            copy = self._new(kind)
            shutil.copy(template.removeprefix("sqlite:///"), copy.removeprefix("sqlite:///"))
            return copy
        return self._new(kind, template)

    def _new(self, kind: str, template: str = "") -> str:
        self._made += 1
        if kind == "sqlite":
            return f"sqlite:///{self.directory}/{self._made}.sqlite3"
        url = urlsplit(self._cluster)._replace(path=f"/bench{os.getpid()}_{self._made}").geturl()
        if template:
            self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), url, template)
        else:
            self._execute(sql.SQL("CREATE DATABASE {}"), url)
        return url

    def _execute(self, statement: sql.SQL, *urls: str) -> None:
        names = [sql.Identifier(urlsplit(url).path[1:]) for url in urls]
        with psycopg.connect(self._cluster, autocommit=True) as connection:
            connection.execute(statement.format(*names))
