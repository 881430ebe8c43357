"""Times in the zone of whoever looks, and what a person chooses for themselves."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.template.defaultfilters import date
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from shipping.models import Job, Preference
from shipping.preferences import save_preference
from tests.factories import make_job
from tests.views.conftest import browser_of, grant
from tests.views.reading import HTMX, tags, text

pytestmark = pytest.mark.django_db

ADDRESS = "/preferences/"


def footer(client: Client) -> str:
    """What the page says about its times."""
    return text(client.get(ADDRESS)).partition("Times are in ")[2].partition(".")[0]


def test_without_a_word_from_anybody_times_are_in_the_zone_of_the_site(browser: Client) -> None:
    assert footer(browser) == "UTC"


def test_times_are_in_the_zone_that_the_browser_says(browser: Client) -> None:
    browser.cookies["time_zone"] = "Asia/Tokyo"

    assert footer(browser) == "Asia/Tokyo (JST)"


def test_what_a_person_chose_goes_before_what_the_browser_says(browser: Client, clerk: User) -> None:
    browser.cookies["time_zone"] = "Asia/Tokyo"
    save_preference(clerk, time_zone="America/Denver", ships_at_once=False)

    assert footer(browser).startswith("America/Denver (M")


@pytest.mark.parametrize("told", ["Mars/Olympus", "../../etc/passwd", "", "x" * 4000, "Asia/Tokyo\x00", "é"])
def test_a_cookie_that_names_no_zone_is_taken_for_none(browser: Client, told: str) -> None:
    browser.cookies["time_zone"] = told

    assert footer(browser) == "UTC"


def test_pages_show_the_times_of_jobs_in_that_zone(browser: Client, clerk: User) -> None:
    job = make_job(1)
    Job.objects.filter(pk=job.pk).update(created_at=datetime(2026, 11, 22, 20, 30, tzinfo=UTC))
    assert any(each["datetime"].startswith("2026-11-22T20:30:00+00:00") for each in tags(browser.get("/"), "time"))

    browser.cookies["time_zone"] = "Asia/Tokyo"

    assert any(each["datetime"].startswith("2026-11-23T05:30:00+09:00") for each in tags(browser.get("/"), "time"))


def test_a_request_leaves_no_zone_behind(browser: Client) -> None:
    browser.cookies["time_zone"] = "Asia/Tokyo"
    browser.get("/")

    assert timezone.get_current_timezone_name() == "UTC"
    assert date(timezone.localtime(datetime(2026, 11, 22, 20, 30, tzinfo=UTC)), "H:i") == "20:30"


def test_a_person_keeps_a_zone_and_gets_the_browsers_back(browser: Client, clerk: User) -> None:
    browser.cookies["time_zone"] = "Asia/Tokyo"

    kept = browser.post(ADDRESS, {"time_zone": "Europe/London", "ships_at_once": ""}, follow=True)
    assert "Your preferences are kept." in text(kept)
    assert footer(browser).startswith("Europe/London")

    browser.post(ADDRESS, {"time_zone": "", "ships_at_once": ""})
    assert footer(browser) == "Asia/Tokyo (JST)"
    assert Preference.objects.count() == 1


def test_a_zone_that_there_is_not_is_refused_and_nothing_is_kept(browser: Client) -> None:
    refused = browser.post(ADDRESS, {"time_zone": "Mars/Olympus"})

    assert 'role="alert"' in text(refused)
    assert not Preference.objects.exists()
    with pytest.raises(ValueError, match="Mars/Olympus"):
        save_preference(User.objects.get(), time_zone="Mars/Olympus", ships_at_once=False)


def test_whether_checked_files_ship_at_once_is_remembered(browser: Client, clerk: User) -> None:
    browser.post(ADDRESS, {"time_zone": "", "ships_at_once": "at_once"})
    assert Preference.objects.get(user=clerk).ships_at_once

    chosen = [each for each in tags(browser.get(ADDRESS), "input") if each.get("type") == "radio" and "checked" in each]
    assert [each["value"] for each in chosen] == ["at_once"]

    browser.post(ADDRESS, {"time_zone": "", "ships_at_once": ""})
    assert not Preference.objects.get(user=clerk).ships_at_once


def test_who_may_not_upload_is_not_asked_and_keeps_what_was_chosen_before(outsider: User) -> None:
    save_preference(outsider, time_zone="", ships_at_once=True)
    browser = browser_of(outsider)
    assert not [each for each in tags(browser.get(ADDRESS), "input") if each.get("type") == "radio"]

    browser.post(ADDRESS, {"time_zone": "Asia/Tokyo", "ships_at_once": ""})

    assert Preference.objects.get(user=outsider).ships_at_once
    assert Preference.objects.get(user=outsider).time_zone == "Asia/Tokyo"


def test_preferences_are_one_persons_own(browser: Client, clerk: User, colleague: User) -> None:
    browser.post(ADDRESS, {"time_zone": "Asia/Tokyo", "ships_at_once": "at_once"})

    assert footer(browser_of(colleague)) == "UTC"
    assert not Preference.objects.filter(user=colleague).exists()


def test_a_preference_costs_one_query_a_page_and_none_for_a_stranger(clerk: User) -> None:
    for kept in (False, True):
        if kept:
            save_preference(clerk, time_zone="Asia/Tokyo", ships_at_once=True)
        client = browser_of(grant(clerk, "change_job"))
        with CaptureQueriesContext(connection) as asked:
            client.get(ADDRESS)
        about = [query for query in asked.captured_queries if "shipping_preference" in query["sql"]]
        assert len(about) == 1
    with CaptureQueriesContext(connection) as asked:
        Client().get("/login/")
    assert not len(asked)


def test_it_works_through_htmx_as_well(browser: Client) -> None:
    answer = browser.post(ADDRESS, {"time_zone": "Asia/Tokyo"}, headers=HTMX)

    assert answer["HX-Redirect"] == reverse("shipping:preferences")


def test_a_language_that_there_is_not_yet_is_answered_in_english(browser: Client) -> None:
    for asked in ("en-US", "en-GB,en;q=0.5", "de-DE", "x" * 5000, "*"):
        page = browser.get(ADDRESS, headers={"Accept-Language": asked})
        assert tags(page, "html")[0]["lang"] == "en"
        assert "Accept-Language" in page["Vary"]
