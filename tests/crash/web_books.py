"""What the books hold, counted: two countings tell all that a command did, and whether it did a half."""

from collections import Counter
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F, Model, QuerySet, Sum

from recovery.orphan_plans import OrphanDecision
from shipping.models import (
    Comparison,
    Event,
    Job,
    Label,
    Orphan,
    Preference,
    RememberedMapping,
    Row,
    Run,
    Sender,
    Upload,
)
from shipping.models.clock import NEVER
from shipping.states import EventKind
from tests.support.ledger import TAKEN_BACK, compare_when_over


def facts() -> Counter[str]:
    """Everything that people's commands change, under names such as `events started`. What a worker does by the way
    (beats, turns, tickets) is not among it.
    """
    found = Counter[str]()
    for model, column in (
        (Job, "status"),
        (Job, "sweep"),
        (Row, "status"),
        (Run, "end_reason"),
        (Label, "void_requested"),
        (Event, "kind"),
        (Upload, "status"),
        (Comparison, "status"),
        (Orphan, "outcome"),
    ):
        found += _by(model, column)
    found += _sum("epochs", Job.objects.all(), "epoch")
    found += _sum("attempts", Row.objects.all(), "attempt")
    found += _sum("revisions", Upload.objects.all(), "revision")
    found["jobs halted"] = Job.objects.exclude(error_code="").count()
    found["runs waiting"] = Run.objects.issued().count()
    found["jobs imported"] = Job.objects.filter(import_complete=True).count()
    found["orders in Boulder"] = Row.objects.filter(order__to_city="Boulder").count()
    found["rows to be asked about"] = Row.objects.owed().filter(ask_after__gt=0, ask_after__lt=NEVER).count()
    found["labels printed"] = Label.objects.exclude(printed_at=None).count()
    found["labels with a file"] = Label.objects.exclude(file="").count()
    found["uploads with prices"] = Upload.objects.exclude(estimate={}).count()
    found["uploads corrected"] = Upload.objects.exclude(corrections={}).count()
    found["uploads confirmed"] = Upload.objects.exclude(confirmed_at=None).count()
    found["uploads with a job"] = Upload.objects.exclude(job=None).count()
    found["mappings"] = RememberedMapping.objects.count()
    found["senders"] = Sender.objects.count()
    found["charges that no row owns"] = Orphan.objects.open().count()
    found["users"] = User.objects.count()
    found["preferences"] = Preference.objects.count()
    found["preferences to ship at once"] = Preference.objects.filter(ships_at_once=True).count()
    return +found


def moved(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """By how much each number differs, where it does."""
    return {name: after[name] - before[name] for name in sorted({*before, *after}) if after[name] != before[name]}


def let_a_lease_pass() -> None:
    """As if everything had been put in the queue, and every dead owner of an upload or of a comparison
    heard of, a lease ago.
    """
    Run.objects.issued().update(queued=F("queued") - 3600)
    Upload.objects.working().update(queued=F("queued") - 3600)
    Upload.objects.filter(beat__isnull=False).update(beat=F("beat") - 3600)
    Comparison.objects.working().update(queued=F("queued") - 3600)
    Comparison.objects.working().filter(beat__isnull=False).update(beat=F("beat") - 3600)


def let_back_offs_pass() -> None:
    """As if all the time had passed for which a carrier that did not answer is left alone. What was never sent stays
    so: a void is marked as sent by the time when it may be sent again.
    """
    Row.objects.owed().update(ask_after=0.0)
    Label.objects.void_owed().filter(void_after__gt=0).update(void_after=1.0)
    Label.objects.file_missing().update(fetch_after=0.0)


def is_settled(job: Job) -> bool:
    """Whether nothing moves any more by itself: the job is over, no answer is owed and no void is out."""
    job.refresh_from_db()
    if job.is_open or job.sweep:
        return False
    owed = Row.objects.filter(job=job).owed()
    voids = Label.objects.void_may_have_begun().filter(job=job)
    return not owed.exists() and not voids.exists()


def uploads_are_settled() -> bool:
    """Whether every upload waits for a person, or for nobody."""
    return not Upload.objects.working().exists()


def charges_beside_orphans(charges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The carrier's ledger without the charges that people are shown as owned by no row: these are nobody's until they
    are adopted or voided.
    """
    listed = set(Orphan.objects.open().values_list("purchase_id", flat=True))
    return [charge for charge in charges if charge["shipment_id"] not in listed]


def breaches_when_over(job: Job, charges: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What `compare_when_over` finds, except what a person did on purpose: to correct an order gives the row a new
    attempt, and so may the void of a charge that no row owned, whose label is its row's no more once it is taken back.
    """
    found = compare_when_over(job, charges).breaches
    restarts = job.events.filter(kind=EventKind.restarted).count()
    voids = job.events.filter(kind=EventKind.resolved, details__decision=f"{OrphanDecision.void}_orphan")
    begun = Counter(job.events.filter(kind=EventKind.corrected).values_list("row", flat=True))
    begun.update(voids.values_list("row", flat=True))
    meant = {
        f"{job.reference(row.number, row.attempt)} has more attempts than there were restarts"
        for row in Row.objects.filter(job=job)
        if row.attempt <= 1 + restarts + begun[row.pk]
    }
    taken_back = {charge["tracking_code"] for charge in charges if charge["refund_status"] in TAKEN_BACK}
    for label in Label.objects.filter(job=job, row__in=voids.values("row"), tracking_number__in=taken_back):
        name = job.reference(label.row.number, label.row.attempt)
        meant.add(f"{name}: no restart named {label.tracking_number}")
    left = {kind: [each for each in breaches if each not in meant] for kind, breaches in found.items()}
    return {kind: breaches for kind, breaches in left.items() if breaches}


def _by(model: type[Model], column: str) -> Counter[str]:
    values: QuerySet[Model, str] = model._default_manager.order_by().values_list(column, flat=True)
    return Counter(f"{model._meta.verbose_name_plural} {value}" for value in values if value)


def _sum(name: str, objects: QuerySet[Model], column: str) -> Counter[str]:
    return Counter({name: objects.aggregate(sum=Sum(column))["sum"] or 0})
