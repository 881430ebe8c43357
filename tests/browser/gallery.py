"""The addresses of all pages worth looking at, in every state."""

from collections.abc import Iterator

from shipping.models import Job, Label, Orphan, Upload
from shipping.views.help_pages import TOPICS


def addresses(jobs: dict[str, Job], uploads: dict[str, Upload]) -> Iterator[str]:
    """Every page, with the jobs and uploads of `tests.support.states`."""
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
    yield from ("/search/", "/search/?q=Recipient", "/search/?q=nobody", "/recovery/review/", "/uploads/new/")
    yield from (f"/uploads/{upload.pk}/" for upload in uploads.values())
    yield f"/uploads/{uploads['ready'].pk}/columns/"
    interrupted, completed = jobs["interrupted"], jobs["completed"]
    yield from (f"/jobs/{interrupted.pk}/rows/{number}/" for number in (1, 5, 7, 9, 12))
    yield from (f"/recovery/{interrupted.pk}/review/?status={status}" for status in ("failed", "doubt"))
    yield f"/recovery/{interrupted.pk}/rows/5/order/"
    yield from (f"/jobs/{completed.pk}/{page}" for page in ("labels/", "voids/", "voids/new/?rows=1-2"))
    yield f"/jobs/{jobs['not started'].pk}/labels/"
    charge = Orphan.objects.get(job=interrupted, row__number=12)
    yield from (f"/recovery/{interrupted.pk}/charges/{charge.pk}/{decision}/" for decision in ("adopt", "void"))
    yield f"/labels/{Label.objects.filter(job=completed)[0].pk}/void/"
