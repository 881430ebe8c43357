"""What holds for every address of the site, whoever asks and however oddly."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Job, Label, Orphan
from shipping.views.help_pages import TOPICS
from tests.factories import claim_row, complete_row, fail_row, make_interrupted_job, row_of, set_aside
from tests.support.addresses import addresses, patterns
from tests.support.states import make_jobs, make_uploads
from tests.views.conftest import browser_of, grant
from tests.views.reading import HTMX

pytestmark = pytest.mark.django_db

PAGE_BYTES = 150_000  # HTML, styles and scripts together, as they are before compression
QUERIES = 70
# Made while it is sent, page by page; the tests of the exports look at how much at a time.
FILES = {"shipping:results"}

ODD_QUERIES = (
    "?page=abc&after=-1&before=x&status=nonsense&runs_before=-5&events_before=1e9&part=-1&rows=1-,x&seen=x&q=%00",
    f"?page={'9' * 30}&after={'9' * 30}&before={'9' * 30}&runs_before={'9' * 18}&part={'9' * 30}&rows=1-{'9' * 30}",
    "?page=&after=&before=&status=&status=failed&next=//elsewhere.example/%00&q=&part=&rows=",
    "?status=%F0%9F%93%A6&after=%D9%A3&page=%00&q=%25_%27%22%3Cscript%3E&seen=%00&rows=%00&part=%D9%A3",
)
ODD_FORM = {
    "confirmation": "x" * 5000,
    "decision": "nonsense",
    "shown": "\x00",
    "reason": "y" * 5000,
    "typed_rows": "-1",
    "rows": ["abc", "-1", "9" * 30],
    "void_first": "perhaps",
    "next": "//elsewhere.example/",
    "mapping": "{",
    "file": "not a file",
    "revision": "one",
}
H1 = re.compile(r"<h1[ >]")
TITLE = re.compile(r"<title>([^<]+)</title>")
POST_FORM = re.compile(r'<form [^>]*method="post"')
FILE = re.compile(r'<(?:script src|link rel="stylesheet" href)="([^"]+)"')
SIGNING = ("/login/", "/logout/")
PAGES_AT_LEAST = 300


@pytest.fixture
def jobs(clerk: User) -> dict[str, Job]:
    """A job in each state that makes a page look different."""
    return make_jobs(clerk)


@pytest.fixture
def examples(clerk: User, jobs: dict[str, Job]) -> dict[str, list[Any]]:
    """What each argument of an address can be."""
    return {
        "upload_id": [upload.pk for upload in make_uploads(clerk).values()],
        "job_id": [job.pk for job in jobs.values()],
        "number": [1, 4, 5, 7, 9],
        "orphan_id": list(Orphan.objects.order_by("pk").values_list("pk", flat=True)),
        "label_id": list(Label.objects.order_by("pk").values_list("pk", flat=True)[:2]),
        "slug": list(TOPICS),
    }


@pytest.fixture
def few(jobs: dict[str, Job], examples: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Fewer of each: the jobs that are interrupted, halted, at work and waiting for a person."""
    return {
        **examples,
        "job_id": examples["job_id"][:4],
        "upload_id": examples["upload_id"][:3],
        "slug": examples["slug"][:2],
    }


def _everything() -> dict[str, list[Any]]:
    """All tables as they are, aside from who is signed in and since when."""
    models = [model for model in apps.get_models() if model is not Session and model._meta.managed]
    found = {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models}
    for user in found["auth.User"]:
        del user["last_login"]
    return found


def _people(clerk: User, viewer: User, outsider: User) -> dict[str, Client]:
    staff = User.objects.create_user("staff", password="staff", is_staff=True)
    return {
        "stranger": Client(raise_request_exception=False),
        "clerk": browser_of(grant(clerk, "add_job", "change_job")),
        "viewer": browser_of(viewer),
        "outsider": browser_of(outsider),
        "staff": browser_of(grant(staff, "view_job")),
        "superuser": browser_of(User.objects.create_superuser("root", password="root")),
    }


def _page(response: Any) -> str:
    """A whole page as it was sent; "" for a part of one, a file, a redirect. Looked through by patterns, since a
    parser takes longer than the site needs to make the page.
    """
    if response.streaming or response.status_code == 302:
        return ""
    sent: str = response.content.decode()
    return sent if sent.startswith("<!doctype html>") else ""


def _read_to_its_end(response: Any) -> None:
    """A file is only made while it is sent."""
    if response.streaming:
        for _piece in response.streaming_content:
            pass


def test_every_address_answers_everybody_with_a_proper_page_and_changes_nothing(
    clerk: User, viewer: User, outsider: User, examples: dict[str, list[Any]], few: dict[str, list[Any]]
) -> None:
    people = _people(clerk, viewer, outsider)
    before = _everything()
    pages = 0
    for person, client in people.items():
        for path in ["/nowhere/", *addresses(examples if person == "clerk" else few)]:
            where = f"{path} for {person}"
            response = client.get(path)
            _read_to_its_end(response)
            # Where a redirect leads is an address of its own.
            assert response.status_code in (200, 204, 302, 403, 404, 405), f"{response.status_code} at {where}"
            page = _page(response)
            if page:
                assert len(H1.findall(page)) == 1, where
                assert TITLE.findall(page)[0].endswith(" · Onceship"), where
                pages += 1

    assert _everything() == before
    assert pages > PAGES_AT_LEAST


def test_odd_addresses_are_no_server_errors(clerk: User, examples: dict[str, list[Any]]) -> None:
    people = {"stranger": Client(raise_request_exception=False), "clerk": browser_of(grant(clerk, "change_job"))}
    examples = {name: values[:1] for name, values in examples.items()}
    before = _everything()
    for person, client in people.items():
        for path in addresses(examples, odd=True):
            response = client.get(path)
            _read_to_its_end(response)
            assert response.status_code < 500, f"{path} for {person}"

    assert _everything() == before


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_odd_query_strings_never_break_a_page(clerk: User, few: dict[str, list[Any]], headers: dict[str, str]) -> None:
    client = browser_of(grant(clerk, "change_job"))
    before = _everything()
    for path in addresses(few):
        for query in ODD_QUERIES:
            response = client.get(path + query, headers=headers)
            _read_to_its_end(response)
            assert response.status_code < 500, path + query

    assert _everything() == before


def test_a_stranger_sees_nothing_but_the_sign_in_page(few: dict[str, list[Any]]) -> None:
    stranger = Client()
    for path in addresses(few):
        if path not in SIGNING:
            response = stranger.get(path, follow=True)
            assert response.redirect_chain[-1][0].startswith("/login/?next="), path


def test_nothing_is_done_for_a_post_without_a_token(clerk: User, few: dict[str, list[Any]]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(grant(clerk, "change_job"))
    before = _everything()
    for path in addresses(few):
        assert client.post(path).status_code in (403, 405), path

    assert _everything() == before


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("form", [{}, ODD_FORM])
def test_who_may_only_look_changes_nothing_whatever_is_sent(
    viewer: User, few: dict[str, list[Any]], form: dict[str, Any], headers: dict[str, str]
) -> None:
    client = browser_of(viewer)
    before = _everything()
    for path in addresses(few):
        if path not in (*SIGNING, "/preferences/"):
            assert client.post(path, form, headers=headers).status_code < 500, path

    assert _everything() == before


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_odd_form_is_no_server_error(clerk: User, few: dict[str, list[Any]], headers: dict[str, str]) -> None:
    client = browser_of(grant(clerk, "add_job", "change_job"))
    for path in addresses(few):
        if path not in SIGNING:
            assert client.post(path, ODD_FORM, headers=headers).status_code < 500, path


def test_every_form_carries_its_token_and_no_page_is_heavier_than_a_bad_connection_can_bear(
    clerk: User, jobs: dict[str, Job], few: dict[str, list[Any]]
) -> None:
    client = browser_of(grant(clerk, "change_job"))
    forms, weights = 0, {}
    for path in (*addresses(few), *(f"/jobs/{job.pk}/" for job in jobs.values())):
        page = _page(client.get(path))
        if page:
            assert len(POST_FORM.findall(page)) == page.count('name="csrfmiddlewaretoken"'), path
            forms += len(POST_FORM.findall(page))
            weights[path] = len(page.encode()) + sum(_size_of(each) for each in FILE.findall(page))

    assert forms > 100
    assert min(weights.values()) > 50_000, "the scripts are not counted"
    assert {path: weight for path, weight in weights.items() if weight >= PAGE_BYTES} == {}


def _size_of(address: str) -> int:
    path = finders.find(address.removeprefix("/static/"))
    assert isinstance(path, str), address
    with open(path, "rb") as file:
        return len(file.read())


def test_a_page_takes_no_more_queries_for_a_larger_job(clerk: User) -> None:
    client = browser_of(grant(clerk, "change_job"))
    small, large, larger = (_job_of(rows, clerk) for rows in (10, 100, 300))
    counted = {}
    for name, route in patterns().items():
        if "<int:job_id>" not in route or name in FILES:
            continue
        paths = [route.replace("<int:job_id>", str(job.pk)) for job in (small, large, larger)]
        counts = [_queries(client, path.replace("<int:number>", "9")) for path in paths]
        assert counts[1] == counts[2], f"{route}: {counts}"
        # Only a long job has a strip that shows where in the file things stand.
        assert counts[1] - counts[0] <= 3, f"{route}: {counts}"
        assert max(counts) <= QUERIES, f"{route}: {counts}"
        counted[name] = counts[2]

    assert {"shipping:job", "recovery:job", "recovery:restart", "recovery:review"} <= set(counted)


def _job_of(rows: int, clerk: User) -> Job:
    """An interrupted job in which a fifth each is bought, failed, in doubt and in review."""
    fifth = rows // 5
    job = make_interrupted_job(rows, completed=fifth, created_by=clerk)
    for number in range(fifth + 1, 2 * fifth + 1):
        fail_row(row_of(job, number))
        claim_row(row_of(job, number + fifth), due_in=-1)
        set_aside(row_of(job, number + 2 * fifth))
    return job


def _queries(client: Client, path: str) -> int:
    client.get(path, follow=True)
    with CaptureQueriesContext(connection) as context:
        _read_to_its_end(client.get(path))
    return len(context)


def test_the_list_of_jobs_takes_no_more_queries_for_more_jobs(clerk: User, jobs: dict[str, Job]) -> None:
    client = browser_of(grant(clerk, "change_job"))
    paths = ("/", "/recovery/", "/help/", "/preferences/", "/sender/")
    few = [_queries(client, path) for path in paths]
    for _turn in range(2):
        make_jobs(clerk)
    complete_row(row_of(jobs["not started"], 1))
    assert [_queries(client, path) for path in paths] == few
