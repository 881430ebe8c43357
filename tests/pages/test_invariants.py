"""What holds for every address of the site, whoever asks and however oddly."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from shipping.models import Event, Job, Label, Row, Run, Sender
from shipping.states import JobStatus
from tests.factories import complete_row, halt_job, make_interrupted_job, make_job, make_live_run, row_of, set_aside
from tests.views.conftest import browser_of, grant
from tests.views.reading import HTMX, tags, title

pytestmark = pytest.mark.django_db

BOOKS = (Job, Row, Run, Label, Event, Sender)

ODD_QUERIES = (
    "?page=abc&after=-1&before=x&status=nonsense&runs_before=-5&events_before=1e9",
    f"?page={'9' * 30}&after={'9' * 30}&before={'9' * 30}&runs_before={'9' * 18}&events_before={'9' * 18}",
    "?page=&after=&before=&status=&status=failed&next=//elsewhere.example/%00",
    "?status=%F0%9F%93%A6&after=%D9%A3&page=%00",
)


def _names(patterns: list[Any], namespace: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                yield from _names(pattern.url_patterns, f"{pattern.namespace}:" if pattern.namespace else namespace)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}"


@pytest.fixture
def jobs(clerk: User) -> list[Job]:
    """A job in each condition that makes a page look different."""
    interrupted = make_interrupted_job(5, completed=2, created_by=clerk)
    set_aside(row_of(interrupted, 4))
    halted = make_interrupted_job(5)
    halt_job(row_of(halted, 1))
    shipping = make_job(3, status=JobStatus.running)
    make_live_run(shipping)
    complete_row(row_of(shipping, 1))
    waiting = make_job(2, status=JobStatus.running)
    for number in (1, 2):
        set_aside(row_of(waiting, number))
    others = [make_job(2, status=status) for status in JobStatus if status != JobStatus.running]
    return [interrupted, halted, shipping, waiting, *others, make_job(0)]


def _addresses(jobs: list[Job]) -> list[str]:
    """Every address of our own pages, with each job; a new address without an example here fails."""
    label = Label.objects.order_by("pk")[0].pk
    plain = {"shipping:job_list": "/", "recovery:desk": "/recovery/", "login": "/login/", "logout": "/logout/"}
    per_job = {
        "shipping:job": "/jobs/{0}/",
        "shipping:start": "/jobs/{0}/start/",
        "shipping:pause": "/jobs/{0}/pause/",
        "shipping:check_again": "/jobs/{0}/check/",
        "shipping:cancel": "/jobs/{0}/cancel/",
        "shipping:void": "/jobs/{0}/void/",
        "recovery:job": "/recovery/{0}/",
        "recovery:resume": "/recovery/{0}/resume/",
        "recovery:restart": "/recovery/{0}/restart/",
        "recovery:cancel": "/recovery/{0}/cancel/",
        "recovery:check_again": "/recovery/{0}/check/",
        "recovery:review": "/recovery/{0}/review/",
        "recovery:resolve": "/recovery/{0}/rows/4/",
    }
    assert set(_names(get_resolver().url_patterns)) == {*plain, *per_job, "shipping:label"}
    keys = [*(job.pk for job in jobs), 999, 9 * 10**25]
    labels = [f"/labels/{label}/", "/labels/999/", "/nowhere/"]
    return [*plain.values(), *labels, *(pattern.format(key) for pattern in per_job.values() for key in keys)]


def _books() -> list[Any]:
    return [list(model._default_manager.order_by("pk").values()) for model in BOOKS]


def _people(clerk: User, outsider: User) -> dict[str, Client]:
    staff = User.objects.create_user("staff", password="staff", is_staff=True)
    return {
        "stranger": Client(raise_request_exception=False),
        "clerk": browser_of(grant(clerk, "change_job")),
        "outsider": browser_of(outsider),
        "staff": browser_of(grant(staff, "view_job")),
        "superuser": browser_of(User.objects.create_superuser("root", password="root")),
    }


def test_every_address_answers_everybody_with_a_proper_page_and_changes_nothing(
    clerk: User, outsider: User, jobs: list[Job]
) -> None:
    before = _books()
    seen = 0
    for person, client in _people(clerk, outsider).items():
        for address in _addresses(jobs):
            response = client.get(address, follow=True)
            where = f"{address} for {person}"
            if response.status_code == 405:
                assert address == "/logout/", where
                continue
            assert response.status_code in (200, 403, 404), where
            assert len(tags(response, "h1")) == 1, where
            assert title(response).endswith("· Onceship"), where
            assert len(title(response)) > len("· Onceship"), where
            seen += 1

    assert seen > 500
    assert _books() == before


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_odd_query_strings_never_break_a_page(clerk: User, jobs: list[Job], headers: dict[str, str]) -> None:
    client = browser_of(clerk)
    before = _books()
    for address in _addresses(jobs[:3]):
        for query in ODD_QUERIES:
            assert client.get(address + query, headers=headers).status_code < 500, address + query

    assert _books() == before


def test_a_stranger_sees_nothing_but_the_sign_in_page(jobs: list[Job]) -> None:
    stranger = Client()
    for address in _addresses(jobs):
        if address in ("/login/", "/logout/"):
            continue
        response = stranger.get(address)
        if response.status_code == 404:
            assert address == "/nowhere/" or "9" * 3 in address or address.startswith(f"/jobs/{9 * 10**25}")
        else:
            assert response["Location"].startswith("/login/?next="), address


def test_every_form_that_changes_something_carries_its_token(clerk: User, jobs: list[Job]) -> None:
    client = browser_of(clerk)
    forms = 0
    for address in _addresses(jobs):
        response = client.get(address, follow=True)
        if response.streaming:
            continue
        posts = [each for each in tags(response, "form") if each.get("method") == "post"]
        tokens = [each for each in tags(response, "input") if each.get("name") == "csrfmiddlewaretoken"]
        assert len(posts) == len(tokens), address
        forms += len(posts)

    assert forms > 50
