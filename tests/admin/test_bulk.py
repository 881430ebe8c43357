"""Cancelling and resuming many jobs at once."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping import bulk
from shipping.models import Job
from shipping.services import JobService
from shipping.states import EventKind, JobStatus
from tests.factories import make_interrupted_job, make_job, make_live_run, make_sender
from tests.views.conftest import browser_of, grant
from tests.views.reading import hidden, tags, text

pytestmark = pytest.mark.django_db

LIST = "/admin/shipping/job/"


@pytest.fixture
def staff(db: None) -> User:
    user = User.objects.create_user("staff", password="staff", is_staff=True)
    return grant(user, "view_job", "cancel_job", "resume_job")


@pytest.fixture
def browser(staff: User) -> Client:
    return browser_of(staff)


def _ask(browser: Client, action: str, jobs: list[Job], *, across: bool = False, query: str = "") -> Any:
    form = {
        "action": action,
        "index": "0",
        "select_across": "1" if across else "0",
        "_selected_action": [job.pk for job in jobs],
    }
    return browser.post(f"{LIST}{query}", form)


def _confirm(browser: Client, page: Any, *, query: str = "", reason: str = "") -> Any:
    """Press the button of a confirmation page, sending all that its form holds."""
    form: dict[str, Any] = {"reason": [reason]}
    for each in tags(page, "input"):
        if each.get("type") == "hidden" and each["name"] != "csrfmiddlewaretoken":
            form.setdefault(each["name"], []).append(each["value"])
    return browser.post(f"{LIST}{query}", form, follow=True)


def _statuses(jobs: list[Job]) -> list[str]:
    found = Job.objects.in_bulk([job.pk for job in jobs])
    return [found[job.pk].status for job in jobs]


def test_cancel_first_shows_counts_and_names_and_changes_nothing(browser: Client) -> None:
    jobs = [make_job(4, name="Never begun"), make_interrupted_job(6, completed=2, name="Torn off")]
    over = make_job(2, name="Over", status=JobStatus.completed)

    page = text(_ask(browser, "cancel_jobs", [*jobs, over]))

    assert "3 jobs are selected." in page
    assert "2 of them suit this" in page
    assert "8 rows of those are not bought yet." in page
    assert "Never begun" in page
    assert "Torn off" in page
    assert _statuses(jobs) == ["pending", "running"]


def _lines(page: Any) -> list[str]:
    """The named jobs of a confirmation page, without their links."""
    listed = text(page).split("<ol>")[1].split("</ol>")[0]
    return [each.split("</a>")[1].replace("</li>", "").strip() for each in listed.split("<li>")[1:]]


def test_cancel_tells_of_each_job_how_it_stands_and_what_was_spent(browser: Client) -> None:
    torn = make_interrupted_job(6, completed=2, cost_cents=1050)
    jobs = [
        torn,
        make_interrupted_job(3, completed=1, cost_cents=900),
        make_job(4),
        make_job(2, status=JobStatus.completed),
    ]
    Job.objects.filter(pk=torn.pk).update(replaced_cents=100)

    page = _ask(browser, "cancel_jobs", jobs)

    assert _lines(page) == [
        "(Interrupted, 2 of 6 bought, $22.00 spent)",
        "(Interrupted, 1 of 3 bought, $9.00 spent)",
        "(Not started, 0 of 4 bought, $0.00 spent)",
        "(Completed, 0 of 2 bought, will be skipped)",
    ]
    assert "$31.00 has been spent on those so far." in text(page)
    assert "estimate" not in text(page)


def test_resume_tells_which_jobs_will_go_on_and_what_that_may_cost(browser: Client) -> None:
    jobs = [
        make_interrupted_job(6, completed=2, cost_cents=1050),
        make_interrupted_job(3, completed=1, cost_cents=900),
        make_interrupted_job(5),
        make_job(3, status=JobStatus.running),
    ]
    make_live_run(jobs[3])

    page = _ask(browser, "resume_jobs", jobs)

    assert _lines(page) == [
        "(Interrupted, 2 of 6 bought, the rest for about $42.00)",
        "(Interrupted, 1 of 3 bought, the rest for about $18.00)",
        "(Interrupted, 0 of 5 bought, no price known yet)",
        "(Shipping, 0 of 3 bought, will be skipped)",
    ]
    assert "Buying them costs about $60.00: an estimate" in text(page)
    assert "What 5 rows will cost can't be estimated" in text(page).replace("&#x27;", "'")
    assert "spent" not in text(page)


def test_sums_are_kept_apart_by_currency(browser: Client) -> None:
    jobs = [make_interrupted_job(3, completed=1, cost_cents=cents) for cents in (700, 900)]
    Job.objects.filter(pk=jobs[1].pk).update(currency="CAD")

    cancel, resume = (text(_ask(browser, action, jobs)) for action in ("cancel_jobs", "resume_jobs"))

    assert "$7.00 has been spent" in cancel
    assert "9.00 CAD has been spent" in cancel
    assert "about $14.00: an estimate" in resume
    assert "about 18.00 CAD: an estimate" in resume


@pytest.mark.parametrize("action", ["cancel_jobs", "resume_jobs"])
def test_the_confirmation_of_many_jobs_costs_no_more_queries(browser: Client, action: str) -> None:
    counts = []
    for more in (2, 20):
        jobs = [make_interrupted_job(2, completed=1) for _number in range(more)]
        with CaptureQueriesContext(connection) as queries:
            _ask(browser, action, jobs)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_a_confirmed_cancel_reports_how_many_and_why_others_were_skipped(browser: Client, staff: User) -> None:
    jobs = [make_job(4), make_interrupted_job(6), make_job(2, name="Over already", status=JobStatus.completed)]

    page = text(_confirm(browser, _ask(browser, "cancel_jobs", jobs), reason="Spring cleaning"))

    assert _statuses(jobs) == ["cancelled", "cancelled", "completed"]
    assert "Done for 2 jobs." in page
    assert "1 job was skipped: 1 × completed (“Over already”)." in page
    event = jobs[0].events.get(kind=EventKind.cancelled)
    assert (event.actor, event.details["reason"]) == (staff, "Spring cleaning")


def test_resume_carries_the_interrupted_ones_on(browser: Client, staff: User) -> None:
    interrupted, working = make_interrupted_job(6), make_job(3, name="At work", status=JobStatus.running)
    make_live_run(working)

    asked = _ask(browser, "resume_jobs", [interrupted, working])
    page = text(_confirm(browser, asked))

    assert "1 of them suits this" in text(asked)
    assert "Done for 1 job." in page
    assert "1 × shipping (“At work”)" in page
    assert interrupted.events.get(kind=EventKind.resumed).actor == staff
    assert not working.events.filter(kind=EventKind.resumed).exists()


def test_restart_is_not_offered_in_bulk(browser: Client) -> None:
    make_interrupted_job(2)

    offered = [each.get("value") for each in tags(browser.get(LIST), "option")]

    assert {"cancel_jobs", "resume_jobs"} <= set(offered)
    assert not [each for each in offered if "restart" in str(each)]


def test_a_job_that_moved_after_it_was_shown_stops_the_whole_thing(browser: Client, colleague: User) -> None:
    jobs = [make_job(4), make_job(4)]
    asked = _ask(browser, "cancel_jobs", jobs)
    JobService().start(jobs[1].pk, actor=colleague)

    page = _confirm(browser, asked)

    assert "has changed since you were shown it" in text(page)
    assert _statuses(jobs) == ["pending", "running"]
    _confirm(browser, page)
    assert _statuses(jobs) == ["cancelled", "cancelled"]


def test_all_that_match_the_filters_are_found_again_by_them(browser: Client) -> None:
    sender = make_sender()
    jobs = [make_job(1, name=f"Batch {number}", sender=sender) for number in range(130)]
    other = make_job(1, name="Something else", sender=sender)
    query = "?q=Batch"

    asked = _ask(browser, "cancel_jobs", jobs[-100:], across=True, query=query)
    assert "130 jobs are selected." in text(asked)
    assert "and 80 more" in text(asked)
    assert len([each for each in tags(asked, "input") if each.get("name") == "_selected_action"]) == 1
    page = text(_confirm(browser, asked, query=query))

    assert "Done for 130 jobs." in page
    assert set(_statuses(jobs)) == {"cancelled"}
    assert Job.objects.get(pk=other.pk).status == JobStatus.pending


def test_a_job_that_joined_the_filtered_ones_is_noticed(browser: Client) -> None:
    jobs = [make_job(1, name="Batch 1"), make_job(1, name="Batch 2")]
    asked = _ask(browser, "cancel_jobs", jobs, across=True, query="?q=Batch")
    joined = make_job(1, name="Batch 3")

    page = text(_confirm(browser, asked, query="?q=Batch"))

    assert "has changed since you were shown it" in page
    assert "3 jobs are selected." in page
    assert set(_statuses([*jobs, joined])) == {"pending"}


def test_a_made_up_fingerprint_changes_nothing(browser: Client) -> None:
    job = make_job(1)
    form = {"action": "cancel_jobs", "_selected_action": [job.pk], "index": "0", "fingerprint": "0" * 64}

    assert browser.post(LIST, form).status_code == 200
    assert _statuses([job]) == ["pending"]


@pytest.mark.parametrize(("right", "action"), [("cancel_job", "resume_jobs"), ("resume_job", "cancel_jobs")])
def test_an_action_needs_its_own_right(db: None, right: str, action: str) -> None:
    staff = grant(User.objects.create_user("half", password="half", is_staff=True), "view_job", right)
    job = make_interrupted_job(2)

    response = _ask(browser_of(staff), action, [job])

    assert action not in [each.get("value") for each in tags(browser_of(staff).get(LIST), "option")]
    assert "fingerprint" not in text(response)
    assert _statuses([job]) == ["running"]
    assert not job.events.exists()


def test_the_fingerprint_of_the_page_is_the_one_that_counts(browser: Client) -> None:
    first, second = make_job(1), make_job(1)
    fingerprint = hidden(_ask(browser, "cancel_jobs", [first]), "fingerprint")
    form = {"action": "cancel_jobs", "_selected_action": [second.pk], "index": "0", "fingerprint": fingerprint}

    browser.post(LIST, form)

    assert _statuses([first, second]) == ["pending", "pending"]


@pytest.mark.parametrize("across", [False, True])
def test_what_one_request_cannot_carry_out_goes_on_with_the_next(
    browser: Client, monkeypatch: pytest.MonkeyPatch, across: bool
) -> None:
    monkeypatch.setattr(bulk, "SECONDS_A_REQUEST", -1.0)
    monkeypatch.setattr(bulk, "CHUNK_JOBS", 2)
    sender = make_sender()
    jobs = [make_job(1, name=f"Batch {number}", sender=sender) for number in range(5)]
    jobs[1:2] = [make_job(1, name="Batch over", sender=sender, status=JobStatus.completed)]

    page = _confirm(browser, _ask(browser, "cancel_jobs", jobs, across=across, query="?q=Batch"), query="?q=Batch")
    assert "Done for 2, skipped 0," in text(page)
    assert any("data-goes-on" in each for each in tags(page, "form"))
    rounds = 1
    while any("data-goes-on" in each for each in tags(page, "form")):
        page = _confirm(browser, page, query="?q=Batch")
        rounds += 1

    assert rounds == 3
    assert "1 × completed (“Batch over”)" in text(page)
    assert [status for status in _statuses(jobs) if status != "cancelled"] == ["completed"]


def test_going_on_notices_what_moved_among_the_rest(
    browser: Client, colleague: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "SECONDS_A_REQUEST", -1.0)
    monkeypatch.setattr(bulk, "CHUNK_JOBS", 1)
    jobs = [make_job(1), make_job(1), make_job(1)]
    page = _confirm(browser, _ask(browser, "cancel_jobs", jobs))
    JobService().start(jobs[2].pk, actor=colleague)

    page = _confirm(browser, page)

    assert "has changed since you were shown it" in text(page)
    assert "2 jobs are selected." in text(page)
    assert _statuses(jobs) == ["cancelled", "pending", "running"]
