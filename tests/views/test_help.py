"""Help: for everybody who is signed in, in plain words, and with every link leading somewhere."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from shipping.views.help_pages import TOPICS
from tests.views.conftest import browser_of
from tests.views.reading import tags, text, title

pytestmark = pytest.mark.django_db


def test_every_topic_is_listed_and_can_be_read(browser: Client) -> None:
    listed = browser.get(reverse("shipping:help"))

    links = {link["href"] for link in tags(listed, "a")}
    for slug, name in TOPICS.items():
        address = reverse("shipping:help_page", args=[slug])
        assert address in links
        page = browser.get(address)
        assert page.status_code == 200
        assert title(page) == f"{name} · Onceship"
        assert len(tags(page, "h1")) == 1
        assert len(text(page)) > 1_000


@pytest.mark.parametrize("slug", TOPICS)
def test_links_of_help_lead_to_pages_that_there_are(browser: Client, slug: str) -> None:
    page = browser.get(reverse("shipping:help_page", args=[slug]))

    inside = [link["href"] for link in tags(page, "a") if link["href"].startswith("/")]
    assert inside
    for address in set(inside):
        assert browser.get(address).status_code in (200, 302), address


def test_somebody_without_any_right_can_read_help(outsider: User) -> None:
    assert browser_of(outsider).get(reverse("shipping:help_page", args=["stuck"])).status_code == 200


def test_a_stranger_is_asked_to_sign_in() -> None:
    address = reverse("shipping:help_page", args=["stuck"])
    assert Client().get(address)["Location"] == f"{reverse('login')}?next={address}"


def test_a_topic_that_there_is_not_is_a_404(browser: Client) -> None:
    assert browser.get("/help/nonsense/").status_code == 404
    assert browser.get("/help/topic/").status_code == 404


def test_every_help_page_costs_the_same_few_queries(browser: Client) -> None:
    browser.get("/help/")  # what a process asks for once only
    spent = []
    for slug in TOPICS:
        with CaptureQueriesContext(connection) as asked:
            browser.get(reverse("shipping:help_page", args=[slug]))
        spent.append(len(asked))

    assert len(set(spent)) == 1
