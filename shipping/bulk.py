"""Commands on many jobs at once: what was selected, whether it still is as it was shown, and what became of each job.

Each job is commanded in a transaction of its own, so that no lock is held for long and a kill loses nothing; the
selection is read in chunks.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db.models import QuerySet
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


def select(jobs: QuerySet[Job]) -> Selection:
    """Note what is selected, and how it stands."""
    values = jobs.order_by("pk").values_list("pk", "status", "epoch", "error_row_number")
    return Selection({pk: (status, epoch, row) for pk, status, epoch, row in values.iterator(chunk_size=1_000)})


@dataclass(slots=True)
class Result:
    """How many jobs were commanded, and which were skipped, by the reason."""

    done: int = 0
    skipped: dict[str, list[str]] = field(default_factory=dict)

    @property
    def skipped_count(self) -> int:
        return sum(len(names) for names in self.skipped.values())

    def skip(self, reason: str, job: str) -> None:
        self.skipped.setdefault(reason, []).append(job)

    def reasons(self) -> Iterator[str]:
        """A sentence for each reason, with the first jobs by name."""
        for reason, names in self.skipped.items():
            named = ", ".join(f"“{name}”" for name in names[:NAMED_JOBS])
            more = ", …" if len(names) > NAMED_JOBS else ""
            yield f"{len(names)} × {reason} ({named}{more})"


def apply(selection: Selection, command: Command, *, actor: User, reason: str) -> Result:
    """Command each selected job; one that moved since it was shown, or refuses, is skipped with the reason."""
    result = Result()
    keys = list(selection.jobs)
    for start in range(0, len(keys), CHUNK_JOBS):
        found = Job.objects.in_bulk(keys[start : start + CHUNK_JOBS])
        for pk in keys[start : start + CHUNK_JOBS]:
            job = found.get(pk)
            if job is None or (job.status, job.epoch, job.error_row_number) != selection.jobs[pk]:
                result.skip(_("has changed meanwhile"), job.name if job else str(pk))
                continue
            try:
                command(job, actor, reason, JobService().facts(job))
            except Refused:
                result.skip(_stands(pk), job.name)
            else:
                result.done += 1
    return result


def _stands(job_id: int) -> str:
    """How a job that refused stands now: the reason, in a word that groups with others."""
    job = JobService().get_job(job_id)
    return str(CONDITION_NAMES[liveness.condition(job)]).lower() if job else _("has changed meanwhile")
