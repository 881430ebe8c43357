"""The strip of cells: where in the file things stand."""

import random
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.liveness import live_run_ids
from shipping.models import Job, Row
from shipping.states import JobStatus, RowStatus
from shipping.views.strip import CELLS, CELLS_SQL, TELLING, rows_strip
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    make_dead_run,
    make_job,
    make_live_run,
    row_of,
    set_aside,
    skip_row,
)
from tests.support.databases import sqlite_only
from tests.views.reading import tags, text

pytestmark = pytest.mark.django_db

STATES = {
    RowStatus.pending: "waiting",
    RowStatus.completed: "bought",
    RowStatus.failed: "failed",
    RowStatus.needs_review: "review",
    RowStatus.skipped: "skipped",
}


def _mixed_job(rows: int, moves: int) -> Job:
    """A running job of which some rows, here and there, were put into every state."""
    job = make_job(rows, status=JobStatus.running)
    live, dead = make_live_run(job), make_dead_run(job)
    chance = random.Random(rows)
    for index, number in enumerate(chance.sample(range(1, rows + 1), moves)):
        row = row_of(job, number)
        match index % 6:
            case 0 | 1:
                complete_row(row)
            case 2:
                fail_row(row)
            case 3:
                set_aside(row)
            case 4:
                claim_row(row, live if index % 4 else dead)
            case 5:
                skip_row(row)
    return Job.objects.get(pk=job.pk)


def _states_by_row(job: Job, live_runs: list[int]) -> dict[int, str]:
    """What the books say of every row, read one by one."""
    found = {}
    for row in Row.objects.filter(job=job):
        if row.status == RowStatus.in_flight:
            found[row.number] = "buying" if row.run_id in live_runs else "doubt"
        else:
            found[row.number] = STATES[RowStatus(row.status)]
    return found


@pytest.mark.parametrize(("rows", "moves"), [(1, 0), (7, 6), (60, 40), (61, 40), (337, 90)])
def test_every_cell_tells_exactly_the_states_of_its_rows(rows: int, moves: int) -> None:
    job = _mixed_job(rows, moves)
    live_runs = live_run_ids(job.pk)
    books = _states_by_row(job, live_runs)

    strip = rows_strip(job, live_runs)

    assert strip is not None
    assert len(strip.cells) <= CELLS
    assert [cell.first for cell in strip.cells] == list(range(1, rows + 1, strip.size))
    assert strip.cells[-1].last == rows
    for cell in strip.cells:
        there = {books[number] for number in range(cell.first, cell.last + 1)}
        # Skipped rows are told where nothing else is.
        expected = there - {"skipped"} or there
        assert cell.states == tuple(state for state in TELLING if state in expected), cell


def test_spans_are_the_same_cells_joined() -> None:
    job = _mixed_job(150, 40)
    strip = rows_strip(job, live_run_ids(job.pk))

    assert strip is not None
    assert strip.spans[0].first == 1
    assert strip.spans[-1].last == 150
    for span, following in zip(strip.spans, strip.spans[1:], strict=False):
        assert following.first == span.last + 1
        assert following.states != span.states


def test_rows_that_a_file_left_out_do_not_move_the_others() -> None:
    job = make_job(12)
    Row.objects.filter(job=job, number__in=(3, 4, 5)).delete()
    complete_row(row_of(job, 12))

    strip = rows_strip(job, [])

    assert strip is not None
    assert strip.cells[11].states == ("bought",)
    assert strip.last_row == 12


def test_a_job_without_rows_has_no_strip(browser: Client) -> None:
    job = make_job(0)

    assert rows_strip(job, []) is None
    assert 'class="strip"' not in text(browser.get(f"/jobs/{job.pk}/"))


def test_more_rows_cost_no_more_queries() -> None:
    counts = []
    for rows in (5, 400):
        job = make_job(rows)
        with CaptureQueriesContext(connection) as queries:
            rows_strip(job, [])
        counts.append(len(queries))

    assert counts == [3, 3]


@sqlite_only
def test_each_cell_is_one_look_into_the_index_of_each_state() -> None:
    job = make_job(5)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {CELLS_SQL}", {"job": job.pk, "size": 10_000, "last": 1_000_000})
        plan = [str(line[3]) for line in cursor.fetchall() if "shipping_row" in str(line[3])]

    assert len(plan) == 4
    for index in ("row_completed", "row_pending", "row_failed", "row_in_review"):
        assert any(f"INDEX {index} (job_id=? AND number>? AND number<?)" in line for line in plan), plan


def test_cells_lead_to_their_rows_and_words_tell_the_same_by_keyboard(browser: Client) -> None:
    job = make_job(250, status=JobStatus.running)
    fail_row(row_of(job, 7))

    response = browser.get(f"/jobs/{job.pk}/")
    links = [each for each in tags(response, "a") if each.get("href", "").endswith("#rows-heading")]

    in_picture = [each for each in links if each.get("tabindex") == "-1"]
    assert len(in_picture) == 50
    assert in_picture[1]["href"] == f"/jobs/{job.pk}/?after=5#rows-heading"
    words = text(response).split('id="strip-list"')[1].split("</details>", maxsplit=1)[0]
    assert re.findall(r'after=(\d+)#rows-heading">(.*?)</a>', words) == [
        ("0", "Rows 1 to 5: waiting"),
        ("5", "Rows 6 to 10: failed, waiting"),
        ("10", "Rows 11 to 250: waiting"),
    ]
