"""What a person sees when the server can't do its work."""

import sqlite3
from typing import Any

import pytest
from django.db import connection
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse

from shipping.services import JobService
from tests.factories import make_job
from tests.support.databases import sqlite_only


@pytest.fixture
def visitor(client: Client, clerk: Any) -> Client:
    client.force_login(clerk)
    client.raise_request_exception = False
    return client


@sqlite_only
@pytest.mark.django_db(transaction=True)
def test_a_locked_database_is_said_to_be_busy_and_nothing_is_changed(visitor: Client) -> None:
    job = make_job(rows=1)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    response = visitor.post(reverse("shipping:start", args=[job.pk]))
    other.execute("ROLLBACK")
    other.close()
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert "Please wait a few seconds" in response.content.decode()
    job.refresh_from_db()
    assert (job.status, job.epoch) == ("pending", 0)


@pytest.mark.django_db
def test_any_other_error_says_that_bought_labels_are_safe(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(JobService, "start", broken)
    response = visitor.post(reverse("shipping:start", args=[make_job(rows=1).pk]))
    assert response.status_code == 500
    assert "safe in the books" in response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["400.html", "500.html", "503.html"])
def test_pages_for_a_broken_server_are_whole_pages_made_without_the_database(
    name: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        page = get_template(name).render()

    assert page.count("<h1>") == 1
    assert " · Onceship</title>" in page
    assert 'href="/">Back to the jobs</a>' in page


@pytest.mark.django_db
def test_a_page_that_is_not_there_keeps_the_frame_with_its_ways_out(visitor: Client) -> None:
    response = visitor.get("/nowhere/")

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()
    assert 'aria-label="Main"' in response.content.decode()
