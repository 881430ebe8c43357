"""The bar of a job's rows."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Job
from shipping.states import JobStatus
from shipping.views.progress import STATE_NAMES, rows_bar, rows_bars
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    make_dead_run,
    make_job,
    make_live_run,
    make_sender,
    row_of,
    set_aside,
    skip_row,
)
from tests.views.figures import numbers, widths
from tests.views.reading import tags, text

pytestmark = pytest.mark.django_db


def _job_with_a_row_in_every_state() -> Job:
    """Ten rows: 3 bought, 1 being bought, 1 in doubt, 1 in review, 1 failed, 1 skipped, 2 waiting."""
    job = make_job(10, status=JobStatus.running)
    live, dead = make_live_run(job), make_dead_run(job)
    for number in (1, 2, 3):
        complete_row(row_of(job, number))
    claim_row(row_of(job, 4), live)
    claim_row(row_of(job, 5), dead)
    set_aside(row_of(job, 6))
    fail_row(row_of(job, 7))
    skip_row(row_of(job, 8))
    return Job.objects.get(pk=job.pk)


def test_it_counts_every_row_once_in_the_state_it_is_in() -> None:
    job = _job_with_a_row_in_every_state()

    bar = rows_bar(job, in_flight=1, in_doubt=1, in_review=1)

    assert bar.counts == {
        "bought": 3,
        "buying": 1,
        "doubt": 1,
        "review": 1,
        "failed": 1,
        "skipped": 1,
        "waiting": 2,
    }
    assert sum(bar.counts.values()) == job.total_rows
    assert list(bar.counts) == list(STATE_NAMES)


def test_its_parts_fill_it_and_each_begins_where_the_one_before_ends() -> None:
    bar = rows_bar(_job_with_a_row_in_every_state(), in_flight=1, in_doubt=1, in_review=1)

    x = 0.0
    for segment in bar.segments:
        assert float(segment.x.rstrip("%")) == pytest.approx(x, abs=0.01)
        x += float(segment.width.rstrip("%"))
    assert x == pytest.approx(100, abs=0.01)


def test_one_row_of_a_hundred_thousand_is_still_to_be_seen() -> None:
    job = Job(name="Long", total_rows=100_000, processed_rows=100_000, successful_rows=99_999, failed_rows=1)

    bought, failed = rows_bar(job, in_flight=0, in_doubt=0, in_review=0).segments

    assert (bought.count, failed.count) == (99_999, 1)
    assert float(failed.width.rstrip("%")) > 0.5


def test_it_is_told_in_a_sentence_too() -> None:
    job = Job(name="Long", total_rows=1_500, processed_rows=1_002, successful_rows=1_000, failed_rows=2)

    assert rows_bar(job, in_flight=0, in_doubt=8, in_review=0).sentence == (
        "The 1,500 rows of “Long”. Bought: 1,000, In doubt: 8, Failed: 2, Waiting: 490."
    )


def test_a_job_without_rows_has_an_empty_bar() -> None:
    bar = rows_bar(Job(name="Empty"), in_flight=0, in_doubt=0, in_review=0)

    assert bar.segments == ()
    assert "has no rows" in bar.sentence
    assert [(segment.state, segment.count) for segment in bar.legend] == [("bought", 0)]


def test_the_page_of_the_job_shows_it_with_its_numbers(browser: Client) -> None:
    job = _job_with_a_row_in_every_state()

    response = browser.get(f"/jobs/{job.pk}/")

    assert len(widths(text(response))) == len(STATE_NAMES)
    shown = numbers(text(response))
    assert shown["Bought"] == "3 of 10"
    for name in ("Being bought now", "In doubt", "Need a decision", "Failed", "Skipped"):
        assert shown[name] == "1"
    assert shown["Waiting"] == "2"
    bar = next(each for each in tags(response, "svg") if each.get("class") == "rows-bar")
    assert bar["role"] == "img"
    assert bar["aria-label"].startswith("The 10 rows of “Autumn orders”. Bought: 3, Being bought now: 1, In doubt: 1,")


def test_the_list_of_jobs_shows_one_for_each_job_at_a_fixed_number_of_queries(browser: Client) -> None:
    mixed = _job_with_a_row_in_every_state()
    page = text(browser.get("/"))
    assert len(widths(page)) == len(STATE_NAMES)
    assert "1 in doubt" in page

    sender = make_sender()
    jobs = [mixed, *(make_job(2, sender=sender) for _each in range(8))]
    counts = []
    for few in (jobs[:2], jobs):
        with CaptureQueriesContext(connection) as queries:
            bars = rows_bars(few)
        counts.append(len(queries))
        assert bars[mixed.pk] == rows_bar(mixed, in_flight=1, in_doubt=1, in_review=1)
    assert counts[0] == counts[1]
