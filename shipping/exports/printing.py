"""Marking labels as printed, and taking the mark off: a part at a time, under the job's lock."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from shipping.exports.label_pdf import can_be_put_in
from shipping.exports.label_sheets import SHEET_LABELS, Choice, labelled, sheet_rows
from shipping.labels import note_missing_file, open_label
from shipping.models import Job, Label
from shipping.runs import record
from shipping.states import EventKind


@dataclass(frozen=True, slots=True)
class Marked:
    """How many labels were marked, and how many were left as they were because their file can't be printed."""

    labels: int
    left_out: int


def mark_printed(job: Job, choice: Choice, *, first: int, last: int, actor: User | None = None) -> Marked:
    """Mark the labels of one part as printed: those that were shown (`choice.up_to`) and that the part's PDF holds.
    One row alone may have been printed from its own file, whatever kind that is. Files that the storage has lost are
    noted, to be fetched again.
    """
    rows = sheet_rows(job, choice, first=first, last=last)[:SHEET_LABELS]
    labels = [row.label for row in rows if row.label is not None and row.label.printed_at is None]
    was_there = _is_there if first == last else _was_put_in
    printed = [label.pk for label in labels if was_there(label)]
    for label in labels:
        if label.file and label.pk not in printed:
            note_missing_file(label, actor=actor)
    with transaction.atomic():
        locked = Job.objects.lock(job.pk)
        current = Label.objects.current().not_printed().filter(job=locked, pk__in=printed)
        keys = list(current.values_list("pk", flat=True))
        marked = _mark(locked, keys, EventKind.printed, rows=_range(first, last), actor=actor)
    return Marked(labels=marked, left_out=len(labels) - len(printed))


def _was_put_in(label: Label) -> bool:
    return can_be_put_in(str(label.file))


def _is_there(label: Label) -> bool:
    file = open_label(label)
    if file is None:
        return False
    file.close()
    return True


def mark_unprinted(job: Job, choice: Choice, *, first: int, last: int, actor: User | None = None) -> int:
    """Take the mark off the labels of one part; returns how many had it."""
    with transaction.atomic():
        locked = Job.objects.lock(job.pk)
        printed = labelled(locked, choice, first=first, last=last).filter(label__printed_at__isnull=False)
        keys = list(printed.values_list("label", flat=True)[:SHEET_LABELS])
        return _mark(locked, [key for key in keys if key], EventKind.unprinted, rows=_range(first, last), actor=actor)


def _mark(job: Job, labels: list[int], kind: EventKind, *, rows: str, actor: User | None) -> int:
    printed_at = timezone.now() if kind == EventKind.printed else None
    marked = Label.objects.filter(pk__in=labels).update(printed_at=printed_at)
    if marked:
        named = f"{marked} label" if marked == 1 else f"{marked} labels"
        record(job, kind, actor=actor, labels=marked, rows=rows, message=f"{named}, rows {rows}")
    return marked


def _range(first: int, last: int) -> str:
    return f"{first}-{last}" if last > first else f"{first}"
