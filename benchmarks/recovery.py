"""How soon after a SIGKILL things are right again: `python -m benchmarks.recovery --rows 3000`, or `--in-doubt 1000`.

Writes one line of JSON. With --rows: seconds from the SIGKILL of the only worker until the books say "interrupted", and
from the choice to resume until the first label that a worker bought afterwards, with another worker that is idle
meanwhile. With --in-doubt: seconds until so many rows in doubt have all been asked about and adopted.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.batch import ROOT, make_job, set_up

LONGEST_SECONDS = 120.0
LOOK_SECONDS = 0.01


def _worker() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT)


def _seconds_until(true: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > LONGEST_SECONDS:
            raise SystemExit(f"Not true within {LONGEST_SECONDS:g} s: line {true.__code__.co_firstlineno}.")
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def kill_and_resume(rows: int) -> dict[str, float]:
    """A worker dies at work, and a person resumes at once; a second worker is there."""
    from recovery import RecoveryChoice, handle_recovery_choice
    from shipping.liveness import is_interrupted
    from shipping.models import Job, Label, Worker
    from shipping.services import JobService

    job = make_job(rows, "label_server")
    JobService().start(job.pk)
    workers = [_worker()]
    try:
        _seconds_until(lambda: Job.objects.get(pk=job.pk).successful_rows > 0)
        # It keeps house meanwhile, and finds no run to work.
        workers.append(_worker())
        _seconds_until(lambda: Worker.objects.count() == len(workers))
        workers[0].kill()
        shown = _seconds_until(lambda: is_interrupted(Job.objects.get(pk=job.pk)))
        newest = Label.objects.filter(job=job).latest("pk").pk
        began = time.monotonic()
        handle_recovery_choice(RecoveryChoice.resume, job.pk, JobService())
        _seconds_until(lambda: Label.objects.filter(job=job, pk__gt=newest, adopted=False).exists())
        return {"interrupted": shown, "first_row": time.monotonic() - began}
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def reconcile(rows: int) -> dict[str, float]:
    """Rows that a dead run had claimed and that the carrier has sold: one worker asks about all of them. Their due and
    the quiet period have passed, as they have when a person comes in the next morning.
    """
    import urllib.request

    from django.utils import timezone

    from shipping.models import Job, Row, Run
    from shipping.models.clock import book_now
    from shipping.states import JobStatus

    job = make_job(rows, "label_server")
    long_ago = book_now() - 3600.0
    run = Run.objects.create(
        job=job, epoch=0, issued=long_ago, queued=long_ago, beat=long_ago, started_at=timezone.now(), host="elsewhere"
    )
    claimed = list(job.rows.all())
    for row in claimed:
        row.status, row.handle, row.claims = "in_flight", job.reference(row.number, 1), 1
        row.run, row.due, row.claimed_at = run, long_ago, timezone.now()
        address = f"{os.environ['LABEL_SERVER']}/labels?reference={row.handle}"
        with urllib.request.urlopen(urllib.request.Request(address, method="POST")) as answer:
            answer.read()
    Row.objects.bulk_update(claimed, ["status", "handle", "claims", "run", "due", "claimed_at"], batch_size=200)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.running)
    worker = _worker()
    try:
        _seconds_until(lambda: Job.objects.get(pk=job.pk).successful_rows > 0)
        seconds = _seconds_until(lambda: not Row.objects.filter(job=job).owed().exists())
    finally:
        worker.kill()
        worker.wait()
    return {"reconciled": seconds, "adopted": float(Job.objects.get(pk=job.pk).successful_rows)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery")
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--in-doubt", type=int, default=0)
    told = parser.parse_args()
    set_up()
    found = reconcile(told.in_doubt) if told.in_doubt else kill_and_resume(told.rows)
    sys.stdout.write(json.dumps(found) + "\n")
