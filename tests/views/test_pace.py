"""How fast a job goes, and how long it will take."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from shipping.models import Job, Label
from shipping.states import JobStatus
from shipping.views.pace import LABELS_SEEN, Pace, pace
from tests.factories import complete_row, make_job, make_live_run, row_of
from tests.views.figures import numbers
from tests.views.reading import text

pytestmark = pytest.mark.django_db


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clock_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)


def _bought(job: Job, labels: int, *, every: float) -> None:
    """Have the first rows bought, the last one just now and each `every` seconds after the one before."""
    for number in range(1, labels + 1):
        label = complete_row(row_of(job, number))
        at = NOW - timedelta(seconds=every * (labels - number))
        Label.objects.filter(pk=label.pk).update(recorded_at=at)


def test_it_is_taken_from_the_labels_of_the_last_minute() -> None:
    job = make_job(30, status=JobStatus.running)
    _bought(job, 11, every=2.0)

    found = pace(job, 60)

    assert found is not None
    assert found == Pace(per_minute=30, seconds_left=120)


def test_labels_of_before_a_break_do_not_slow_it_down() -> None:
    job = make_job(30, status=JobStatus.running)
    _bought(job, 20, every=1.0)
    Label.objects.filter(job=job, row__number__lte=10).update(recorded_at=NOW - timedelta(hours=3))

    found = pace(job, 10)

    assert found is not None
    assert found == Pace(per_minute=60, seconds_left=10)


@pytest.mark.parametrize(("labels", "every"), [(0, 1.0), (4, 5.0), (20, 0.01), (10, 90.0)])
def test_nothing_is_foretold_from_too_little(labels: int, every: float) -> None:
    job = make_job(20, status=JobStatus.running)
    _bought(job, labels, every=every)

    assert pace(job, 10) is None


def test_it_looks_at_the_newest_labels_only() -> None:
    job = make_job(1, status=JobStatus.running)
    first = complete_row(row_of(job, 1))
    Label.objects.bulk_create(
        Label(
            job=job,
            row=first.row,
            attempt=1,
            account="sandbox",
            purchase_id=f"shp_{number}",
            tracking_number="",
            carrier="USPS",
            service="Priority",
            cost_cents=1,
            currency="USD",
            bought_at=NOW,
        )
        for number in range(LABELS_SEEN + 50)
    )
    newest = Label.objects.order_by("-pk").values_list("pk", flat=True)[:LABELS_SEEN]
    Label.objects.filter(pk__in=list(newest)).update(recorded_at=NOW - timedelta(seconds=10))

    found = pace(job, 100)

    assert found is not None
    assert found.per_minute == (LABELS_SEEN - 1) * 6


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute"), (59, "less than a minute"), (60, "about 1 minute"), (119 * 60, "about 119 minutes"),
     (3 * 3_600, "about 3 hours")],
)  # fmt: skip
def test_what_is_left_is_said_as_roughly_as_it_is_known(seconds: int, words: str) -> None:
    assert Pace(per_minute=60, seconds_left=seconds).left == words


def test_the_page_shows_it_while_a_worker_is_at_work(browser: Client) -> None:
    job = make_job(100, status=JobStatus.running)
    _bought(job, 20, every=1.0)
    assert "Pace" not in numbers(text(browser.get(f"/jobs/{job.pk}/")))

    make_live_run(job)
    shown = numbers(text(browser.get(f"/jobs/{job.pk}/")))

    assert shown["Pace"].endswith("labels a minute")
    assert shown["Time left"].startswith("about 1 minute")
