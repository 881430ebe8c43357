"""The clock that decides: it only goes forward, whatever happens to wall clocks and machines."""

import time

import pytest
from django.db import connection

from shipping.models import Boot, Run
from shipping.models import clock as clock_module
from shipping.models.clock import book_now
from tests.factories import make_job, make_live_run
from tests.support.databases import sqlite_only

pytestmark = pytest.mark.django_db


def reboot(monkeypatch: pytest.MonkeyPatch, *, boot: str, seconds: float) -> None:
    """Make this machine one that booted so many seconds ago."""
    monkeypatch.setattr(clock_module, "boot_id", lambda: boot)
    monkeypatch.setattr(clock_module, "local_seconds", lambda: seconds)


def test_it_goes_on() -> None:
    before = book_now()
    time.sleep(0.01)
    assert 0.005 < book_now() - before < 5


@sqlite_only
def test_a_reboot_begins_where_the_newest_recorded_time_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    reboot(monkeypatch, boot="first", seconds=5_000.0)
    run = make_live_run(make_job(rows=1))
    Run.objects.filter(pk=run.pk).update(beat=book_now())
    recorded = book_now()
    reboot(monkeypatch, boot="second", seconds=3.0)
    assert book_now() == pytest.approx(recorded + 3.0)
    reboot(monkeypatch, boot="second", seconds=9.0)
    assert book_now() == pytest.approx(recorded + 9.0)
    reboot(monkeypatch, boot="first", seconds=5_001.0)
    assert book_now() == pytest.approx(recorded + 1.0), "the line of a known boot never changes"
    assert Boot.objects.count() >= 2


def test_no_wall_clock_moves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = book_now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert book_now() >= before
    assert connection.vendor in ("sqlite", "postgresql")
