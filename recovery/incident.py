"""Why an interrupted job does not go on, and where its workers ran: derived from the runs that the books hold."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

from django.db import connection
from django.db.models import Case, OuterRef, Q, Subquery, Value, When
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipping import liveness
from shipping.models import Job, Run
from shipping.models.clock import boot_id
from shipping.states import RunEnd

# With less than this left on its disk, SQLite can't write a transaction of any size: a few pages of 4 KiB each.
LEAST_ROOM_BYTES = 64 * 1024


class Place(Enum):
    """Where a worker ran, as seen from here."""

    here = "here"
    before_restart = "before_restart"
    elsewhere = "elsewhere"
    unknown = "unknown"


PLACE_NAMES: dict[Place, str | Promise] = {
    Place.here: gettext_lazy("A worker on this machine"),
    Place.before_restart: gettext_lazy("A worker on this machine, before the machine was started again"),
    Place.elsewhere: gettext_lazy("A worker on another machine, or on this one before it was started again"),
    Place.unknown: gettext_lazy("A worker"),
}


class Cause(Enum):
    """Why nobody works on a job that should run."""

    halted = "halted"
    never_asked = "never_asked"
    machine_restarted = "machine_restarted"
    process_ended = "process_ended"
    silent = "silent"
    disk_full = "disk_full"
    not_taken_up = "not_taken_up"
    left = "left"


CAUSES: dict[Cause, str | Promise] = {
    Cause.never_asked: gettext_lazy("It was set to run, but nobody was asked to work on it."),
    Cause.machine_restarted: gettext_lazy("Its worker stopped in the middle: the machine was started again."),
    Cause.process_ended: gettext_lazy(
        "Its worker stopped in the middle: the process ended before the work was done (it was killed, or it crashed)."
    ),
    Cause.silent: gettext_lazy(
        "Its worker stopped in the middle: it does not answer any more. It hangs or was cut off, or it can't write to"
        " the database, which may be locked, away, or on a full disk."
    ),
    Cause.disk_full: gettext_lazy(
        "Its worker can't write to the database any more: the disk is full. Somebody has to make room on it."
    ),
    Cause.not_taken_up: gettext_lazy("Its worker stopped before anybody else had taken it up."),
    Cause.left: gettext_lazy("Its worker left before the work was done."),
}


def since(job: Job) -> datetime:
    """When anybody who worked on an interrupted job was last heard of; `interrupted_jobs()` knows it."""
    known: datetime = getattr(job, "last_sign_at", None) or job.started_at or job.created_at
    return known


def ago(moment: datetime) -> str:
    """How long ago a moment was, in words."""
    if timezone.now() - moment < timedelta(minutes=1):
        return _("less than a minute ago")
    return _("%(time)s ago") % {"time": timesince(moment)}


def place_of(run: Run) -> Place:
    """Where a run's worker ran. SQLite's file belongs to one machine, so there another boot is an earlier one; with
    PostgreSQL it may as well be another machine.
    """
    if not run.host:
        return Place.unknown
    if run.host.partition("/")[0] == boot_id():
        return Place.here
    return Place.before_restart if connection.vendor == "sqlite" else Place.elsewhere


def cause_of(job: Job, run: Run | None) -> Cause:
    """Why an interrupted job does not go on; `run` is its telling run."""
    if job.error_code:
        return Cause.halted
    if run is None:
        return Cause.never_asked
    if run.end_reason == RunEnd.died or (run.started_at and not run.ended_at):
        return _cause_of_death(run)
    return Cause.left if run.started_at else Cause.not_taken_up


def _cause_of_death(run: Run) -> Cause:
    if place_of(run) is Place.before_restart:
        return Cause.machine_restarted
    if liveness.is_gone(liveness.process_of(run)):
        return Cause.process_ended
    return Cause.disk_full if _disk_is_full() else Cause.silent


def _disk_is_full() -> bool:
    """Whether nothing more can be written to the SQLite file's disk (of a PostgreSQL server's, nobody knows here)."""
    if connection.vendor != "sqlite":
        return False
    try:
        disk = os.statvfs(Path(connection.settings_dict["NAME"]).parent)
    except (OSError, TypeError):
        return False
    return disk.f_bavail * disk.f_frsize < LEAST_ROOM_BYTES


def why(job: Job, run: Run | None) -> str:
    """The cause in one sentence."""
    cause = cause_of(job, run)
    if cause is Cause.halted:
        return _("It stopped at an error: %(message)s") % {"message": job.error_message or job.error_code}
    return str(CAUSES[cause])


def telling_runs(jobs: Sequence[Job]) -> dict[int, Run]:
    """For each job that has runs, the one that tells most about why it stands still: one that stopped in the middle,
    or else the newest. Two queries.
    """
    stopped = Case(When(Q(started_at__isnull=False, ended_at__isnull=True), then=Value(0)), default=Value(1))
    runs = Run.objects.filter(job=OuterRef("pk"), epoch=OuterRef("epoch")).order_by(stopped, "-pk")
    found = Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list("pk", Subquery(runs.values("pk")[:1]))
    by_job = dict(found)
    by_key = Run.objects.in_bulk([key for key in by_job.values() if key])
    return {job: by_key[key] for job, key in by_job.items() if key}
