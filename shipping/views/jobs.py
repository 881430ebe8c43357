"""The list of jobs and the page of one job."""

from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from shipping import liveness
from shipping.models import Job, Row
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus
from shipping.views.access import PageRequest, job_or_404, page, wants_fragment, whole_number
from shipping.views.paging import key_page, newest_first
from shipping.views.presenters import JobCard, event_lines, job_cards, run_lines

JOBS_ON_A_PAGE = 25
ROWS_ON_A_PAGE = 50
EVENTS_ON_A_PAGE = 20
RUNS_ON_A_PAGE = 20


@page()
def job_list(request: PageRequest) -> HttpResponseBase:
    """All jobs, the newest first, or those of one status."""
    status = request.GET.get("status", "")
    status = status if status in JobStatus.values else ""
    jobs = Job.objects.filter(status=status) if status else Job.objects.all()
    shown = Paginator(jobs.order_by("-pk"), JOBS_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "cards": job_cards(list(shown)),
        "page": shown,
        "status": status,
        "statuses": JobStatus.choices,
        "default_carrier": settings.DEFAULT_CARRIER,
    }
    return render(request, "shipping/job_list.html", context)


@page()
def job_detail(request: PageRequest, job_id: int) -> HttpResponseBase:
    """A job; for htmx only what moves, and once that has come to rest, the tables as they are then."""
    job = job_or_404(job_id)
    live = live_context(job, here=request.get_full_path())
    if not wants_fragment(request):
        return render(request, "shipping/job.html", {**live, **_tables(request, job)})
    tables = {} if live["card"].is_moving else {**_tables(request, job), "out_of_band": True}
    return render(request, "shipping/job_fragment.html", {**live, **tables})


def live_context(job: Job, here: str = "") -> dict[str, Any]:
    """What the moving part of a job's page shows, in a fixed number of queries; `here` is where to look again."""
    service = JobService()
    live_runs = liveness.live_run_ids(job.pk)
    owed = Row.objects.filter(job=job).owed()
    return {
        "job": job,
        "here": here or reverse("shipping:job", args=[job.pk]),
        "card": JobCard(job=job, condition=service.condition(job)),
        "live_runs": live_runs,
        "in_flight": owed.filter(status=RowStatus.in_flight, run__in=live_runs).count(),
        "in_doubt": owed.in_doubt(live_runs).count(),
        "in_review": service.get_rows(job.pk, RowStatus.needs_review).count(),
        "voids_owed": job.labels.void_owed().count(),
        "worker_alive": service.worker_alive(),
        "now": timezone.now(),
    }


def _tables(request: PageRequest, job: Job) -> dict[str, Any]:
    """The rows, runs and events that were asked for."""
    service = JobService()
    status = request.GET.get("status", "")
    status = status if status in RowStatus.values else ""
    rows = service.get_rows(job.pk, status or None).select_related("label")
    after, before = whole_number(request, "after"), whole_number(request, "before")
    events = newest_first(
        service.get_events(job.pk), size=EVENTS_ON_A_PAGE, before=whole_number(request, "events_before")
    )
    runs = newest_first(service.get_runs(job.pk), size=RUNS_ON_A_PAGE, before=whole_number(request, "runs_before"))
    return {
        "rows": key_page(rows, "number", size=ROWS_ON_A_PAGE, after=after, before=before),
        "is_first_page": not after and before is None,
        "row_status": status,
        "row_statuses": RowStatus.choices,
        "events": events,
        "event_lines": event_lines(events.items),
        "runs": runs,
        "run_lines": run_lines(runs.items, job),
    }
