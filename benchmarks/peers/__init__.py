"""The same work done with four other engines, each as its own documentation has it; see `benchmarks/README.md`.

Each is a module that runs in an environment of its own, `.venv-bench`: `python -m benchmarks.peers MODULE COMMAND
ROWS`, where the command is prepare, enqueue, work or books.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.stage import kill_worker, start_worker

if TYPE_CHECKING:
    from benchmarks.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
LONGEST_SECONDS = 120.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Peer:
    """One engine: its name in the table, its module, whether it needs a broker."""

    title: str
    module: str
    broker: bool = False

    def worker(self, rows: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        """A worker process; the caller ends it."""
        command = [str(PYTHON), "-m", "benchmarks.peers", self.module, "work", str(rows)]
        return start_worker(command, environment)

    def tell(self, command: str, rows: int, stage: "Stage", database: str, more: dict[str, str]) -> Any:
        """Run a command that is over by itself; what it tells, if anything."""
        arguments = ["-m", "benchmarks.peers", self.module, command, str(rows)]
        if command == "books":
            return stage.tell(arguments, database, python=str(PYTHON), **more)
        subprocess.run([str(PYTHON), *arguments], cwd=ROOT, env=stage.environment(database, **more), check=True)
        return None


PEERS = [
    Peer("Procrastinate", "with_procrastinate"),
    Peer("Celery", "with_celery", broker=True),
    Peer("DBOS", "with_dbos"),
    Peer("django-tasks-db", "with_django_tasks"),
]
TITLES = {peer.title for peer in PEERS}


def available() -> list[Peer]:
    """The peers that can run here: none without their environment, none that needs Redis without Redis."""
    if not PYTHON.exists():
        return []
    return [peer for peer in PEERS if not peer.broker or shutil.which("redis-server")]


@contextmanager
def broker(stage: "Stage") -> Iterator[str]:
    """A Redis that writes each message to disk before it answers; its URL."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    directory = stage.directory / f"redis-{port}"
    directory.mkdir()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""]
    durable = ["--appendonly", "yes", "--appendfsync", "always"]
    server = subprocess.Popen(["redis-server", *options, *durable], stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int) -> None:
    import socket

    ends_at = time.monotonic() + 30
    while time.monotonic() < ends_at:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("Redis did not start.")


@contextmanager
def batch(peer: Peer, rows: int, stage: "Stage", kind: str = "empty") -> Iterator[tuple[str, dict[str, str]]]:
    """A batch that is prepared and enqueued on a fresh database: its URL and the rest of its environment."""
    with stage.database(kind) as database, broker(stage) if peer.broker else nullcontext("") as url:
        more = {"BROKER": url, "BATCH": f"B{time.time_ns():x}"}
        peer.tell("prepare", rows, stage, database, more)
        peer.tell("enqueue", rows, stage, database, more)
        yield database, more


def rows_per_second(peer: Peer, rows: int, stage: "Stage") -> float:
    """One worker does the whole batch; the label server's clock tells how fast. Fails when its books lack a row."""
    with batch(peer, rows, stage) as (database, more):
        stage.ledger.reset()
        worker = peer.worker(rows, stage.environment(database, **more))
        ends_at = time.monotonic() + LONGEST_SECONDS
        try:
            while len(stage.ledger.read()["charges"]) < rows and time.monotonic() < ends_at:
                time.sleep(LOOK_SECONDS)
            time.sleep(1.0)
        finally:
            kill_worker(worker)
        found = stage.ledger.rows_per_second()
        done = len(peer.tell("books", rows, stage, database, more))
    if done < rows:
        raise SystemExit(f"{peer.title} has only {done} of {rows} rows in its books.")
    return found
