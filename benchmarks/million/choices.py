"""The choices about the big job: how long until each is answered, and how large and long the steps of its sweep are.

A choice is a POST of its form in this process. What it leaves to the workers is carried out here, tick by tick as a
worker does it, without a carrier: each tick is one transaction, and it is told how long it took (which on SQLite is
how long it held the write lock) and how many records it changed.
"""

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection
from django.test import Client
from django.urls import reverse

from benchmarks.million import pages
from benchmarks.million.build import Books
from recovery.confirmation import RecoveryChoice, confirm
from shipping.engine.books import Wishes, end_run, start_run, tick
from shipping.engine.letters import Inbox
from shipping.liveness import this_process
from shipping.models import Event, Job, Label, Run
from shipping.services import JobService
from shipping.states import RunEnd

# So many ticks of a sweep are carried out and measured; a million rows take two thousand.
TICKS = 40
_UPDATES = re.compile(r"(UPDATE|INSERT|DELETE)")


def measure(books: Books) -> dict[str, Any]:
    """Resume, pause, carry on, cancel a job at work; restart, with and without void first. Each is undone by setting
    the job back to interrupted as it was; rows that sweeps have touched stay as they are then.
    """
    browser = pages.client()
    found: dict[str, Any] = {}
    found["resume"] = _choose(books.big, lambda job: _recover(browser, job, RecoveryChoice.resume))
    found["pause"] = _choose(books.big, lambda job: _press(browser, job, "pause"))
    found["carry on"] = _choose(books.big, lambda job: _press(browser, job, "start"))
    _interrupt(books.big)
    options: dict[str, dict[str, str]] = {"restart": {}, "restart, void first": {"void_first": "on"}}
    for name, extra in options.items():
        found[name] = _choose(books.big, partial(_restart, browser, extra))
        found[name]["sweep"] = _sweep(books.big)
        _interrupt(books.big)
    found["cancel"] = _choose(books.big, lambda job: _recover(browser, job, RecoveryChoice.cancel))
    before = Label.objects.filter(job=books.big).void_owed().count()
    JobService().void_labels(books.big)
    found["void all labels of a cancelled job"] = {"void_owed_before": before, "sweep": _sweep(books.big)}
    return found


def _choose(job_id: int, choose: Callable[[Job], Any]) -> dict[str, Any]:
    job = Job.objects.get(pk=job_id)
    newest = Event.objects.filter(job=job).order_by("-pk").values_list("pk", flat=True).first() or 0
    queries: list[str] = []

    def note(execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
        queries.append(sql)
        return execute(sql, values, many, context)

    with connection.execute_wrapper(note):
        began, computed = time.perf_counter(), time.process_time()
        answer = choose(job)
        seconds, computing = time.perf_counter() - began, time.process_time() - computed
    chosen = Event.objects.filter(job=job, pk__gt=newest).values_list("kind", flat=True)
    return {
        "answered_ms": round(seconds * 1e3, 1),
        "busy_ms": round(computing * 1e3, 1),
        "status": answer.status_code,
        "events": list(chosen),
        "queries": len(queries),
    }


def _press(browser: Client, job: Job, name: str) -> Any:
    return browser.post(reverse(f"shipping:{name}", args=[job.pk]))


def _recover(browser: Client, job: Job, choice: RecoveryChoice) -> Any:
    confirmation = confirm(choice, job.pk, JobService().facts(job))
    return browser.post(reverse(f"recovery:{choice.value}", args=[job.pk]), {"confirmation": confirmation})


def _restart(browser: Client, extra: dict[str, str], job: Job) -> Any:
    facts = JobService().facts(job)
    confirmation = confirm(RecoveryChoice.restart, job.pk, facts)
    typed = {"confirmation": confirmation, "typed_rows": str(facts.labelled_rows)}
    return browser.post(reverse("recovery:restart", args=[job.pk]), {**typed, **extra})


def _interrupt(job_id: int) -> None:
    """As if all workers of the job had died before they did anything."""
    Run.objects.filter(job=job_id).open().update(beat=0.0, started_at="2026-11-01T10:00:00Z", pid=1, pid_start_ticks=1)
    Job.objects.filter(pk=job_id).update(sweep="", sweep_next_row=1, sweep_mark=None, sweep_void=False)


class Changes:
    """Counts the records that statements changed."""

    def __init__(self) -> None:
        self.records = 0

    def note(self, execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:
        done = execute(sql, values, many, context)
        if _UPDATES.match(sql):
            self.records += max(0, context["cursor"].rowcount)
        return done


def _sweep(job_id: int) -> dict[str, Any]:
    """Carry out the first TICKS of the sweep that the job has."""
    issued = Run.objects.issued().filter(job=job_id).first()
    run = start_run(issued.pk, this_process()) if issued else None
    times, records = [], []
    for _each in range(TICKS):
        changes = Changes()
        began = time.perf_counter()
        with connection.execute_wrapper(changes.note):
            tick(job_id, Inbox(), Wishes(), run_id=run.pk if run else None)
        times.append((time.perf_counter() - began) * 1e3)
        records.append(changes.records)
    if run is not None:
        end_run(run.pk, RunEnd.fenced)
    times.sort()
    job = Job.objects.get(pk=job_id)
    return {
        "ticks": TICKS,
        "rows_swept": job.sweep_next_row - 1,
        "p50_ms": round(times[len(times) // 2], 1),
        "longest_ms": round(times[-1], 1),
        "most_records_changed": max(records),
    }
