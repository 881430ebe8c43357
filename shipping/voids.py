"""Voids that a person orders for single labels: which can be, until when, and ordering them.

What the carrier answers is the engine's to write down (`shipping.engine.voids`, `shipping.engine.refunds`). A row
whose label is voided stays as it is: only a restart buys it again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shipping.carriers.registry import UnknownCarrier, get_carrier
from shipping.models import Job, Label
from shipping.models.label import LabelQuerySet
from shipping.refusals import FactsMoved, Refused, lock_job
from shipping.runs import record
from shipping.states import EventKind, Sweep, VoidRequest

# No transaction touches more rows than this.
MOST_LABELS = 1_000


def void_until(label: Label) -> datetime | None:
    """Until when the carrier takes the label back, or None where that is not known (see the port's `void_days`)."""
    return end_of_voiding(label.account, label.carrier, label.bought_at)


def end_of_voiding(account: str, carrier: str, bought_at: datetime) -> datetime | None:
    """The same for what an account bought from a carrier."""
    try:
        days = get_carrier(account).void_days(carrier)
    except UnknownCarrier:
        return None
    return None if days is None else bought_at + timedelta(days=days)


def voidable_labels(job: Job) -> LabelQuerySet:
    """Labels that were paid for and whose void is not ordered: replaced ones and second charges, too."""
    return Label.objects.paid().filter(job=job, void_requested=VoidRequest.none)


def void_chosen(job_id: int, keys: Sequence[int], *, actor: User | None = None, reason: str = "") -> list[Label]:
    """Order the void of exactly these labels of a job, open or over, at most MOST_LABELS; a worker asks the carrier.

    Raises UnknownJob, Refused, or FactsMoved when one of them can't be voided any more; then nothing was changed.
    """
    if len(keys) > MOST_LABELS:
        raise Refused(_("At most %(count)s labels can be voided at once.") % {"count": MOST_LABELS})
    with transaction.atomic():
        job = lock_job(job_id)
        if job.sweep == Sweep.void:
            raise Refused(_("All labels of “%(name)s” are being voided already.") % {"name": job.name})
        labels = list(voidable_labels(job).filter(pk__in=keys).select_related("row").order_by("pk"))
        gone = len(set(keys)) - len(labels)
        if gone or not labels:
            raise FactsMoved(
                ngettext(
                    "%(count)s of these labels was voided meanwhile, or its void is on its way.",
                    "%(count)s of these labels were voided meanwhile, or their void is on its way.",
                    gone,
                )
                % {"count": gone}
            )
        order_voids(job, labels, actor=actor, reason=reason)
    return labels


def order_voids(job: Job, labels: Sequence[Label], *, actor: User | None = None, reason: str = "") -> None:
    """Note that the carrier is to be asked for these labels' refunds, and who wants it. Under the job's lock."""
    Label.objects.filter(pk__in=[label.pk for label in labels]).update(
        void_requested=VoidRequest.only, void_after=0.0, void_failures=0
    )
    cents = sum(label.cost_cents for label in labels)
    told: dict[str, Any] = {"labels": len(labels), "cost_cents": cents}
    if len(labels) == 1:
        label = labels[0]
        told["tracking_number"] = label.tracking_number
        record(job, EventKind.void_requested, row=label.row, actor=actor, reason=reason, **told)
    else:
        numbers = sorted({label.row.number for label in labels})
        told["message"] = f"{len(labels)} labels, rows {numbers[0]} to {numbers[-1]}"
        record(job, EventKind.void_requested, actor=actor, reason=reason, **told)
