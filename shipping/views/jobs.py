"""The list of jobs and the page of one job."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.paginator import Paginator
from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from shipping.models import Job
from shipping.services import JobService
from shipping.states import JobStatus
from shipping.views.access import PageRequest, job_or_404, page, wants_fragment, whole_number
from shipping.views.live import address, nothing_new, seen_address, version_of
from shipping.views.outputs import outputs_of
from shipping.views.paging import key_page, newest_first
from shipping.views.presenters import event_lines, job_lines, run_lines
from shipping.views.row_filters import chosen_filter, filtered_rows, row_filters
from shipping.views.row_lines import row_lines
from shipping.views.standing import Standing, actions_on, standing_of
from shipping.views.strip import rows_strip

JOBS_ON_A_PAGE = 25
ROWS_ON_A_PAGE = 50
EVENTS_ON_A_PAGE = 15
RUNS_ON_A_PAGE = 10


@page()
def job_list(request: PageRequest) -> HttpResponseBase:
    """All jobs, the newest first, or those of one status; for htmx only the table, if it has moved."""
    status = request.GET.get("status", "")
    status = status if status in JobStatus.values else ""
    jobs = Job.objects.filter(status=status) if status else Job.objects.all()
    shown = Paginator(jobs.order_by("-pk"), JOBS_ON_A_PAGE).get_page(request.GET.get("page"))
    lines = job_lines(list(shown))
    version = version_of(*(line.facts for line in lines))
    if wants_fragment(request) and (unchanged := nothing_new(request, version)):
        return unchanged
    context = {
        "lines": lines,
        "page": shown,
        "status": status,
        "statuses": JobStatus.choices,
        "look_again": seen_address(request.path, request.GET, version),
        "is_moving": any(line.card.is_moving for line in lines),
        "default_carrier": settings.DEFAULT_CARRIER,
    }
    template = "shipping/job_list_table.html" if wants_fragment(request) else "shipping/job_list.html"
    return render(request, template, context)


@page()
def job_detail(request: PageRequest, job_id: int) -> HttpResponseBase:
    """A job; for htmx only what moves and what can be taken from it, if it has moved, and when no rows move any more
    the tables as they are then.
    """
    job = job_or_404(job_id)
    standing = standing_of(job)
    if not wants_fragment(request):
        context = {**live_context(request, job, standing), **_tables(request, standing)}
        return render(request, "shipping/job.html", context)
    if unchanged := nothing_new(request, standing.version):
        return unchanged
    if standing.is_shipping:
        others: dict[str, Any] = {"outputs": outputs_of(job), "outputs_alone": True}
    else:
        others = {**_tables(request, standing), "out_of_band": True}
    return render(request, "shipping/job_fragment.html", {**live_context(request, job, standing), **others})


def live_context(request: PageRequest, job: Job, standing: Standing | None = None) -> dict[str, Any]:
    """What the moving part of a job's page shows, in a fixed number of queries."""
    standing = standing or standing_of(job)
    here, query = _here(request, job)
    return {
        "job": job,
        "standing": standing,
        "card": standing.card,
        "in_flight": standing.in_flight,
        "in_doubt": standing.in_doubt,
        "in_review": standing.in_review,
        "voids_owed": standing.voids_owed,
        "worker_alive": standing.worker_alive,
        "bar": standing.bar,
        "strip": rows_strip(job, standing.live_runs),
        "actions": actions_on(standing, request.user),
        "here": address(here, query),
        "look_again": seen_address(here, query, standing.version),
        "now": timezone.now(),
    }


def _here(request: PageRequest, job: Job) -> tuple[str, QueryDict]:
    """The path and the query string of the job's page as it is open in the browser: the answer to a button, which has
    an address of its own, must not lead to another page of rows.
    """
    path = reverse("shipping:job", args=[job.pk])
    if request.path == path:
        return path, request.GET
    opened = urlsplit((request.htmx and request.htmx.current_url_abs_path) or "")
    return path, QueryDict(opened.query if opened.path == path else "")


def _tables(request: PageRequest, standing: Standing) -> dict[str, Any]:
    """The rows, runs and events that were asked for."""
    service, job = JobService(), standing.job
    row_filter = chosen_filter(request.GET.get("status", ""))
    rows = filtered_rows(standing, row_filter).select_related("label")
    after, before = whole_number(request, "after"), whole_number(request, "before")
    events = newest_first(
        service.get_events(job.pk), size=EVENTS_ON_A_PAGE, before=whole_number(request, "events_before")
    )
    runs = newest_first(service.get_runs(job.pk), size=RUNS_ON_A_PAGE, before=whole_number(request, "runs_before"))
    shown = key_page(rows, "number", size=ROWS_ON_A_PAGE, after=after, before=before)
    return {
        "rows": shown,
        "row_lines": row_lines(job, shown.items, standing.live_runs),
        "is_first_page": not after and before is None,
        "row_filter": row_filter,
        "row_filters": row_filters(standing),
        "live_runs": standing.live_runs,
        "events": events,
        "event_lines": event_lines(events.items),
        "runs": runs,
        "run_lines": run_lines(runs.items, job),
        "outputs": outputs_of(job),
    }
