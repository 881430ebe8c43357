"""The work of a comparison: read the carrier's list, and write down the charges that no row owns.

Done by one owner at a time, killed at any moment and begun again. Who takes the work raises the comparison's turn;
every write asks under the job's lock whether that turn still holds. What is found is written as it is found, a chunk
at a time, and each purchase once, however often it is found.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from shipping.audit.carrier_list import CouldNotCheck
from shipping.audit.compare import Audit, Name
from shipping.audit.findings import DIFFERENCES, Finding, Kind
from shipping.carriers.registry import UnknownCarrier
from shipping.comparing.ordering import move, queue_after_commit
from shipping.models import Comparison, Job, Label, Orphan, Row
from shipping.models.clock import book_now, local_seconds
from shipping.runs import record
from shipping.states import ComparisonStatus, EventKind, OrphanOutcome

BEAT_SECONDS = 1.0
FINDINGS_A_CHUNK = 100
OTHERS_KEPT = 20
# Work that was cut off so often may be what ends the workers; it is given up.
MOST_TAKES = 10
# What a person can adopt or void. A row in review owns its purchase, but nobody has said so yet.
ORPHANS = frozenset({Kind.orphan, Kind.in_review})
# What says nothing against an orphan that was found before: it is listed still.
STILL_LISTED = frozenset({Kind.awaited, Kind.unreadable})


class TakenOver(Exception):
    """Somebody else does the work now."""


class Stopped(Exception):
    """This process is told to end; the work is handed back."""


def compare(comparison_id: int, stopping: Callable[[], bool] = lambda: False) -> str:
    """Do a comparison that is ordered; returns the status it is left in. Does nothing while another process does it."""
    turn = Turn.take(comparison_id, stopping)
    if turn is None:
        return "not taken"
    try:
        return turn.work().value
    except TakenOver:
        return "taken over"
    except Stopped:
        turn.hand_back()
        return "handed back"


@dataclass(slots=True)
class _Found:
    """What one turn has found so far, beside the orphans that it has written down."""

    others: list[dict[str, str]] = field(default_factory=list)
    problem: str = ""


class Turn:
    """One owner's work on one comparison."""

    def __init__(self, comparison: Comparison, job: Job, stopping: Callable[[], bool]) -> None:
        self._id = comparison.pk
        self._turn = comparison.turn
        self._job = job
        self._stopping = stopping
        self._beat_at = 0.0
        # One question, asked as long as patience lasts, stays shorter than the lease: see the system check of it.
        self._audit = Audit.of(job.carrier, job=job, patience=float(settings.REQUEST_TIMEOUT_SECONDS))
        self._audit.before_asking = self._progress

    @classmethod
    @transaction.atomic
    def take(cls, comparison_id: int, stopping: Callable[[], bool]) -> "Turn | None":
        """The work of a comparison, if there is any and nobody is at it."""
        found = Comparison.objects.filter(pk=comparison_id).first()
        if found is None:
            return None
        job = Job.objects.lock(found.job_id)
        comparison = Comparison.objects.get(pk=comparison_id)
        if not comparison.waits_for_worker:
            return None
        if comparison.takes >= MOST_TAKES:
            problem = _("The comparison was cut off %(times)s times.") % {"times": MOST_TAKES}
            _end(job, comparison, ComparisonStatus.failed, problem)
            return None
        comparison.turn += 1
        comparison.takes += 1
        comparison.beat = book_now()
        comparison.started_at = timezone.now()
        comparison.listed = 0
        comparison.save()
        return cls(comparison, job, stopping)

    def work(self) -> ComparisonStatus:
        """Compare to the end, or until the carrier can't be asked any more."""
        found = _Found()
        findings = self._findings(found)
        while chunk := list(islice(findings, FINDINGS_A_CHUNK)):
            self._write_down(chunk)
        status = ComparisonStatus.failed if found.problem else ComparisonStatus.done
        if status == ComparisonStatus.done:
            while self._settle_unseen():
                pass
        with self._mine() as comparison:
            comparison.listed = self._audit.listed
            comparison.counts = {kind.value: count for kind, count in self._audit.counts.items()}
            comparison.others = found.others
            _end(self._job, comparison, status, found.problem)
        return status

    @transaction.atomic
    def hand_back(self) -> None:
        """Let another process go on at once."""
        Job.objects.lock(self._job.pk)
        comparison = Comparison.objects.get(pk=self._id)
        if comparison.turn == self._turn and comparison.is_ordered:
            comparison.beat = None
            comparison.takes = 0
            comparison.save(update_fields=["beat", "takes"])
            queue_after_commit(comparison)

    # --- Parts -------------------------------------------------------------------------------------------

    def _findings(self, found: _Found) -> Iterator[Finding]:
        """The findings that are to be written down as they are found; other differences are noted."""
        try:
            for finding in self._audit.findings():
                if finding.kind in STILL_LISTED or (finding.kind in ORPHANS and finding.cost_cents is not None):
                    yield finding
                elif finding.kind in DIFFERENCES and len(found.others) < OTHERS_KEPT:
                    found.others.append({"fact": finding.fact, "advice": finding.advice})
        except (CouldNotCheck, UnknownCarrier) as error:
            found.problem = str(error)

    def _progress(self) -> None:
        """Say that the work goes on, about once a second. Raises TakenOver, Stopped."""
        if self._stopping():
            raise Stopped
        if local_seconds() < self._beat_at:
            return
        self._beat_at = local_seconds() + min(BEAT_SECONDS, settings.HEARTBEAT_SECONDS)
        mine = Comparison.objects.working().filter(pk=self._id, turn=self._turn)
        if mine.update(beat=book_now(), listed=self._audit.listed) != 1:
            raise TakenOver

    @contextmanager
    def _mine(self) -> Iterator[Comparison]:
        """The comparison, to be changed and saved under the job's lock. Raises TakenOver."""
        with transaction.atomic():
            self._job = Job.objects.lock(self._job.pk)
            comparison = Comparison.objects.get(pk=self._id)
            if comparison.turn != self._turn or not comparison.is_ordered:
                raise TakenOver
            comparison.beat = book_now()
            yield comparison
            comparison.save()

    def _write_down(self, findings: Sequence[Finding]) -> None:
        """Record orphans, or what the carrier says of them now. One whose label was recorded meanwhile is none."""
        with self._mine():
            account, ids = self._job.carrier, [finding.purchase_id for finding in findings]
            Orphan.objects.filter(account=account, purchase_id__in=ids).update(found_in=self._turn)
            recorded = set(
                Label.objects.filter(account=account, purchase_id__in=ids).values_list("purchase_id", flat=True)
            )
            numbers = [finding.row_number for finding in findings if finding.row_number is not None]
            rows = dict(Row.objects.filter(job=self._job, number__in=numbers).values_list("number", "pk"))
            orphans = {
                finding.purchase_id: self._orphan(finding, rows.get(finding.row_number or 0))
                for finding in findings
                if finding.kind in ORPHANS and finding.purchase_id not in recorded
            }
            Orphan.objects.bulk_create(
                orphans.values(),
                update_conflicts=True,
                unique_fields=["account", "purchase_id"],
                update_fields=_TOLD,
            )

    def _orphan(self, finding: Finding, row_id: int | None) -> Orphan:
        name = Name.of(finding.reference)
        return Orphan(
            job=self._job,
            row_id=row_id,
            attempt=name.attempt if name is not None else 1,
            account=self._job.carrier,
            purchase_id=finding.purchase_id,
            reference=finding.reference,
            tracking_number=finding.tracking_number,
            carrier=finding.sold_by,
            service=finding.service,
            cost_cents=finding.cost_cents or 0,
            currency=finding.currency,
            bought_at=finding.bought_at,
            found_in=self._turn,
        )

    def _settle_unseen(self) -> bool:
        """Settle orphans that this comparison, to its end, has not seen: recorded meanwhile, or taken back. A chunk
        at a time; false when there were none.
        """
        with self._mine():
            unsettled = Orphan.objects.filter(job=self._job, settled_at__isnull=True)
            unseen = list(unsettled.exclude(found_in=self._turn).values_list("pk", flat=True)[:FINDINGS_A_CHUNK])
            still_open = set(Orphan.objects.open().filter(pk__in=unseen).values_list("pk", flat=True))
            now = timezone.now()
            for outcome, keys in (
                (OrphanOutcome.gone, still_open),
                (OrphanOutcome.recorded, set(unseen) - still_open),
            ):
                Orphan.objects.filter(pk__in=keys).update(outcome=outcome, settled_at=now)
        return bool(unseen)


_TOLD = [
    *("row", "attempt", "reference", "tracking_number", "carrier", "service", "cost_cents", "currency", "bought_at"),
    *("found_in", "outcome", "settled_at"),
]


def _end(job: Job, comparison: Comparison, status: ComparisonStatus, problem: str) -> None:
    """Write down how a comparison ended. Under the job's lock."""
    move(comparison, status)
    comparison.problem = problem
    comparison.ended_at = timezone.now()
    comparison.takes = 0
    comparison.save()
    told = {"status": status.value, "listed": comparison.listed, "counts": comparison.counts}
    record(job, EventKind.compared, **told, message=problem or _summary(comparison))


def _summary(comparison: Comparison) -> str:
    differences = sum(comparison.counts.get(kind.value, 0) for kind in DIFFERENCES)
    return _("Purchases listed: %(listed)s. Differences: %(differences)s.") % {
        "listed": comparison.listed,
        "differences": differences,
    }
