"""Jobs in the middle of their story whose labels the sandbox carrier has really sold, so that the books and the
carrier's ledger can be compared afterwards.
"""

from shipping import labels
from shipping.carriers.port import Purchase
from shipping.carriers.registry import get_carrier
from shipping.models import Job, Label, Row
from shipping.models.clock import NEVER
from shipping.services import JobService
from shipping.states import JobStatus
from tests.factories import carrier_order, claim_row, complete_row, fail_row, make_dead_run, make_job, row_of, set_aside

_SECONDS = 30.0
# So long ago that the carrier's "not bought" can be believed.
_LONG_AGO = -3600.0


def buy(row: Row) -> Label:
    """Buy a pending row from the carrier and record its label, as a run does."""
    purchase = _buy(prepare(row))
    label = complete_row(row, cost_cents=purchase.cost_cents, tracking_number=purchase.tracking_number)
    Label.objects.filter(pk=label.pk).update(label_url=purchase.label_url)
    return Label.objects.get(pk=label.pk)


def buy_and_forget(row: Row) -> Row:
    """Buy a pending row from the carrier and record nothing: it is in doubt, and was bought."""
    claim_row(prepare(row), due_in=_LONG_AGO)
    _buy(row)
    return row


def send_in_vain(row: Row) -> Row:
    """Leave a pending row in doubt whose request never came to the carrier."""
    return claim_row(prepare(row), due_in=_LONG_AGO)


def review(row: Row, *, bought: bool) -> Row:
    """Put a pending row in review, where nobody asks about it unless a person says so; the carrier has sold its label,
    or has not.
    """
    set_aside(prepare(row))
    Row.objects.filter(pk=row.pk).update(ask_after=NEVER)
    if bought:
        _buy(row)
    return row


def store_file(label: Label) -> Label:
    """Fetch a label's file from the carrier and keep it, as housekeeping does."""
    file = get_carrier(label.account).fetch_label(label.purchase_id, label.label_url, timeout=_SECONDS)
    label.file.name = labels.store(labels.file_name(label.job, label, label.row.number), file)
    label.save(update_fields=["file"])
    return label


def prepare(row: Row) -> Row:
    """Have the carrier prepare a row, which is free, and keep the handle."""
    prepared = get_carrier(row.account).prepare(carrier_order(row, row.job), timeout=_SECONDS)
    row.handle = prepared.handle
    row.save(update_fields=["handle"])
    return row


def _buy(row: Row) -> Purchase:
    order = carrier_order(row, row.job)
    return get_carrier(row.account).buy(order, row.handle or "", {}, timeout=_SECONDS)


# --- Jobs ----------------------------------------------------------------------------------------------------


def started(rows: int = 4) -> Job:
    """A job that somebody has started; no worker has begun yet."""
    job = make_job(rows)
    return JobService().start(job.pk)


def interrupted(rows: int = 4, *, bought: int = 2, doubts: bool = False) -> Job:
    """A running job whose worker died when it had bought the first rows. With `doubts` it left the next two in doubt:
    the first of them was bought, the second was not.
    """
    job = make_job(rows, status=JobStatus.running)
    make_dead_run(job)
    for number in range(1, bought + 1):
        buy(row_of(job, number))
    if doubts:
        buy_and_forget(row_of(job, bought + 1))
        send_in_vain(row_of(job, bought + 2))
    return Job.objects.get(pk=job.pk)


def over(rows: int = 2, *, files: bool = False) -> Job:
    """A completed job, all of whose rows were bought."""
    job = interrupted(rows, bought=rows)
    for label in Label.objects.filter(job=job) if files else ():
        store_file(label)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.completed)
    return Job.objects.get(pk=job.pk)


def with_failed_rows(rows: int = 4, *, failed: int = 2) -> Job:
    """An interrupted job that goes on at a rejected row; the carrier has refused its first rows, the rest waits."""
    job = make_job(rows, status=JobStatus.running, stop_on_error=False)
    make_dead_run(job)
    for number in range(1, failed + 1):
        fail_row(row_of(job, number))
    return Job.objects.get(pk=job.pk)


def with_rows_in_review(*, bought: bool, rows: int = 2) -> Job:
    """A running job of which nothing is left but rows in review; the carrier has sold their labels, or has not."""
    job = make_job(rows + 1, status=JobStatus.running)
    buy(row_of(job, 1))
    for number in range(2, rows + 2):
        review(row_of(job, number), bought=bought)
    return Job.objects.get(pk=job.pk)
