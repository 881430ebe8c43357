"""The limit: a bare loop that makes the engine's durable writes, with the same group commit, and nothing else.

`python -m benchmarks.bare_loop --rows 2000 --carrier instant`. One transaction settles all answers that are there
(their labels, their rows, the job's counters), notes a beat, claims the next rows and reserves those after them; after
its commit what was claimed is bought, at most CONCURRENCY at once. It writes to the product's own tables, with all
their indexes and constraints, by statements of the database's driver. It looks at nothing: no epoch, no state, no
deadline, no error.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from benchmarks.batch import make_job, set_up
from benchmarks.carriers import COST_CENTS

CONCURRENCY = 16
# Where answers take no time, as many rows to a transaction as a run of the engine comes to.
GROUP = 4 * CONCURRENCY

Answer = tuple[int, str, str]  # row id, purchase id, tracking number

# A state that is not compared plainly: the rows are found by their ids, and by no index of states.
RESERVE = """
UPDATE shipping_row SET run_id = %s
FROM ({wanted}) AS wanted WHERE shipping_row.id = wanted.column1 AND shipping_row.status || '' = 'pending'
"""
CLAIM = """
UPDATE shipping_row SET status = 'in_flight', claims = claims + 1, handle = wanted.column2, due = %s, claimed_at = %s
FROM ({wanted}) AS wanted WHERE shipping_row.id = wanted.column1 AND shipping_row.status || '' = 'pending'
"""
LABEL = """
INSERT INTO shipping_label (
    job_id, row_id, attempt, account, purchase_id, tracking_number, tracking_key, tracking_end_key, carrier, service,
    cost_cents, currency, label_url, file, fetch_after, fetch_failures, bought_at, recorded_at, adopted, void_requested,
    void_after, void_failures, void_answer, refund_state, refund_ask_after, refund_questions
) SELECT %s, wanted.column1, 1, %s, wanted.column2, wanted.column3, wanted.column3, wanted.column4, 'BENCH', 'Ground',
    %s, 'USD', '', '', 1e18, 0, %s, %s, false, '', 0, 0, '', '', 0, 0
FROM ({wanted}) AS wanted RETURNING row_id, id
"""
COMPLETE = """
UPDATE shipping_row SET status = 'completed', due = NULL, run_id = NULL, label_id = wanted.column2
FROM ({wanted}) AS wanted WHERE shipping_row.id = wanted.column1 AND shipping_row.status || '' = 'in_flight'
"""
COUNT = """
UPDATE shipping_job SET processed_rows = processed_rows + %s, successful_rows = successful_rows + %s,
    cost_cents = cost_cents + %s WHERE id = %s
"""
BEAT = "UPDATE shipping_run SET beat = %s, beat_at = %s, bought_rows = bought_rows + %s WHERE id = %s"


class Books:
    """The writes, by a cursor of the driver below Django's."""

    def __init__(self, rows: int, carrier: str) -> None:
        from django.db import connection

        from shipping.models import Run

        job = make_job(rows, carrier)
        run = Run.objects.create(job=job, epoch=0, issued=0.0, queued=0.0)
        self.job_id, self.run_id, self.carrier = job.pk, run.pk, carrier
        self.waiting = [(pk, job.reference(number, 1)) for pk, number in job.rows.values_list("pk", "number")]
        self.waiting.reverse()
        self.reserved: list[tuple[int, str]] = []
        connection.ensure_connection()
        self.sqlite = connection.vendor == "sqlite"
        # Another thread than this one commits, one at a time.
        connection.inc_thread_sharing()
        self.driver: Any = connection.connection
        connection.set_autocommit(True)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        cursor = self.driver.cursor()
        cursor.execute("BEGIN IMMEDIATE" if self.sqlite else "BEGIN")
        yield cursor
        cursor.execute("COMMIT")

    def turn(self, answers: list[Answer], room: int) -> list[tuple[int, str]]:
        """Settle what came back and claim as many rows as there is room for; returns these once it is committed."""
        now = time.time()
        moment = time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime(now))
        claimed, self.reserved = self.reserved[:room], self.reserved[room:]
        missing = min(room - len(self.reserved), len(self.waiting))
        reserved = [self.waiting.pop() for _each in range(missing)]
        self.reserved += reserved
        with self._transaction() as cursor:
            if answers:
                told = [(row, purchase, number, number[::-1]) for row, purchase, number in answers]
                alike = [self.job_id, self.carrier, COST_CENTS, moment, moment]
                self._write(cursor, LABEL, told, alike, ("bigint", "text", "text", "text"))
                self._write(cursor, COMPLETE, cursor.fetchall(), [], ("bigint", "bigint"))
                counts = [len(answers), len(answers), COST_CENTS * len(answers), self.job_id]
                self._execute(cursor, COUNT, counts)
            if claimed:
                self._write(cursor, CLAIM, claimed, [now + 20.0, moment], ("bigint", "text"))
            if reserved:
                self._write(cursor, RESERVE, [(row,) for row, _handle in reserved], [self.run_id], ("bigint",))
            self._execute(cursor, BEAT, [now, moment, len(answers), self.run_id])
        return claimed

    def _write(self, cursor: Any, statement: str, rows: Any, alike: list[Any], types: tuple[str, ...]) -> None:
        """A statement for all rows at once."""
        from shipping.engine.statements import as_table

        table, told = as_table(rows, types)
        self._execute(cursor, statement.format(wanted=table), [*alike, *told])

    def _execute(self, cursor: Any, statement: str, told: list[Any]) -> None:
        cursor.execute(statement.replace("%s", "?") if self.sqlite else statement, told)


def ship_in_process(books: Books) -> None:
    """Every purchase is answered at once."""
    books.turn([], GROUP)  # only reserves
    answers: list[Answer] = []
    while claimed := books.turn(answers, GROUP):
        answers = [(row, f"lbl_{handle}", f"9400{row:016}") for row, handle in claimed]


async def ship_through_http(books: Books, url: str) -> None:
    """One POST for each row, on as many kept connections as may be out at once."""
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    orders: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    answered: asyncio.Queue[Answer] = asyncio.Queue()
    buyers = [
        asyncio.create_task(_buy(address.hostname or "", address.port or 80, orders, answered))
        for _each in range(CONCURRENCY)
    ]
    out, answers = 0, list[Answer]()
    books.turn([], CONCURRENCY)  # only reserves
    while True:
        claimed = await loop.run_in_executor(None, books.turn, answers, CONCURRENCY - out)
        out += len(claimed)
        for order in claimed:
            orders.put_nowait(order)
        if not out:
            break
        answers = [await answered.get()]
        while not answered.empty():
            answers.append(answered.get_nowait())
        out -= len(answers)
    for buyer in buyers:
        buyer.cancel()


async def _buy(
    host: str, port: int, orders: "asyncio.Queue[tuple[int, str]]", answered: "asyncio.Queue[Answer]"
) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    while True:
        row, handle = await orders.get()
        writer.write(f"POST /labels?reference={handle} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        told = json.loads(await reader.readexactly(length))
        answered.put_nowait((row, told["id"], told["tracking_number"]))


def ship(rows: int, carrier: str) -> dict[str, Any]:
    """Ship a batch; seconds are from the first claim to the last commit."""
    books = Books(rows, carrier)
    began = time.monotonic()
    if carrier == "instant":
        ship_in_process(books)
    else:
        asyncio.run(ship_through_http(books, os.environ["LABEL_SERVER"]))
    seconds = time.monotonic() - began
    from shipping.models import Job

    completed = Job.objects.get(pk=books.job_id).rows.filter(status="completed", label__isnull=False).count()
    if completed != rows:
        raise SystemExit(f"Only {completed} of {rows} rows were shipped.")
    return {"rows": rows, "seconds": seconds, "rows_per_second": rows / seconds, "job": books.job_id}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare_loop")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--carrier", choices=["instant", "label_server"], default="instant")
    chosen = parser.parse_args()
    set_up()
    sys.stdout.write(json.dumps(ship(chosen.rows, chosen.carrier)) + "\n")
