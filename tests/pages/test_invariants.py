"""What holds for every address of the site, whoever asks and however oddly."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.models import Job, Label
from shipping.views.help_pages import TOPICS
from tests.factories import claim_row, complete_row, fail_row, make_interrupted_job, row_of, set_aside
from tests.support.addresses import addresses, patterns
from tests.support.states import make_jobs
from tests.views.conftest import browser_of, grant
from tests.views.reading import HTMX, tags, title

pytestmark = pytest.mark.django_db

PAGE_BYTES = 150_000  # HTML, styles and scripts together, as they are before compression
QUERIES = 60
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
SIGNING = ("/login/", "/logout/")
ADDRESSES_AT_LEAST = 150


@pytest.fixture
def jobs(clerk: User) -> dict[str, Job]:
    """A job in each state that makes a page look different."""
    return make_jobs(clerk)


@pytest.fixture
def examples(jobs: dict[str, Job]) -> dict[str, list[Any]]:
    """What each argument of an address can be."""
    return {
        "job_id": [job.pk for job in jobs.values()],
        "number": [1, 4, 5, 7, 9],
        "label_id": list(Label.objects.order_by("pk").values_list("pk", flat=True)[:2]),
        "slug": list(TOPICS),
    }


@pytest.fixture
def few(examples: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Fewer of each: the jobs that are interrupted, halted, at work and waiting for a person."""
    return {**examples, "job_id": examples["job_id"][:4], "slug": examples["slug"][:2]}


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


def _is_page(response: Any) -> bool:
    return bool(response.headers.get("Content-Type", "").startswith("text/html"))


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
            response = client.get(path, follow=True)
            _read_to_its_end(response)
            assert response.status_code in (200, 204, 403, 404, 405), f"{response.status_code} at {where}"
            if response.status_code in (200, 403, 404) and _is_page(response) and "<html" in _opening(response):
                assert len(tags(response, "h1")) == 1, where
                assert title(response).endswith("· Onceship"), where
                assert len(title(response)) > len("· Onceship"), where
                pages += 1

    assert _everything() == before
    assert pages > ADDRESSES_AT_LEAST


def _opening(response: Any) -> str:
    return "" if response.streaming else response.content[:2000].decode()


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
            assert stranger.get(path).headers.get("Location", "").startswith("/login/?next="), path


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


def test_every_form_that_changes_something_carries_its_token(clerk: User, few: dict[str, list[Any]]) -> None:
    client = browser_of(grant(clerk, "change_job"))
    forms = 0
    for path in addresses(few):
        response = client.get(path, follow=True)
        if response.streaming or not _is_page(response):
            continue
        posts = [each for each in tags(response, "form") if each.get("method") == "post"]
        tokens = [each for each in tags(response, "input") if each.get("name") == "csrfmiddlewaretoken"]
        assert len(posts) == len(tokens), path
        forms += len(posts)

    assert forms > 50


def test_no_page_is_heavier_than_a_bad_connection_can_bear(clerk: User, few: dict[str, list[Any]]) -> None:
    client = browser_of(grant(clerk, "change_job"))
    weights = {}
    for path in addresses(few):
        response = client.get(path, follow=True)
        if response.status_code == 200 and not response.streaming and _is_page(response):
            weights[path] = len(response.content) + sum(_size_of(each) for each in _files_of(response))

    assert min(weights.values()) > 50_000, "the scripts are not counted"
    too_heavy = {path: weight for path, weight in weights.items() if weight >= PAGE_BYTES}
    assert not too_heavy


def _files_of(response: Any) -> Iterator[str]:
    yield from (each["src"] for each in tags(response, "script") if "src" in each)
    yield from (each["href"] for each in tags(response, "link") if each.get("rel") == "stylesheet")


def _size_of(address: str) -> int:
    path = finders.find(address.removeprefix("/static/"))
    assert isinstance(path, str), address
    with open(path, "rb") as file:
        return len(file.read())


def test_a_page_takes_no_more_queries_for_a_larger_job(clerk: User) -> None:
    client = browser_of(grant(clerk, "change_job"))
    small, large, larger = (_job_of(rows, clerk) for rows in (30, 300, 600))
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
