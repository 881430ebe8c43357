"""Downloading the results."""

import csv
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import Client

from shipping.models import Event, Job
from tests.factories import fail_row, make_interrupted_job, make_job, row_of
from tests.views.conftest import browser_of

pytestmark = pytest.mark.django_db


def lines_of(response: Any) -> list[dict[str, str]]:
    assert isinstance(response, StreamingHttpResponse)
    content = b"".join(response.streaming_content)  # type: ignore[arg-type]
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_an_interrupted_job_gives_what_is_known_now(browser: Client) -> None:
    job = make_interrupted_job(3, completed=1)
    response = browser.get(f"/jobs/{job.pk}/results.csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="Autumn orders results.csv"'
    assert [line["status"] for line in lines_of(response)] == ["bought", "waiting", "waiting"]
    assert not Event.objects.exists()


def test_one_status_alone_and_a_status_that_is_none(browser: Client) -> None:
    job = make_interrupted_job(3, completed=1)
    fail_row(row_of(job, 2))
    response = browser.get(f"/jobs/{job.pk}/results.csv?status=failed")
    assert "results failed.csv" in response["Content-Disposition"]
    assert [line["to_name"] for line in lines_of(response)] == ["Recipient 2"]
    assert len(lines_of(browser.get(f"/jobs/{job.pk}/results.csv?status=nonsense"))) == 3


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ('a/b "c"', 'filename="a-b -c- results.csv"'),
        ("Bücher; rm=1", "filename*=utf-8''B%C3%BCcher%3B%20rm%3D1%20results.csv"),
        ("../../etc", 'filename="..-..-etc results.csv"'),
    ],
)
def test_the_name_of_the_file_is_safe(browser: Client, name: str, says: str) -> None:
    job = make_job(1, name=name)
    response = browser.get(f"/jobs/{job.pk}/results.csv")
    assert says in response["Content-Disposition"]
    lines_of(response)


def test_a_download_that_was_broken_off_can_be_begun_again(browser: Client) -> None:
    job = make_job(3)
    broken_off = browser.get(f"/jobs/{job.pk}/results.csv")
    assert isinstance(broken_off, StreamingHttpResponse)
    assert next(iter(broken_off.streaming_content))
    assert len(lines_of(browser.get(f"/jobs/{job.pk}/results.csv"))) == 3


def test_it_is_for_those_who_may_look_at_jobs(viewer: User, outsider: User) -> None:
    job: Job = make_job(1)
    assert len(lines_of(browser_of(viewer).get(f"/jobs/{job.pk}/results.csv"))) == 1
    assert browser_of(outsider).get(f"/jobs/{job.pk}/results.csv").status_code == 403
    assert browser_of(viewer).get("/jobs/999/results.csv").status_code == 404
