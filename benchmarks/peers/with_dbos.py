"""DBOS: one workflow for the batch, a step for each row, sixteen at once, on PostgreSQL. A worker that starts again
goes on with the workflow from its last steps.
"""

import asyncio
import os
import time

from dbos import DBOS, DBOSClient, DBOSConfig, SetWorkflowID

from benchmarks.client import buy_async
from benchmarks.peers.telling import CONCURRENCY, references, tell

WORKFLOW = "the-batch"


@DBOS.step()
async def ship(reference: str) -> str:
    return str((await buy_async(reference))["tracking_number"])


@DBOS.workflow()
async def ship_all(rows: int) -> int:
    wanted = references(rows)
    for first in range(0, rows, CONCURRENCY):
        # Steps may run side by side when they are started in an order that is always the same. The next begin when all
        # of these are recorded, so no more than so many are ever bought and not recorded.
        await asyncio.gather(*(ship(each) for each in wanted[first : first + CONCURRENCY]))
    return rows


def main(command: str, rows: int) -> None:
    database = os.environ["DATABASE_URL"].replace("postgres://", "postgresql://", 1)
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": database,
        "application_version": "1",
        "executor_id": "bench",
        "log_level": "ERROR",
    }
    if command == "books":
        steps = DBOSClient(system_database_url=database).list_workflow_steps(WORKFLOW)
        wanted = references(rows)
        tell([wanted[step["function_id"] - 1] for step in steps if step["error"] is None])
        return
    if command != "work":
        return
    DBOS(config=config)
    DBOS.launch()
    if not DBOS.get_workflow_status(WORKFLOW):
        with SetWorkflowID(WORKFLOW):
            asyncio.run(_begin(rows))
    while True:
        time.sleep(1)


async def _begin(rows: int) -> None:
    handle = await DBOS.start_workflow_async(ship_all, rows)
    await handle.get_result()
