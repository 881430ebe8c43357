"""Claiming: the durable note, before any money moves, that a run is about to buy a row. Under the job's lock."""

from collections.abc import Collection, Iterable

from django.conf import settings
from django.db.models import Q

from shipping.carriers.port import Rejected
from shipping.engine.letters import Claim, Letter, Preparation, Ready
from shipping.engine.settle import settle_rejected_preparation
from shipping.engine.together import claim_rows
from shipping.models import Job, Row
from shipping.states import RowStatus

# What is read of a row to prepare it, or to fail it.
_RESERVED = ("job", "number", "status", "attempt", "claims", "handle", "run", "order")


def claim(job: Job, run_id: int, ready: Collection[Ready], now: float, before: float) -> list[Letter]:
    """Claim rows that this run has prepared. Only what is returned here may be bought."""
    wanted = {each.preparation.row_id: each for each in _without_foreign_handles(job, _suspect_alone(job, ready))}
    numbers = claim_rows(run_id, wanted.values(), now + settings.REQUEST_TIMEOUT_SECONDS)
    let_go(job, run_id, (each.preparation.row_id for each in ready if each.preparation.row_id not in numbers))
    return [
        Claim(
            job_id=job.pk,
            carrier=job.carrier,
            row_id=row_id,
            number=each.preparation.number,
            attempt=each.preparation.attempt,
            claim=numbers[row_id],
            handle=each.prepared.handle,
            order=each.preparation.order,
            details=each.prepared.details,
            deadline=before + settings.REQUEST_TIMEOUT_SECONDS,
        )
        for row_id, each in wanted.items()
        if row_id in numbers
    ]


def _suspect_alone(job: Job, ready: Collection[Ready]) -> Collection[Ready]:
    """While a suspect row waits, nothing but a suspect row is claimed: `reserve` gives out one at a time."""
    if not ready:
        return ready
    suspect = set(job.rows.suspect().filter(status=RowStatus.pending).values_list("pk", flat=True))
    return [each for each in ready if not suspect or each.preparation.row_id in suspect]


def let_go(job: Job, run_id: int, row_ids: Iterable[int]) -> None:
    """Free rows that this run had reserved and could not claim."""
    pks = list(row_ids)
    if pks:
        job.rows.pending().filter(pk__in=pks, run=run_id).update(run=None)


def _without_foreign_handles(job: Job, ready: Collection[Ready]) -> list[Ready]:
    """Fail rows whose handle is pinned to another row already: a carrier that answers two preparations with one
    handle must not tear the whole tick down, nor have one purchase stand for two rows.
    """
    if not ready:
        return []
    by_handle: dict[str, Ready] = {}
    foreign: list[int] = []
    for each in ready:
        first = by_handle.setdefault(each.prepared.handle, each)
        # The same row prepared twice (the first answer came late) is no conflict.
        if first.preparation.row_id != each.preparation.row_id:
            foreign.append(each.preparation.row_id)
    taken = Row.objects.filter(account=job.carrier, handle__in=list(by_handle)).values_list("handle", "pk")
    for handle, row_id in taken:
        if row_id != by_handle[handle or ""].preparation.row_id:
            foreign.append(by_handle.pop(handle or "").preparation.row_id)
    error = Rejected("handle_taken", "The carrier answered with a shipment that belongs to another row.")
    for row in job.rows.pending().filter(pk__in=foreign, handle__isnull=True) if foreign else ():
        settle_rejected_preparation(job, row, error)
    return list(by_handle.values())


def reserve(job: Job, run_id: int, live: Collection[int], limit: int) -> list[Letter]:
    """Keep the next pending rows in file order for this run, so that live siblings (`live`, this run among them) leave
    them alone. A dead run's rows are free. Suspect rows go first, and each of them alone in the job.
    """
    if limit <= 0:
        return []
    rows = _next_suspect(job, live)
    if rows is None:
        free = Q(run__isnull=True) | ~Q(run__in=live)
        rows = list(job.rows.pending().filter(free).order_by("number").only(*_RESERVED)[:limit])
    if rows:
        job.rows.pending().filter(pk__in=[row.pk for row in rows]).update(run=run_id)
    letters = (_preparation(job, run_id, row) for row in rows)
    return [letter for letter in letters if letter is not None]


def _next_suspect(job: Job, live: Collection[int]) -> list[Row] | None:
    """The suspect row that is to be tried now; none while anything else is in a living worker's hands, so that it is
    alone there; None when the job has no suspect row to try.
    """
    suspect = list(job.rows.suspect().order_by("number"))
    if any(row.run_id in live for row in suspect):
        return []
    waiting = [row for row in suspect if row.status == RowStatus.pending]
    if not waiting:
        return None
    others = Row.objects.filter(run__in=live, status__in=[RowStatus.pending, RowStatus.in_flight])
    return [] if others.exists() else waiting[:1]


def _preparation(job: Job, run_id: int, row: Row) -> Preparation | None:
    """The letter that has a row prepared; a row that can't be read as an order fails here."""
    try:
        order = row.carrier_order(job)
    except (KeyError, TypeError, ValueError) as error:
        settle_rejected_preparation(job, row, Rejected("bad_order", f"This row can't be read as an order: {error!r}"))
        return None
    return Preparation(
        job_id=job.pk,
        carrier=job.carrier,
        run_id=run_id,
        row_id=row.pk,
        number=row.number,
        attempt=row.attempt,
        order=order,
        handle=row.handle or "",
    )
