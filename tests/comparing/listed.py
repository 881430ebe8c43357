"""Purchases that the carrier knows of and the books don't."""

import sqlite3
from contextlib import closing

from shipping.carriers.port import Purchase
from shipping.carriers.registry import get_carrier
from shipping.models import Comparison, Job, Orphan, Row
from shipping.services import JobService
from shipping.tasks import compare_with_carrier
from tests.factories import carrier_order, row_of
from tests.support.sandbox import SandboxProcess


def buy(job: Job, number: int, *, attempt: int = 1) -> Purchase:
    """Buy a row's label at the sandbox, under our reference, without a word in the books."""
    row = row_of(job, number)
    row.attempt = attempt
    order, carrier = carrier_order(row, job), get_carrier("sandbox")
    prepared = carrier.prepare(order, timeout=10)
    return carrier.buy(order, prepared.handle, prepared.details, timeout=10)


def buy_under_own_handle(job: Job, number: int) -> Purchase:
    """The same of a shipment that the row has pinned, as when a purchase leaves after its row was given up."""
    purchase = buy(job, number)
    Row.objects.filter(job=job, number=number).update(handle=purchase.purchase_id, claims=1)
    return purchase


def compare(job: Job) -> Comparison:
    """Have a job compared, by the task that a worker would bring."""
    JobService().compare(job.pk)
    comparison = Comparison.objects.get(job=job)
    compare_with_carrier.func(comparison.pk)
    comparison.refresh_from_db()
    return comparison


def orphan_of(job: Job, number: int) -> Orphan:
    """The open orphan of a row, which must have one."""
    return Orphan.objects.open().get(job=job, row__number=number)


def at_the_carrier(sandbox: SandboxProcess, statement: str, *values: object) -> None:
    """Change the carrier's own books behind its back."""
    with closing(sqlite3.connect(sandbox.database, timeout=10)) as books, books:
        assert books.execute(statement, values).rowcount > 0
