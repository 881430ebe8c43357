"""The banner of interrupted jobs, on every page."""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, Window

from shipping.models import Job
from shipping.services import JobService
from shipping.views.access import VIEW
from shipping.views.live import version_of


@dataclass(frozen=True, slots=True)
class Banner:
    """How many jobs are interrupted, and the one that was interrupted last."""

    count: int = 0
    newest: Job | None = None

    @property
    def more(self) -> int:
        """Interrupted jobs beside the one that is named."""
        return max(0, self.count - 1)

    @property
    def version(self) -> str:
        """Changes when the banner says something else."""
        return version_of(self.count, self.newest and (self.newest.pk, self.newest.name))


def may_see_banner(user: User | AnonymousUser | None) -> bool:
    """Only people who may view jobs are told of them."""
    return user is not None and user.is_authenticated and user.has_perm(VIEW)


def read_banner() -> Banner:
    """The interrupted jobs at this moment, in a fixed number of queries; all of them are found in one."""
    jobs = JobService().interrupted_jobs()
    # Which jobs are interrupted is what takes long, so it is asked once: with the first comes how many there are.
    newest = jobs.annotate(interrupted=Window(Count("pk"))).first()
    return Banner(count=getattr(newest, "interrupted", 0), newest=newest)
