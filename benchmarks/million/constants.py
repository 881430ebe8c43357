"""What the limits of `docs/scale.md` are reckoned from: a durable commit, bytes a row, beats, one tick."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model

from benchmarks.million.build import Books
from shipping.carriers.port import Prepared, Purchase
from shipping.engine.books import Wishes, start_run, tick
from shipping.engine.letters import Claim, Inbox, Preparation, Ready, Reply
from shipping.liveness import this_process
from shipping.models import Event, Job, Label, Row, Run
from shipping.models.clock import book_now
from shipping.services import JobService

COMMITS = 200
TICKS = 50
TABLES: dict[str, type[Model]] = {"row": Row, "label": Label, "event": Event, "run": Run, "job": Job}


def measure(books: Books) -> dict[str, Any]:
    """The constants on this machine. Uses up one of the small jobs."""
    job = Job.objects.get(pk=books.small["pending"])
    return {
        "fsync_ms": _spread(_fsync_times()),
        "commit_ms": _spread([_timed(lambda: _touch(job)) for _each in range(COMMITS)]),
        "durability": _durability(),
        "heartbeat_ms": _spread([_timed(lambda: _beat(books)) for _each in range(COMMITS)]),
        "tick_ms": _ticks(job),
        "bytes": _bytes(),
    }


def _spread(times: list[float]) -> dict[str, float]:
    """Milliseconds."""
    ordered = sorted(times)
    p95 = ordered[max(0, round(len(ordered) * 0.95) - 1)]
    return {"p50": round(statistics.median(ordered) * 1e3, 3), "p95": round(p95 * 1e3, 3)}


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _fsync_times() -> list[float]:
    """Writing 4 KiB to a file on the disk of the database (or of this directory) and waiting until it is there."""
    name = str(settings.DATABASES["default"]["NAME"])
    directory = Path(name).parent if connection.vendor == "sqlite" else Path.cwd()
    with tempfile.NamedTemporaryFile(dir=directory) as file:

        def write() -> None:
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fsync(file.fileno())

        return [_timed(write) for _each in range(COMMITS)]


def _durability() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous")
            return f"synchronous={cursor.fetchone()[0]}"
        cursor.execute(
            "SELECT current_setting('fsync') || ', synchronous_commit=' || current_setting('synchronous_commit')"
        )
        return f"fsync={cursor.fetchone()[0]}"


def _touch(job: Job) -> None:
    with transaction.atomic():
        Job.objects.lock(job.pk)
        # Another value each time: one that is there already SQLite would not write.
        Job.objects.filter(pk=job.pk).update(file_name=f"orders-{time.perf_counter_ns()}.csv")


def _beat(books: Books) -> None:
    Run.objects.filter(job=books.small["at_work"]).update(beat=book_now())


def _ticks(job: Job) -> dict[str, Any]:
    """Ticks of a run that settle one bought row, claim one and reserve one: how long each holds the job's lock."""
    JobService().start(job.pk)
    issued = Run.objects.issued().filter(job=job).order_by("pk")[0]
    run = start_run(issued.pk, this_process())
    if run is None:
        raise RuntimeError("The run could not be started.")
    inbox, times = Inbox(), []
    ready: list[Ready] = []
    for _each in range(min(TICKS, job.total_rows + 3)):
        began = time.perf_counter()
        outcome = tick(job.pk, inbox, Wishes(ready=ready, preparations=1), run_id=run.pk)
        times.append(time.perf_counter() - began)
        inbox, ready = Inbox(), []
        for letter in outcome.letters:
            if isinstance(letter, Preparation):
                ready.append(Ready(preparation=letter, prepared=Prepared(handle=f"shp_tick_{letter.row_id}")))
            elif isinstance(letter, Claim):
                inbox.add(Reply(letter, _bought(letter)))
    return _spread(times)


def _bought(letter: Claim) -> Purchase:
    return Purchase(
        purchase_id=letter.handle, reference="", tracking_number=f"9499{letter.row_id:018d}", carrier="USPS",
        service="Priority", cost_cents=725, currency="USD", label_url="",
    )  # fmt: skip


def _bytes() -> dict[str, Any]:
    """Bytes of each table and of its indexes, for each record it holds."""
    found = {}
    for name, model in TABLES.items():
        records = model._default_manager.count()  # noqa: SLF001 (the same)
        table, indexes = _sizes(model._meta.db_table)  # noqa: SLF001 (Django's public name for it)
        found[name] = {"records": records, "table": round(table / records), "indexes": round(indexes / records)}
    return found


def _sizes(table: str) -> tuple[int, int]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_table_size(%s::regclass), pg_indexes_size(%s::regclass)", [table, table])
            own, indexes = cursor.fetchone()
            return int(own), int(indexes)
        cursor.execute(
            "SELECT coalesce(sum(CASE WHEN m.type = 'table' THEN s.pgsize END), 0), "
            "coalesce(sum(CASE WHEN m.type = 'index' THEN s.pgsize END), 0) "
            "FROM dbstat s JOIN sqlite_master m ON m.name = s.name WHERE m.tbl_name = %s AND s.aggregate = 1",
            [table],
        )
        own, indexes = cursor.fetchone()
        return int(own), int(indexes)
