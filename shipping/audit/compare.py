"""The comparison: the carrier's list against the books, page by page, and then the labels that were not listed.

Both sides move while they are compared, so the order of reading matters. The carrier is always asked before the books
are read: a claim is committed before its purchase is sent, and a label by the one that clears the claim, so a purchase
that was listed is in flight or a label by the time the books are read, if rows are read before labels. And what seems
to differ is asked for once more, alone, and read once more, before it is told.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from shipping.audit import findings
from shipping.audit.carrier_list import CarrierList
from shipping.audit.findings import Finding, Kind
from shipping.carriers.port import Guarantee, ListedPurchase
from shipping.carriers.registry import get_carrier
from shipping.models import Job, Label, Row
from shipping.models.job import CODE_ALPHABET, CODE_LENGTH
from shipping.states import RowStatus

LABELS_A_PAGE = 200
# A job's first shipment can't be older than the job, by its own clock; the carrier's may be behind.
_BEHIND = timedelta(days=1)
_WITHOUT_JOBS = timedelta(days=30)
_REFERENCE = re.compile(rf"([{CODE_ALPHABET}]{{{CODE_LENGTH}}})-([0-9]{{6,9}})-([0-9]{{1,9}})")


@dataclass(frozen=True, slots=True)
class Name:
    """A reference of our form, taken apart."""

    code: str
    number: int
    attempt: int

    @classmethod
    def of(cls, reference: str) -> "Name | None":
        found = _REFERENCE.fullmatch(reference)
        return None if found is None else cls(found[1], int(found[2]), int(found[3]))


@dataclass(slots=True)
class Audit:
    """One comparison with one carrier account. `listed` and `labels` count what was compared, as far as it went.
    `before_asking` is called before each question to the carrier; what it raises ends the comparison.
    """

    account: str
    since: datetime
    job: Job | None = None
    patience: float = 60.0
    listed: int = 0
    labels: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)
    before_asking: Callable[[], None] = lambda: None

    @classmethod
    def of(cls, account: str, *, job: Job | None = None, since: datetime | None = None, patience: float) -> "Audit":
        """A comparison of one job or of all; where no `since` is given, from the first job's beginning on.

        With `since`, purchases prepared since then are compared, and labels bought since then.
        """
        if since is None and job is not None:
            since = job.created_at - _BEHIND
        elif since is None:
            first = Job.objects.filter(carrier=account).aggregate(first=Min("created_at"))["first"]
            since = first - _BEHIND if first is not None else timezone.now() - _WITHOUT_JOBS
        return cls(account, since, job, patience)

    def findings(self) -> Iterator[Finding]:
        """All that is found, as it is found. Raises CouldNotCheck when the carrier could not be asked to the end, and
        UnknownCarrier for an account that is not configured.
        """
        carrier = get_carrier(self.account)
        # A file of its own that goes with its connection: memory does not grow with the list.
        asking = CarrierList(self.account, patience=self.patience, before_asking=self.before_asking)
        with asking as theirs, closing(sqlite3.connect("")) as seen:
            seen.execute("CREATE TABLE labels (id INTEGER PRIMARY KEY)")
            for page in theirs.pages(self.since):
                for finding in self._page(page, theirs, carrier.guarantee, seen):
                    self.counts[finding.kind] += 1
                    yield finding
            for finding in self._labels_not_listed(theirs, seen):
                self.counts[finding.kind] += 1
                yield finding

    def _page(
        self,
        page: Sequence[ListedPurchase],
        theirs: CarrierList,
        guarantee: Guarantee,
        seen: sqlite3.Connection,
    ) -> Iterator[Finding]:
        """Compare one page of the list: three queries, and a fourth when something differs."""
        names = {purchase.purchase_id: Name.of(purchase.reference) for purchase in page}
        jobs = self._jobs({name.code for name in names.values() if name is not None})
        rows = _rows(jobs, [name for name in names.values() if name is not None and name.code in jobs])
        labels = {label.purchase_id: label for label in self._labels().filter(purchase_id__in=names)}
        seen.executemany("INSERT OR IGNORE INTO labels VALUES (?)", [(label.pk,) for label in labels.values()])
        differing: list[tuple[Label, ListedPurchase]] = []
        for purchase in page:
            label, name = labels.get(purchase.purchase_id), names[purchase.purchase_id]
            job = jobs.get(name.code) if name is not None else None
            if self.job is not None and job is None and (label is None or label.job_id != self.job.pk):
                continue
            self.listed += 1
            if label is not None:
                if not purchase.readable or findings.differences(label, purchase):
                    differing.append((label, purchase))
            elif job is None or name is None:
                yield findings.foreign(self.account, purchase)
            else:
                yield self._without_label(purchase, name, job, rows.get((job.pk, name.number)), guarantee)
        yield from self._confirmed(differing, theirs)

    def _without_label(
        self, purchase: ListedPurchase, name: Name, job: Job, row: Row | None, guarantee: Guarantee
    ) -> Finding:
        """What a purchase under a reference of ours is that no label stands for."""
        if row is not None and _is_awaited(row, name, purchase):
            if row.status == RowStatus.needs_review:
                return findings.in_review(self.account, purchase, job, row)
            return findings.awaited(self.account, purchase, row)
        if not purchase.readable:
            return findings.unreadable(self.account, purchase, row)
        if purchase.is_taken_back:
            return findings.taken_back(self.account, purchase, row)
        return findings.orphan(self.account, purchase, job, row, guarantee)

    def _labels_not_listed(self, theirs: CarrierList, seen: sqlite3.Connection) -> Iterator[Finding]:
        """Ask for each label that was not listed: the list may have begun too late, or been read too early."""
        wanted = self._labels().filter(bought_at__gte=self.since).order_by("pk")
        if self.job is not None:
            wanted = wanted.filter(job=self.job)
        last = 0
        while labels := list(wanted.filter(pk__gt=last)[:LABELS_A_PAGE]):
            first, last = labels[0].pk, labels[-1].pk
            self.labels += len(labels)
            listed = {each[0] for each in seen.execute("SELECT id FROM labels WHERE id BETWEEN ? AND ?", (first, last))}
            differing: list[tuple[Label, ListedPurchase]] = []
            for label in labels:
                if label.pk in listed:
                    continue
                purchase = theirs.purchase(label.purchase_id)
                if purchase is None:
                    yield findings.unknown_label(label)
                elif not purchase.readable or findings.differences(label, purchase):
                    differing.append((label, purchase))
            yield from self._confirmed(differing, theirs)

    def _confirmed(self, differing: Sequence[tuple[Label, ListedPurchase]], theirs: CarrierList) -> Iterator[Finding]:
        """What still differs when the carrier is asked for these purchases alone, and our labels are read again."""
        if not differing:
            return
        purchases = {label.pk: theirs.purchase(label.purchase_id) for label, _purchase in differing}
        for label in self._labels().filter(pk__in=purchases).order_by("pk"):
            purchase = purchases[label.pk]
            if purchase is None:
                yield findings.unknown_label(label)
            elif not purchase.readable:
                yield findings.unreadable(self.account, purchase, label.row)
            else:
                yield from findings.differences(label, purchase)

    def _labels(self) -> QuerySet[Label]:
        return Label.objects.filter(account=self.account).select_related("job", "row").defer(*_NOT_COMPARED)

    def _jobs(self, codes: set[str]) -> dict[str, Job]:
        jobs = Job.objects.filter(carrier=self.account, code__in=codes)
        if self.job is not None:
            jobs = jobs.filter(pk=self.job.pk)
        return {job.code: job for job in jobs.only("code", "name", "status", "carrier")}


def _is_awaited(row: Row, name: Name, purchase: ListedPurchase) -> bool:
    """Whether the row owes the answer to this very purchase. Its handle is the purchase's id, or our reference where
    the carrier has no handles of its own.
    """
    own = row.handle in (purchase.purchase_id, purchase.reference)
    return own and row.due is not None and row.attempt == name.attempt


_NOT_COMPARED = ("row__order", "row__extra", "job__file_columns", "job__file_mapping", "label_url")


def _rows(jobs: dict[str, Job], names: Sequence[Name]) -> dict[tuple[int, int], Row]:
    """The rows that the references of one page name, by job and number."""
    numbers: dict[int, set[int]] = {}
    for name in names:
        numbers.setdefault(jobs[name.code].pk, set()).add(name.number)
    if not numbers:
        return {}
    wanted = reduce(or_, (Q(job=job_id, number__in=some) for job_id, some in numbers.items()))
    rows = Row.objects.filter(wanted).only("job_id", "number", "status", "attempt", "handle", "due")
    return {(row.job_id, row.number): row for row in rows}
