"""Procrastinate: an asynchronous task for each row, sixteen at once, on PostgreSQL. It keeps no results, so the task
writes the outcome to a table of its own. Jobs of dead workers are found by their heartbeats and tried again, by the
periodic task that its documentation advises.
"""

import asyncio
import os

import procrastinate

from benchmarks.client import buy_async
from benchmarks.peers.telling import CONCURRENCY, STALLED_SECONDS, references, tell

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"], min_size=4, max_size=CONCURRENCY)
)
TABLE = "CREATE TABLE outcome (reference text PRIMARY KEY, tracking_number text NOT NULL)"
STORE = "INSERT INTO outcome VALUES (%(reference)s, %(tracking_number)s) ON CONFLICT DO NOTHING"


@app.task(queue="rows")
async def ship(reference: str) -> None:
    told = await buy_async(reference)
    await app.connector.execute_query_async(STORE, reference=reference, tracking_number=told["tracking_number"])


@app.periodic(cron="* * * * * */5")
@app.task(queue="upkeep", queueing_lock="upkeep", pass_context=True)
async def try_stalled_again(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        await app.job_manager.retry_job(job)


async def _main(command: str, rows: int) -> None:
    async with app.open_async():
        if command == "prepare":
            await app.schema_manager.apply_schema_async()
            await app.connector.execute_query_async(TABLE)
        elif command == "enqueue":
            await ship.batch_defer_async(*({"reference": each} for each in references(rows)))
        elif command == "work":
            await app.run_worker_async(
                concurrency=CONCURRENCY,
                fetch_job_polling_interval=0.1,
                update_heartbeat_interval=1.0,
                stalled_worker_timeout=STALLED_SECONDS,
            )
        else:
            tell([row["reference"] for row in await app.connector.execute_query_all_async("SELECT * FROM outcome")])


def main(command: str, rows: int) -> None:
    asyncio.run(_main(command, rows))
