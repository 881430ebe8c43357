"""Claiming: the durable note, before any money moves, that a run is about to buy a row. Under the job's lock."""

from collections.abc import Collection, Iterable, Mapping

from django.conf import settings

from shipping.carriers.port import Address, Rejected
from shipping.engine.letters import Claim, Letter, Preparation, Ready
from shipping.engine.settle import settle_rejected_preparation
from shipping.engine.together import Reserved, claim_rows, owners_of, reserve_rows, sender_address, suspects
from shipping.models import Job, Row
from shipping.models.row import order_for_carrier
from shipping.states import RowStatus


def claim(job: Job, run_id: int, ready: Collection[Ready], now: float, before: float) -> list[Letter]:
    """Claim rows that this run has prepared. Only what is returned here may be bought."""
    if not ready:
        return []
    possible = _suspect_alone(job, ready)
    by_handle: dict[str, Ready] = {}
    for each in possible:
        by_handle.setdefault(each.prepared.handle, each)
    wanted = {each.preparation.row_id: each for each in by_handle.values()}
    numbers = claim_rows(run_id, wanted.values(), now + settings.REQUEST_TIMEOUT_SECONDS)
    _refuse_foreign_handles(job, [each for each in possible if each.preparation.row_id not in numbers], by_handle)
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
    suspect = {row.pk for row in suspects(job.pk) if row.status == RowStatus.pending}
    return [each for each in ready if each.preparation.row_id in suspect] if suspect else ready


def let_go(job: Job, run_id: int, row_ids: Iterable[int]) -> None:
    """Free rows that this run had reserved and could not claim."""
    pks = list(row_ids)
    if pks:
        job.rows.pending().filter(pk__in=pks, run=run_id).update(run=None)


def _refuse_foreign_handles(job: Job, unclaimed: Collection[Ready], by_handle: Mapping[str, Ready]) -> None:
    """Fail rows whose handle is pinned to another row already, or was prepared for another one as well (`by_handle`
    has the first): a carrier that answers two preparations with one handle must not have one purchase stand for two
    rows.
    """
    owners = dict(owners_of(job.carrier, {each.prepared.handle for each in unclaimed}))
    foreign = []
    for each in unclaimed:
        row_id, handle = each.preparation.row_id, each.prepared.handle
        # The same row prepared twice (the first answer came late) is no conflict.
        if owners.get(handle, by_handle[handle].preparation.row_id) != row_id:
            foreign.append(row_id)
    error = Rejected("handle_taken", "The carrier answered with a shipment that belongs to another row.")
    for row in job.rows.pending().filter(pk__in=foreign, handle__isnull=True) if foreign else ():
        settle_rejected_preparation(job, row, error)


def reserve(job: Job, run_id: int, live: Collection[int], limit: int) -> list[Letter]:
    """Keep the next pending rows in file order for this run, so that live siblings (`live`, this run among them) leave
    them alone. A dead run's rows are free. Suspect rows go first, and each of them alone in the job.
    """
    if limit <= 0:
        return []
    chosen = _next_suspect(job, live)
    if chosen is not None and not chosen:
        return []
    rows = reserve_rows(job.pk, run_id, live, limit, only=chosen[0] if chosen else None)
    if not rows:
        return []
    sender = sender_address(job.sender_id)
    letters = (_preparation(job, run_id, row, sender) for row in rows)
    return [letter for letter in letters if letter is not None]


def _next_suspect(job: Job, live: Collection[int]) -> list[int] | None:
    """The suspect row (its id) that is to be tried now; none while anything else is in a living worker's hands, so that
    it is alone there; None when the job has no suspect row to try.
    """
    suspect = suspects(job.pk)
    if any(row.run_id in live for row in suspect):
        return []
    waiting = [row.pk for row in suspect if row.status == RowStatus.pending]
    if not waiting:
        return None
    others = Row.objects.filter(run__in=live, status__in=[RowStatus.pending, RowStatus.in_flight])
    return [] if others.exists() else waiting[:1]


def _preparation(job: Job, run_id: int, row: Reserved, sender: Address) -> Preparation | None:
    """The letter that has a row prepared; a row that can't be read as an order fails here."""
    try:
        order = order_for_carrier(row.order, reference=job.reference(row.number, row.attempt), sender=sender)
    except (KeyError, TypeError, ValueError) as error:
        refused = Rejected("bad_order", f"This row can't be read as an order: {error!r}")
        settle_rejected_preparation(job, Row.objects.get(pk=row.pk), refused)
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
