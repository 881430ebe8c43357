"""Every page with the books in place: milliseconds and queries in this process, memory of a real web server."""

import http.client
import statistics
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks.million import site
from shipping.liveness import this_process
from shipping.models import Job, Label, Row, Run
from shipping.models.clock import book_now
from shipping.states import RowStatus

REQUESTS = 20
WARM_UP = 2
# The turn of the big job's run that is at work in this process.
AT_WORK_TURN = 1_000
Page = tuple[str, str, bool]

JOB_VIEWS = ("", "?after={middle}", "?before={middle}", "?after={late}")
FILTERS = ("completed", "in_flight", "in_doubt", "needs_review", "failed", "skipped", "pending")
QUESTIONS = ("ada", "abbott", "ada abbott", "SO-777", "so-1234567", "9400100000000", "77777", "million", "batch 77")


def pages_of_site() -> Iterator[Page]:
    """Pages that are about no single job: name, address, and whether htmx asks for it."""
    home = reverse("shipping:job_list")
    yield "jobs", home, False
    yield "jobs, poll", home, True
    yield "jobs, page 200", f"{home}?page=200", False
    yield "jobs, last page", f"{home}?page=9999", False
    for status in ("pending", "running", "paused", "completed", "failed", "cancelled"):
        yield f"jobs, {status}", f"{home}?status={status}", False
    yield "jobs, completed, last page", f"{home}?status=completed&page=9999", False
    for question in QUESTIONS:
        yield f"search “{question}”", f"{reverse('shipping:search')}?q={question}", False
    yield "desk", reverse("recovery:desk"), False
    yield "desk, poll", reverse("recovery:desk"), True
    yield "desk, last page", f"{reverse('recovery:desk')}?page=9999", False
    yield "banner, poll", reverse("recovery:banner"), True
    yield "review desk of all jobs", reverse("recovery:review_all"), False
    yield "review desk of all jobs, last page", f"{reverse('recovery:review_all')}?page=9999", False
    for name in ("help", "preferences", "sender", "upload_new"):
        yield name, reverse(f"shipping:{name}"), False
    yield "help page", reverse("shipping:help_page", args=["stuck"]), False


def pages_of_admin(job: Job) -> Iterator[Page]:
    """The admin's lists, whole, filtered, sought in and at their ends."""
    yield "admin", reverse("admin:index"), False
    lists = {name: reverse(f"admin:shipping_{name}_changelist") for name in ("job", "row", "label", "run", "event")}
    lists |= {name: reverse(f"admin:shipping_{name}_changelist") for name in ("sender", "orphan")}
    for name, address in lists.items():
        yield f"admin {name}s", address, False
        if name != "sender":
            yield f"admin {name}s, page 50", f"{address}?p=50", False
        if name not in ("sender", "job"):
            yield f"admin {name}s of the job", f"{address}?job__exact={job.pk}", False
    jobs, rows = lists["job"], lists["row"]
    for query in ("interrupted=yes", "interrupted=no", "status__exact=running", "q=batch", "q=Million", "o=8.-1"):
        yield f"admin jobs, {query}", f"{jobs}?{query}", False
    yield "admin job", reverse("admin:shipping_job_change", args=[job.pk]), False
    for status in RowStatus.values:
        yield f"admin rows, {status}", f"{rows}?status__exact={status}", False
        yield f"admin rows of the job, {status}", f"{rows}?job__exact={job.pk}&status__exact={status}", False
    yield "admin rows, number", f"{rows}?q=777", False
    yield "admin rows of the job, number", f"{rows}?q=777&job__exact={job.pk}", False
    yield "admin labels, tracking number", f"{lists['label']}?q=9400100000000000777", False
    yield "admin events, adopted", f"{lists['event']}?kind__exact=adopted", False
    yield "admin events, created", f"{lists['event']}?kind__exact=created", False
    yield "admin runs, died", f"{lists['run']}?end_reason__exact=died", False
    row = Row.objects.filter(job=job, number=7).get()
    yield "admin row", reverse("admin:shipping_row_change", args=[row.pk]), False


def pages_of_job(job: Job) -> Iterator[Page]:
    """The pages of one job; those of its recovery lead away where it is not interrupted."""
    middle, late = job.total_rows // 2, job.total_rows - 100
    here = reverse("shipping:job", args=[job.pk])
    for query in JOB_VIEWS:
        yield f"job {query}", here + query.format(middle=middle, late=late), False
    yield "job, poll", here, True
    yield "job, earlier events", f"{here}?events_before=100", False
    yield "job, earlier runs", f"{here}?runs_before={_middle_run(job)}", False
    for status in FILTERS:
        yield f"job, {status}", f"{here}?status={status}", False
        yield f"job, {status}, after", f"{here}?status={status}&after={middle}", False
        yield f"job, {status}, before", f"{here}?status={status}&before={middle}", False
    yield "row", reverse("shipping:row", args=[job.pk, 7]), False
    for name in ("cancel", "void"):
        yield f"ask to {name}", reverse(f"shipping:{name}", args=[job.pk]), False
    yield from _labels(job, middle)
    yield from _recovery(job, middle)


def _middle_run(job: Job) -> int:
    runs = list(Run.objects.filter(job=job).order_by("pk").values_list("pk", flat=True))
    return runs[len(runs) // 2] if runs else 1


def _labels(job: Job, middle: int) -> Iterator[Page]:
    labels = reverse("shipping:label_sheets", args=[job.pk])
    for query in (
        "",
        f"?after={middle // 2}",
        "?only=unprinted",
        f"?only=unprinted&after={middle // 2}",
        "?rows=1-400",
    ):
        yield f"label sheets {query}", labels + query, False
    voids = reverse("shipping:voids", args=[job.pk])
    key = Label.objects.filter(job=job).order_by("-pk").values_list("pk", flat=True).first() or 0
    yield "voids", voids, False
    yield "voids, late", f"{voids}?before={key}", False
    for state in ("paid", "ordered", "submitted", "refunded", "refused"):
        yield f"voids, {state}", f"{voids}?state={state}", False
    yield "voids chosen", f"{reverse('shipping:void_chosen', args=[job.pk])}?rows=1-100", False


def _recovery(job: Job, middle: int) -> Iterator[Page]:
    yield "recovery", reverse("recovery:job", args=[job.pk]), False
    yield "recovery, poll", reverse("recovery:job", args=[job.pk]), True
    yield "ask to restart", reverse("recovery:restart", args=[job.pk]), False
    yield "comparison", reverse("recovery:comparison", args=[job.pk]), False
    review = reverse("recovery:review", args=[job.pk])
    failed = Row.objects.filter(job=job, status=RowStatus.failed).order_by("number").first()
    for query in ("", "?status=doubt", "?status=needs_review", "?status=failed", f"?status=failed&after={middle}"):
        yield f"review desk {query}", review + query, False
    if failed is not None:
        yield "review desk, one reason", f"{review}?status=failed&like={failed.number}", False
        yield "correct a row", reverse("recovery:correct", args=[job.pk, failed.number]), False
    yield "review desk, poll", review, True


# --- Measuring -------------------------------------------------------------------------------------------------


def client() -> Client:
    """Signed in as the superuser, who sees everything."""
    signed_in = Client(headers={"host": "localhost"})
    signed_in.force_login(User.objects.get(username="bench"))
    return signed_in


def keep_alive() -> None:
    """Let the runs at work beat: what is measured must not become interrupted while it is measured."""
    here, now = this_process(), book_now()
    mine = {"host": here.host, "pid": here.pid, "pid_start_ticks": here.start_ticks}
    Run.objects.started().filter(Q(job__name__startswith="at_work") | Q(turn=AT_WORK_TURN)).update(beat=now, **mine)


def measure(pages: Iterator[Page], *, requests: int = REQUESTS) -> list[dict[str, Any]]:
    """Milliseconds (p50, p95, most) of each page, in this process, and how many queries it makes."""
    browser, lines = client(), []
    for name, address, by_htmx in pages:
        keep_alive()
        headers = {"HX-Request": "true"} if by_htmx else {}
        for _each in range(WARM_UP):
            answer = browser.get(address, headers=headers)
        with CaptureQueriesContext(connection) as capturing:
            browser.get(address, headers=headers)
        queries = list(capturing.captured_queries)
        began = time.process_time()
        times = sorted(_seconds(browser, address, headers) * 1e3 for _each in range(requests))
        busy = time.process_time() - began
        lines.append(
            {
                "page": name,
                "address": address,
                "status": answer.status_code,
                "p50_ms": round(statistics.median(times), 1),
                "p95_ms": round(times[max(0, round(len(times) * 0.95) - 1)], 1),
                "most_ms": round(times[-1], 1),
                # What of it this process computed; the rest it waited, for a database server or for the processor.
                "busy_ms": round(busy / requests * 1e3, 1),
                "queries": len(queries),
                "slowest_query": _slowest(queries),
            }
        )
    return lines


def _slowest(queries: list[dict[str, str]]) -> dict[str, Any]:
    slowest = max(queries, key=lambda query: float(query["time"]), default={"time": "0", "sql": ""})
    return {"ms": round(float(slowest["time"]) * 1e3, 1), "sql": slowest["sql"][:160]}


def _seconds(browser: Client, address: str, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    browser.get(address, headers=headers)
    return time.perf_counter() - began


def memory_of_web_server(pages: list[Page]) -> dict[str, Any]:
    """Ask a real web server (waitress, 8 threads) for every page three times; its memory before and at its highest."""
    cookie = f"sessionid={client().cookies['sessionid'].value}"
    port = site.free_port()
    arguments = ["-m", "waitress", f"--listen=127.0.0.1:{port}", "--threads=8", "shipping.project.wsgi:application"]
    with site.process(arguments) as server:
        site.wait_until(lambda: _get(port, "/login/", {}) == 200, site.START_SECONDS, "the web server's answer")
        before = site.memory_mb(server.pid)[1]
        statuses: dict[int, int] = {}
        growth = []
        for _each in range(3):
            for name, address, by_htmx in pages:
                keep_alive()
                held = site.memory_mb(server.pid)[1]
                status = _get(port, address, {"Cookie": cookie, **({"HX-Request": "true"} if by_htmx else {})})
                statuses[status] = statuses.get(status, 0) + 1
                growth.append((round(site.memory_mb(server.pid)[1] - held, 1), name))
        now, most = site.memory_mb(server.pid)
    return {
        "start_mb": before,
        "end_mb": now,
        "most_mb": most,
        "answers": statuses,
        "grew_most_at": sorted(growth, reverse=True)[:5],
    }


def _get(port: int, address: str, headers: dict[str, str]) -> int:
    """Read an answer to its end, without keeping it; 0 when nobody answers."""
    connection_ = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection_.request("GET", quote(address, safe="/?&=%"), headers=headers)
        response = connection_.getresponse()
        while response.read(64 * 1024):
            pass
    except OSError:
        return 0
    else:
        return response.status
    finally:
        connection_.close()
