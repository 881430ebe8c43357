"""A real file of a million orders, from the terminal and through an upload, shipped in part, killed, and carried on;
and the results of the big job as a file. Every step runs in a process of its own, whose memory is watched.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.files import File
from django.utils import timezone

from benchmarks.million import build, site
from shipping.exports.results import results_csv
from shipping.liveness import is_interrupted
from shipping.models import Job, Row, Upload
from shipping.orders.uploads import confirm, receive
from shipping.project.sample import write_sample_orders
from shipping.services import JobService
from shipping.states import JobStatus, UploadStatus

PATIENCE = 1_800.0
WAITS = {
    "HEARTBEAT_SECONDS": "1",
    "REQUEST_TIMEOUT_SECONDS": "2",
    "LEASE_SECONDS": "12",
    "QUIET_SECONDS": "2",
    "RUN_TURN_SECONDS": "600",
}


def measure(directory: Path, rows: int, shipped: int) -> dict[str, Any]:
    """Import twice, ship so many rows from the sandbox (kill the worker at half of them, reconcile, resume), cancel,
    export, audit.
    """
    orders = directory / "orders.csv"
    write_sample_orders(orders, rows)
    found: dict[str, Any] = {"file_mb": round(orders.stat().st_size / 1e6, 1)}
    command = ["manage.py", "import_orders", str(orders), "--name", "Imported", "--carrier", "sandbox", "--keep-going"]
    found["import_orders"] = _run(command)
    job = Job.objects.filter(name="Imported").get()
    found["import_orders"]["rows"] = job.rows.count()
    found["ship"] = _ship(directory, job, shipped)
    found["export"] = _export()
    found["upload"] = _upload(orders)
    return found


def _run(arguments: list[str]) -> dict[str, Any]:
    """A command to its end: seconds and the most memory it held."""
    began = time.perf_counter()
    with site.process(arguments) as child, _watched(child) as memory:
        code = child.wait(PATIENCE)
    return {"seconds": round(time.perf_counter() - began, 1), "exit_code": code, **memory}


@contextmanager
def _watched(child: "subprocess.Popen[bytes]") -> Iterator[dict[str, float]]:
    """`most_mb`: the most memory that the process has held up to the end of the block."""
    memory, over = {"most_mb": 0.0}, threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            try:
                memory["most_mb"] = site.memory_mb(child.pid)[1]
            except (OSError, KeyError):
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


# --- Shipping ------------------------------------------------------------------------------------------------


def _ship(directory: Path, job: Job, rows: int) -> dict[str, Any]:
    port = site.free_port()
    os.environ["SANDBOX_URL"] = f"http://127.0.0.1:{port}"
    sandbox = ["-m", "shipping.sandbox", "--port", str(port), "--database", str(directory / "sandbox.sqlite3")]
    found: dict[str, Any] = {}
    with site.process(sandbox):
        site.wait_until(lambda: _charges(port) is not None, site.START_SECONDS, "the sandbox's answer")
        began = time.perf_counter()
        JobService().start(job.pk)
        found["start_answered_ms"] = round((time.perf_counter() - began) * 1e3, 1)
        found["first_worker"] = _work(job, rows // 2, kill=True)
        began = time.perf_counter()
        site.wait_until(lambda: is_interrupted(Job.objects.get(pk=job.pk)), 60, "the interruption")
        found["interrupted_shown_after_s"] = round(time.perf_counter() - began, 2)
        found["in_doubt"] = JobService().rows_in_doubt(job.pk).count()
        began = time.perf_counter()
        JobService().resume(job.pk)
        found["resume_answered_ms"] = round((time.perf_counter() - began) * 1e3, 1)
        found["second_worker"] = _work(job, rows, kill=False)
        began = time.perf_counter()
        JobService().cancel(job.pk)
        found["cancel_answered_ms"] = round((time.perf_counter() - began) * 1e3, 1)
        found["in_doubt_left"] = JobService().rows_in_doubt(job.pk).count()
        found["bought"] = Row.objects.filter(job=job, label__isnull=False).count()
        found["charged_and_duplicates"] = _charges(port)
        found["audit_books"] = _run(["manage.py", "audit_books", str(job.pk)])
    return found


def _work(job: Job, until: int, *, kill: bool) -> dict[str, Any]:
    """One worker until so many rows of the job are bought, then kill -9, or SIGTERM and its orderly end."""
    bought = Job.objects.get(pk=job.pk).successful_rows
    with site.process(["manage.py", "worker"], **WAITS) as worker, _watched(worker) as memory:
        began = time.perf_counter()
        site.wait_until(lambda: Job.objects.get(pk=job.pk).successful_rows >= until, PATIENCE, "the shipping")
        seconds = time.perf_counter() - began
        done = Job.objects.get(pk=job.pk).successful_rows - bought
        worker.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        worker.wait(60)
    return {"rows": done, "seconds": round(seconds, 1), "rows_per_second": round(done / seconds, 1), **memory}


def _charges(port: int) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/__sandbox/stats", timeout=5) as answer:
            stats: dict[str, Any] = json.load(answer)
    except OSError:
        return None
    return {"charges": stats["charges"], "duplicates": stats["duplicates"]}


# --- Files out and in ----------------------------------------------------------------------------------------


def _export() -> dict[str, Any]:
    """The results of the big job, read to the end as a browser would, in a process of its own."""
    code = "import sys; from benchmarks.million import files; files.export_to_end()"
    return _run(["-c", f"import django; django.setup(); {code}"])


def export_to_end() -> None:
    """Read the results of the big job to the end, and say how large they were."""
    job = Job.objects.get(name=build.BIG_NAME)
    size = sum(len(piece) for piece in results_csv(job, timezone.get_current_timezone()))
    sys.stdout.write(f"{size / 1e6:.1f} MB of results\n")


def _upload(orders: Path) -> dict[str, Any]:
    """The same file, its first order under another reference so that it is no duplicate, received here, checked and
    imported by a worker.
    """
    other = orders.with_name("uploaded.csv")
    with orders.open() as first, other.open("w") as copy:
        copy.write(first.readline() + first.readline().replace("S-1001", "S-again"))
        shutil.copyfileobj(first, copy)
    user = User.objects.get(username="bench")
    with other.open("rb") as file:
        began = time.perf_counter()
        upload = receive(File(file), file_name="uploaded.csv", actor=user, carrier="sandbox", name="Uploaded")
        received = time.perf_counter() - began
    with site.process(["manage.py", "worker"], **WAITS) as worker, _watched(worker) as memory:
        began = time.perf_counter()
        checked = site.wait_until(lambda: _in(upload, UploadStatus.ready), PATIENCE, "the check")
        checking = time.perf_counter() - began
        confirm(upload.pk, actor=user, start=False, revision=checked.revision, skip_bad=True)
        began = time.perf_counter()
        site.wait_until(lambda: _in(upload, UploadStatus.imported), PATIENCE, "the import")
        importing = time.perf_counter() - began
    imported = Job.objects.get(name="Uploaded", status=JobStatus.pending)
    return {
        "received_s": round(received, 1),
        "checked_s": round(checking, 1),
        "imported_s": round(importing, 1),
        "rows": imported.total_rows,
        "worker_most_mb": memory["most_mb"],
    }


def _in(upload: Upload, status: UploadStatus) -> Upload | None:
    return Upload.objects.filter(pk=upload.pk, status=status).first()
