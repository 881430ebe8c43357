"""The pages with the big job in each state that matters: interrupted, and being worked on."""

from itertools import chain
from typing import Any

from django.utils import timezone

from benchmarks.million import pages
from benchmarks.million.build import Books
from shipping.liveness import this_process
from shipping.models import Job, Run
from shipping.models.clock import book_now
from shipping.states import RunEnd


def pages_in_all_states(books: Books) -> dict[str, Any]:
    """Every page: those of the site and the admin once, those of the job in each state. Leaves the big job as it was
    found, interrupted.
    """
    job = Job.objects.get(pk=books.big)
    found: dict[str, Any] = {
        "site": pages.measure(pages.pages_of_site()),
        "admin": pages.measure(pages.pages_of_admin(job)),
        "interrupted": pages.measure(pages.pages_of_job(job)),
        "small": pages.measure(pages.pages_of_job(Job.objects.get(pk=books.small["interrupted"])), requests=1),
    }
    run = _work_on(job)
    found["at_work"] = pages.measure(pages.pages_of_job(job))
    everything = chain(pages.pages_of_site(), pages.pages_of_admin(job), pages.pages_of_job(job))
    found["web_server"] = pages.memory_of_web_server(list(everything))
    Run.objects.filter(pk=run.pk).update(ended_at=timezone.now(), end_reason=RunEnd.died)
    return found


def _work_on(job: Job) -> Run:
    """A run of the job that lives in this very process."""
    here, now = this_process(), book_now()
    return Run.objects.create(
        job=job, epoch=job.epoch, turn=pages.AT_WORK_TURN, issued=now, queued=now, beat=now, started_at=timezone.now(),
        beat_at=timezone.now(), host=here.host, pid=here.pid, pid_start_ticks=here.start_ticks,
    )  # fmt: skip
