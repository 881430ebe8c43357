"""The banner of interrupted jobs, on every page."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from django.contrib.auth.models import AnonymousUser, User
from django.contrib.humanize.templatetags.humanize import intcomma

from shipping.services import JobService
from shipping.views.access import VIEW
from shipping.views.live import version_of

# The banner is on every page and asked for every few seconds: beyond so many interrupted jobs it counts no further, and
# looks at the newest ones alone.
MOST_COUNTED = 100


class Interrupted(NamedTuple):
    """What is read of an interrupted job to name it."""

    pk: int
    name: str
    last_sign_at: datetime


@dataclass(frozen=True, slots=True)
class Banner:
    """How many jobs are interrupted (`uncounted`: and more), and the one that was interrupted last."""

    count: int = 0
    uncounted: bool = False
    newest: Interrupted | None = None

    @classmethod
    def of(cls, jobs: Iterable[Interrupted]) -> Self:
        """The banner of these interrupted jobs."""
        found = sorted(jobs, reverse=True)[: MOST_COUNTED + 1]
        newest = max(found, key=lambda job: (job.last_sign_at, job.pk), default=None)
        return cls(count=min(len(found), MOST_COUNTED), uncounted=len(found) > MOST_COUNTED, newest=newest)

    @property
    def number(self) -> str:
        """How many there are, for a place that has room for a number only; empty when there are none."""
        return f"{intcomma(self.count)}{'+' if self.uncounted else ''}" if self.count else ""

    @property
    def more(self) -> int:
        """Interrupted jobs beside the one that is named, as far as they were counted."""
        return max(0, self.count - 1)

    @property
    def version(self) -> str:
        """Changes when the banner says something else."""
        return version_of(self.number, self.newest and (self.newest.pk, self.newest.name))


def may_see_banner(user: User | AnonymousUser | None) -> bool:
    """Only people who may view jobs are told of them."""
    return user is not None and user.is_authenticated and user.has_perm(VIEW)


def read_banner() -> Banner:
    """The interrupted jobs at this moment, in a fixed number of queries that look at no more jobs than are counted."""
    newest_first = JobService().interrupted_jobs().order_by("-pk").values_list(*Interrupted._fields)
    return Banner.of(Interrupted(*values) for values in newest_first[: MOST_COUNTED + 1])
