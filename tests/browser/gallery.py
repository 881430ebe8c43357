"""The addresses of all pages worth looking at, in every state."""

from collections.abc import Iterator

from shipping.models import Job
from shipping.views.help_pages import TOPICS


def addresses(jobs: dict[str, Job]) -> Iterator[str]:
    """Every page, with the jobs of `tests.support.states`."""
    yield from ("/", "/?status=running", "/?status=pending&page=9", "/recovery/", "/nowhere/")
    for job in jobs.values():
        yield f"/jobs/{job.pk}/"
    for state in ("interrupted", "halted"):
        yield f"/recovery/{jobs[state].pk}/"
        yield f"/recovery/{jobs[state].pk}/restart/"
    yield f"/recovery/{jobs['interrupted'].pk}/review/"
    yield f"/recovery/{jobs['halted'].pk}/review/?status=failed"
    yield f"/recovery/{jobs['completed'].pk}/review/"
    yield f"/jobs/{jobs['working'].pk}/cancel/"
    yield f"/jobs/{jobs['completed'].pk}/void/"
    yield f"/jobs/{jobs['interrupted'].pk}/?status=needs_review"
    yield from ("/sender/", "/preferences/", "/help/", *(f"/help/{slug}/" for slug in TOPICS))
