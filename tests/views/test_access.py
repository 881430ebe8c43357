"""The door: signing in and out, expired sessions, rights, and the headers that every page carries."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_job
from tests.views.conftest import browser_of
from tests.views.reading import HTMX, attributes_used, tags, text

pytestmark = pytest.mark.django_db


def test_a_stranger_is_sent_to_sign_in_and_then_to_the_page(clerk: User) -> None:
    job = make_job(1)
    client = Client()

    to_sign_in = client.get(f"/jobs/{job.pk}/?status=failed")
    assert to_sign_in["Location"] == f"/login/?next=/jobs/{job.pk}/%3Fstatus%3Dfailed"

    form = {"username": "clerk", "password": "clerk", "next": f"/jobs/{job.pk}/?status=failed"}
    assert client.post("/login/", form)["Location"] == f"/jobs/{job.pk}/?status=failed"


def test_a_wrong_password_says_so(clerk: User) -> None:
    response = Client().post("/login/", {"username": "clerk", "password": "wrong"})

    assert "do not match" in text(response)


def test_an_expired_session_sends_htmx_to_sign_in_and_back_to_the_open_page() -> None:
    headers = {**HTMX, "HX-Current-URL": "http://testserver/jobs/7/?after=50"}

    response = Client().get("/jobs/7/", headers=headers)

    assert response.status_code == 200
    assert response["HX-Redirect"] == "/login/?next=/jobs/7/%3Fafter%3D50"
    assert not response.content


def test_an_expired_session_never_leads_to_another_site() -> None:
    headers = {**HTMX, "HX-Current-URL": "https://elsewhere.example/jobs/7/"}

    response = Client().post("/recovery/7/resume/", headers=headers)

    assert response["HX-Redirect"] == "/login/?next=/"


def test_signing_out_is_a_post(clerk: User) -> None:
    client = browser_of(clerk)

    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").status_code == 302
    assert client.get("/").status_code == 302


def test_without_the_right_the_page_says_which_one_is_needed(outsider: User) -> None:
    response = browser_of(outsider).get("/")

    assert response.status_code == 403
    assert "Can view jobs" in text(response)


def test_a_form_without_its_token_is_refused_in_our_look(clerk: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(clerk)

    response = client.post("/jobs/1/cancel/")

    assert response.status_code == 403
    assert "This form has expired" in text(response)


def test_pages_obey_the_strict_content_security_policy(browser: Client) -> None:
    job = make_job(2)
    for address in ("/", f"/jobs/{job.pk}/", f"/jobs/{job.pk}/cancel/", "/recovery/"):
        response = browser.get(address)

        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert "unsafe" not in response["Content-Security-Policy"]
        assert all(script.get("src") for script in tags(response, "script"))
        assert not tags(response, "style")
        assert not {name for name in attributes_used(response) if name == "style" or name.startswith(("on", "hx-on"))}


def test_htmx_is_told_not_to_evaluate_store_or_style_anything(browser: Client) -> None:
    configuration = next(
        each["content"] for each in tags(browser.get("/"), "meta") if each.get("name") == "htmx-config"
    )

    assert '"allowEval": false' in configuration
    assert '"includeIndicatorStyles": false' in configuration
    assert '"historyCacheSize": 0' in configuration


def test_pages_vary_with_htmx_and_are_not_kept(browser: Client) -> None:
    response = browser.get("/")

    assert "HX-Request" in response["Vary"]
    assert "no-store" in response["Cache-Control"]


def test_there_is_always_one_region_for_messages(browser: Client) -> None:
    regions = [each for each in tags(browser.get("/"), "div") if each.get("role") == "status"]

    assert sorted(each["id"] for each in regions) == ["banner", "messages"]
