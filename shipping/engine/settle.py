"""Settling: writing down what the carrier answered, whatever the epoch or status of the job. Under the job's lock.

An answer is only ever applied to the claim it belongs to (row and claim number); "bought" alone is recorded in any
case. The functions change the counters of `job` in memory; the tick saves them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from shipping.carriers.port import CarrierError, Purchase, Rejected, Unknown
from shipping.engine.letters import Claim, Reply
from shipping.engine.together import InFlight, complete_rows, count_on_run, record_labels, rows_in_flight
from shipping.models import Job, Label, Row
from shipping.models.clock import NEVER
from shipping.rows import buy_again, move_row
from shipping.runs import record
from shipping.states import EventKind, JobStatus, RowStatus

ANSWERED: dict[str, Any] = {"due": None, "run": None, "questions_failed": 0}


def settle_purchase(job: Job, row: Row, attempt: int, claim: int, outcome: Purchase | CarrierError) -> None:
    """Settle the answer to a purchase that was sent under a claim."""
    own = owes(row, claim)
    if own and row.crashes:
        # The worker that had it lives to tell, so it is no reason to die.
        Row.objects.filter(pk=row.pk).update(crashes=0)
        row.crashes = 0
    if isinstance(outcome, Purchase):
        settle_bought(job, row, attempt, outcome, answers=own)
    elif not own:
        return
    elif isinstance(outcome, Rejected):
        _settle_rejected(job, row, outcome)
    elif isinstance(outcome, Unknown):
        _settle_unknown(job, row, outcome)
    else:
        settle_not_bought(job, row, outcome.message)


def settle_plainly_bought(job: Job, replies: Sequence[Reply]) -> set[int]:
    """Record, in a few statements for all of them, the purchases that are what was hoped for: each not known yet, and
    the answer to the last claim of a row that is in flight. Returns which replies these were, by `id()`; all others are
    settled one by one.
    """
    waiting = rows_in_flight({reply.letter.row_id for reply in replies if isinstance(reply.letter, Claim)})
    hoped_for: dict[str, tuple[Reply, InFlight, Purchase]] = {}
    for reply in replies:
        letter, outcome = reply.letter, reply.outcome
        if not isinstance(letter, Claim) or not isinstance(outcome, Purchase):
            continue
        row = waiting.get(letter.row_id)
        if row is not None and (row.attempt, row.claims) == (letter.attempt, letter.claim):
            # One answer for each row: another one is no plain purchase.
            del waiting[letter.row_id]
            hoped_for.setdefault(outcome.purchase_id, (reply, row, outcome))
    recorded = _record_plainly(job, [(row, purchase) for _reply, row, purchase in hoped_for.values()])
    return {id(reply) for reply, _row, purchase in hoped_for.values() if purchase.purchase_id in recorded}


def owes(row: Row, claim: int) -> bool:
    """Whether the answer to this claim is what the row still owes."""
    return row.due is not None and row.claims == claim


def settle_bought(
    job: Job, row: Row, attempt: int, purchase: Purchase, *, answers: bool, adopted: bool = False
) -> Label:
    """Record a purchase. `answers`: it also is the answer that the row owes, which is then owed no more."""
    label = Label.objects.filter(account=row.account, purchase_id=purchase.purchase_id).first()
    if label is None:
        label = _record_label(job, row, attempt, purchase, answers=answers, adopted=adopted)
    elif label.row_id != row.pk:
        record(
            job,
            EventKind.label_conflict,
            row=row,
            purchase_id=purchase.purchase_id,
            tracking_number=purchase.tracking_number,
            recorded_for={"job": label.job_id, "row": label.row_id},
        )
        if answers and row.status == RowStatus.completed:
            clear_owed(job, row)
        elif answers:
            set_aside(job, row, "label_conflict", "The carrier answered with a label that belongs to another row.")
        return label
    elif answers and row.status != RowStatus.completed:
        # Known for this row, and yet the row is open: a label of an earlier attempt, which a restart replaced.
        set_aside(job, row, "earlier_label", "The carrier answered with a label of an earlier attempt.")
        return label
    if answers and row.due is not None:
        clear_owed(job, row)
    return label


def record_unwanted(job: Job, row: Row, attempt: int, purchase: Purchase) -> Label:
    """Record a purchase, not known yet, that its row is not to have: the row stays as it is, and what it cost counts
    among the labels that are not in use. For one that a person has voided.
    """
    label = _new_label(job, row, attempt, purchase, adopted=True)
    job.replaced_cents += label.cost_cents
    return label


def _new_label(job: Job, row: Row, attempt: int, purchase: Purchase, *, adopted: bool) -> Label:
    label = _label(job, row, attempt, purchase, adopted=adopted)
    label.save(force_insert=True)
    return label


def _label(job: Job, row: Row, attempt: int, purchase: Purchase, *, adopted: bool) -> Label:
    return Label(job=job, adopted=adopted, **_told(row, attempt, purchase, timezone.now()))


def _told(row: Row | InFlight, attempt: int, purchase: Purchase, now: datetime) -> dict[str, Any]:
    """The fields of a label that come from its row and from the carrier's answer."""
    return {
        "row_id": row.pk,
        "attempt": attempt,
        "account": row.account,
        "purchase_id": purchase.purchase_id,
        "tracking_number": purchase.tracking_number,
        "carrier": purchase.carrier,
        "service": purchase.service,
        "cost_cents": purchase.cost_cents,
        "currency": purchase.currency,
        "label_url": purchase.label_url,
        "fetch_after": 0.0 if purchase.has_file else NEVER,
        "bought_at": purchase.bought_at or now,
    }


def _record_label(job: Job, row: Row, attempt: int, purchase: Purchase, *, answers: bool, adopted: bool) -> Label:
    label = _new_label(job, row, attempt, purchase, adopted=adopted)
    told: dict[str, Any] = {
        "tracking_number": label.tracking_number,
        "cost_cents": label.cost_cents,
        "purchase_id": label.purchase_id,
    }
    if row.status == RowStatus.completed:
        job.replaced_cents += label.cost_cents
        record(job, EventKind.second_charge, row=row, **told)
        return label
    late = row.status != RowStatus.in_flight
    fields = {"label": label, "error_code": "", "error_message": "", "failed_epoch": None}
    move_row(job, row, RowStatus.completed, **fields, **(ANSWERED if answers else {}))
    job.cost_cents += label.cost_cents
    job.currency = label.currency
    if adopted:
        record(job, EventKind.adopted, row=row, **told)
    elif late:
        record(job, EventKind.late_label, row=row, **told)
    return label


def _record_plainly(job: Job, bought: Sequence[tuple[InFlight, Purchase]]) -> dict[str, int]:
    """Complete rows in flight with what was bought for them, but for purchases that are in the books already. Returns
    the ids of the labels by those of the purchases.
    """
    if not bought:
        return {}
    now = timezone.now()
    labels = record_labels(Label(job=job), [_told(row, row.attempt, purchase, now) for row, purchase in bought])
    new = [(row, purchase) for row, purchase in bought if purchase.purchase_id in labels]
    if new:
        complete_rows(job, [(row, labels[purchase.purchase_id]) for row, purchase in new])
        job.cost_cents += sum(purchase.cost_cents for _row, purchase in new)
        job.currency = new[-1][1].currency
        note_bought((row.run_id, row.number) for row, _purchase in new)
    return labels


def note_bought(rows: Iterable[tuple[int | None, int]]) -> None:
    """Count rows (their numbers) on the runs whose purchases brought them."""
    by_run: dict[int, list[int]] = {}
    for run_id, number in rows:
        if run_id is not None:
            by_run.setdefault(run_id, []).append(number)
    for run_id, numbers in by_run.items():
        count_on_run(run_id, numbers)


def clear_owed(job: Job, row: Row) -> None:
    """The row's answer has come: nothing is owed any more, and a restart that waited for it goes ahead."""
    Row.objects.filter(pk=row.pk).update(**ANSWERED)
    row.due, row.run, row.questions_failed = None, None, 0
    if row.rebuy and row.label is not None and not row.label.waits_for_void:
        buy_again(job, row, row.label)


def _settle_rejected(job: Job, row: Row, error: Rejected) -> None:
    if row.status != RowStatus.in_flight:
        settle_not_bought(job, row, error.message)
        return
    move_row(job, row, RowStatus.failed, **ANSWERED, **_failure(job, error))
    halt_on_rejection(job, row, error)


def settle_rejected_preparation(job: Job, row: Row, error: Rejected) -> None:
    """The carrier refuses a pending row before anything was claimed."""
    move_row(job, row, RowStatus.failed, run=None, **_failure(job, error))
    halt_on_rejection(job, row, error)


def _failure(job: Job, error: Rejected) -> dict[str, Any]:
    return {"error_code": error.code[:100], "error_message": error.message, "failed_epoch": job.epoch}


def halt_on_rejection(job: Job, row: Row, error: CarrierError) -> None:
    """Halt a job that is to stop at the first rejected row."""
    if job.stop_on_error:
        halt(job, error, row.number)


def halt(job: Job, error: CarrierError, row_number: int) -> None:
    """Halt a running job: it stays running, its runs stop claiming, and a person decides."""
    if job.status != JobStatus.running or job.error_code:
        return
    job.error_code = error.code[:100] or "error"
    job.error_message = error.message
    job.error_row_number = row_number or None
    record(job, EventKind.halted, code=job.error_code, message=job.error_message, row_number=job.error_row_number)


def settle_not_bought(job: Job, row: Row, message: str) -> None:
    """The definite answer to the row's last claim is that nothing was bought: it is free to be claimed again."""
    if row.status in (RowStatus.in_flight, RowStatus.needs_review):
        cleared = {"error_code": "", "error_message": ""}
        move_row(job, row, RowStatus.pending, **ANSWERED, **cleared, answer=message, answered_at=timezone.now())
    else:
        clear_owed(job, row)


def _settle_unknown(job: Job, row: Row, error: CarrierError) -> None:
    """Nobody waits any more, the answer is still owed: the row is in doubt and the carrier will be asked."""
    Row.objects.filter(pk=row.pk).update(run=None, answer=error.message, answered_at=timezone.now(), ask_after=0.0)
    record(job, EventKind.in_doubt, row=row, code=error.code, message=error.message)


def set_aside(job: Job, row: Row, code: str, message: str) -> None:
    """Leave a row to a person. It still owes its answer; only a person has it asked about again."""
    if row.status == RowStatus.in_flight:
        move_row(job, row, RowStatus.needs_review, run=None, error_code=code, error_message=message, ask_after=NEVER)
    else:
        Row.objects.filter(pk=row.pk).update(run=None, ask_after=NEVER)
    record(job, EventKind.set_aside, row=row, code=code, message=message)
