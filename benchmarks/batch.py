"""One batch of Onceship, in a process of its own: `python -m benchmarks.batch --rows 2000 --carrier instant`.

Makes the job, starts it, and has one worker process ship it. Writes one line of JSON: what the books say of it.
DATABASE_URL names the database, which is migrated when it is empty.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shipping.models import Job

ROOT = Path(__file__).resolve().parents[1]
CHUNK_ROWS = 1_000


def set_up() -> None:
    """Django on the database of DATABASE_URL, with all tables."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def make_job(rows: int, carrier: str) -> "Job":
    """A wholly imported job of so many rows, made in chunks."""
    from shipping.models import Job, Row, Sender
    from shipping.services import JobService

    address = {"street1": "417 Montgomery Street", "city": "San Francisco", "state": "CA", "zip": "94104"}
    sender = Sender.objects.first() or Sender.objects.create(name="Benchmark Warehouse", country="US", **address)
    job = JobService().create_job(name=f"{rows} rows", carrier=carrier, sender=sender)
    for first in range(1, rows + 1, CHUNK_ROWS):
        numbers = range(first, min(first + CHUNK_ROWS, rows + 1))
        Row.objects.bulk_create([_row(job, number) for number in numbers])
    Job.objects.filter(pk=job.pk).update(total_rows=rows)
    return job


def _row(job: "Job", number: int) -> Any:
    from shipping.models import Row

    order = {
        "reference": f"ORDER-{number}",
        "to_name": f"Recipient {number}",
        "to_street1": f"{number} Market Street",
        "to_city": "Denver",
        "to_state": "CO",
        "to_zip": "80202",
        "to_country": "US",
        "weight": "12",
    }
    return Row(
        job=job,
        number=number,
        account=job.carrier,
        order_reference=order["reference"],
        recipient=order["to_name"],
        order=order,
    )


def ship(rows: int, carrier: str, worker: list[str]) -> dict[str, Any]:
    """Ship a batch with one worker process. Seconds are from the start of its run to the completion of the job, both
    as the worker wrote them down; starting the process is not counted.
    """
    from django.db import connection

    from shipping.services import JobService

    job = make_job(rows, carrier)
    JobService().start(job.pk)
    connection.close()
    subprocess.run([*worker, "manage.py", "worker", "--until-idle"], cwd=ROOT, check=True)
    job.refresh_from_db()
    run = job.runs.exclude(started_at=None).earliest("started_at")
    if job.ended_at is None or run.started_at is None or job.successful_rows != rows:
        raise SystemExit(f"The batch is {job.status} with {job.successful_rows} of {rows} rows: {job.error_message}")
    seconds = (job.ended_at - run.started_at).total_seconds()
    return {"rows": rows, "seconds": seconds, "rows_per_second": rows / seconds, "job": job.pk}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch")
    parser.add_argument("--rows", type=int, default=2_000, help="0: only make the tables")
    parser.add_argument("--carrier", choices=["instant", "label_server"], default="instant")
    parser.add_argument("--profile", default="", help="a file for what cProfile sees of the worker's main thread")
    told = parser.parse_args()
    profiled = ["-m", "cProfile", "-o", told.profile] if told.profile else []
    set_up()
    found = ship(told.rows, told.carrier, [sys.executable, *profiled]) if told.rows else {}
    sys.stdout.write(json.dumps(found) + "\n")
