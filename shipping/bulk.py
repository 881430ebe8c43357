"""Commands on many jobs at once: what was selected, whether it still is as it was shown, and what became of each job.

Each job is commanded in a transaction of its own, so that no lock is held for long and a kill loses nothing; the
selection is read in chunks, and one request works on it for a few seconds only: the next goes on after it.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

from django.contrib.auth.models import User
from django.core import signing
from django.db.models import BigIntegerField, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.functions import NullIf
from django.utils.translation import gettext as _

from shipping import liveness
from shipping.conditions import CONDITION_NAMES
from shipping.models import Job
from shipping.reads import Facts
from shipping.services import JobService, Refused

# Jobs read from the database at a time.
CHUNK_JOBS = 100
# So many of the skipped jobs are named for each reason.
NAMED_JOBS = 3
# After so many seconds a request stops at the end of a chunk, well before any proxy gives it up.
SECONDS_A_REQUEST = 10.0

SALT = "shipping.bulk"

# What a selected job looked like: status, epoch and the row of its error.
Shown = tuple[str, int, int | None]

# (job, actor, reason, expected facts) -> None; raises Refused.
Command = Callable[[Job, User, str, Facts], None]


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected jobs by id, as they were at one moment."""

    jobs: dict[int, Shown]

    @property
    def fingerprint(self) -> str:
        """A hash that differs once a job joined or left the selection, or one of them moved."""
        digest = hashlib.sha256()
        for pk, shown in sorted(self.jobs.items()):
            digest.update(repr((pk, *shown)).encode())
        return digest.hexdigest()

    def after(self, pk: int) -> "Selection":
        """What is left of it after the job `pk`."""
        return Selection({key: shown for key, shown in self.jobs.items() if key > pk})


def select(jobs: QuerySet[Job]) -> Selection:
    """Note what is selected, and how it stands."""
    values = jobs.order_by("pk").values_list("pk", "status", "epoch", "error_row_number")
    return Selection({pk: (status, epoch, row) for pk, status, epoch, row in values.iterator(chunk_size=1_000)})


@dataclass(frozen=True, slots=True)
class Line:
    """A selected job as a confirmation names it; amounts are in hundredths of the job's currency.

    `estimated_cents` is for the remaining rows at the average price so far, None before the first label.
    """

    job: Job
    condition: str
    suits: bool

    @property
    def estimated_cents(self) -> int | None:
        if not self.job.successful_rows:
            return None
        return round(self.job.cost_cents / self.job.successful_rows * self.job.remaining_rows)


def lines(jobs: Sequence[Job], fitting: QuerySet[Job]) -> list[Line]:
    """Lines for jobs, in a fixed number of queries; `fitting` are those that the command suits."""
    standing = liveness.conditions(jobs)
    suited = set(fitting.filter(pk__in=[job.pk for job in jobs]).values_list("pk", flat=True))
    return [Line(job=job, condition=str(CONDITION_NAMES[standing[job.pk]]), suits=job.pk in suited) for job in jobs]


@dataclass(frozen=True, slots=True)
class Amounts:
    """What jobs of one currency have spent and what their remaining rows may cost, in hundredths of it.

    The estimate leaves out the `unpriced_rows`: those of jobs without a label yet.
    """

    currency: str
    remaining_rows: int
    spent_cents: int
    estimated_cents: int
    unpriced_rows: int


def sums(jobs: QuerySet[Job]) -> list[Amounts]:
    """The sums over jobs for each currency, in one query."""
    remaining = F("total_rows") - F("processed_rows")
    estimate = F("cost_cents") * remaining / NullIf(F("successful_rows"), 0)
    found = (
        jobs.order_by("currency")
        .values("currency")
        .annotate(
            remaining=Sum(remaining),
            spent=Sum(F("cost_cents") + F("replaced_cents"), output_field=BigIntegerField()),
            estimated=Sum(ExpressionWrapper(estimate, output_field=BigIntegerField())),
            unpriced=Sum(remaining, filter=Q(successful_rows=0)),
        )
    )
    return [
        Amounts(
            currency=each["currency"],
            remaining_rows=each["remaining"],
            spent_cents=each["spent"],
            estimated_cents=each["estimated"] or 0,
            unpriced_rows=each["unpriced"] or 0,
        )
        for each in found
    ]


@dataclass(slots=True)
class Result:
    """How many jobs were commanded, and how many skipped by the reason, the first of them by name.

    `after` is the last job that was looked at, `left` how many are still to be.
    """

    done: int = 0
    after: int = 0
    left: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)

    @property
    def skipped_count(self) -> int:
        return sum(self.skipped.values())

    def skip(self, reason: str, job: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
        names = self.named.setdefault(reason, [])
        if len(names) < NAMED_JOBS:
            names.append(job)

    def reasons(self) -> Iterator[str]:
        """A sentence for each reason, with the first jobs by name."""
        for reason, count in self.skipped.items():
            names = ", ".join(f"“{name}”" for name in self.named[reason])
            yield f"{count} × {reason} ({names}{', …' if count > len(self.named[reason]) else ''})"

    def signed(self) -> str:
        """A note for the form that goes on."""
        return signing.dumps(asdict(self), salt=SALT, compress=True)

    @classmethod
    def read(cls, note: str) -> "Result":
        """What a form that goes on brought along; a fresh start for anything else."""
        try:
            return cls(**signing.loads(note, salt=SALT))
        except (signing.BadSignature, TypeError):
            return cls()


def apply(selection: Selection, command: Command, result: Result, *, actor: User, reason: str) -> None:
    """Command the selected jobs by rising id and note in `result` what became of each, for SECONDS_A_REQUEST.

    A job that moved since it was shown, or refuses, is skipped with the reason.
    """
    ends_at = time.monotonic() + SECONDS_A_REQUEST
    keys = sorted(selection.jobs)
    result.left = len(keys)
    for start in range(0, len(keys), CHUNK_JOBS):
        chunk = keys[start : start + CHUNK_JOBS]
        found = Job.objects.in_bulk(chunk)
        for pk in chunk:
            _command(found.get(pk), selection.jobs[pk], command, result, actor=actor, reason=reason)
        result.after, result.left = chunk[-1], result.left - len(chunk)
        if time.monotonic() > ends_at:
            return


def _command(job: Job | None, shown: Shown, command: Command, result: Result, *, actor: User, reason: str) -> None:
    if job is None or (job.status, job.epoch, job.error_row_number) != shown:
        result.skip(_("has changed meanwhile"), job.name if job else "?")
        return
    try:
        command(job, actor, reason, JobService().facts(job))
    except Refused:
        result.skip(_stands(job.pk), job.name)
    else:
        result.done += 1


def _stands(job_id: int) -> str:
    """How a job that refused stands now: the reason, in a word that groups with others."""
    job = JobService().get_job(job_id)
    return str(CONDITION_NAMES[liveness.condition(job)]).lower() if job else _("has changed meanwhile")
