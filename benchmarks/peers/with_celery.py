"""Celery: a task for each row, sixteen processes, late acknowledgement, a broker (Redis) that writes every message to
disk, and results in PostgreSQL. Messages of a dead worker come back after the visibility timeout.
"""

import os

from celery import Celery

from benchmarks.client import buy
from benchmarks.peers.telling import CONCURRENCY, STALLED_SECONDS, references, tell

database = os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg://", 1)
app = Celery("bench", broker=os.environ.get("BROKER", ""), backend=f"db+{database}")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    database_short_lived_sessions=False,
    broker_transport_options={"visibility_timeout": STALLED_SECONDS},
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    result_extended=True,
    result_expires=None,
)


@app.task(name="ship")
def ship(reference: str) -> str:
    return str(buy(reference)["tracking_number"])


def main(command: str, rows: int) -> None:
    if command == "enqueue":
        for each in references(rows):
            ship.apply_async((each,), task_id=each)
    elif command == "work":
        app.worker_main(
            ["worker", "--pool=prefork", f"--concurrency={CONCURRENCY}", "--loglevel=WARNING", "--without-gossip",
             "--without-mingle"]
        )  # fmt: skip
    elif command == "books":
        tell([each for each in references(rows) if app.AsyncResult(each).successful()])
