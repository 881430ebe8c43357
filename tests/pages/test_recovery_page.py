"""The recovery page of one job: facts, choices, resume and cancel."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from shipping.models import Job, Label
from shipping.runs import record
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, RowStatus, Sweep
from tests.factories import (
    claim_row,
    complete_row,
    fail_row,
    halt_job,
    make_dead_run,
    make_interrupted_job,
    make_job,
    make_live_run,
    row_of,
    set_aside,
)
from tests.views.conftest import browser_of, grant
from tests.views.reading import HTMX, hidden, tags, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(db: None) -> Job:
    """47 of 200 bought, 52 the highest row; rows 48 and 49 in doubt."""
    job = make_interrupted_job(200, completed=46)
    complete_row(row_of(job, 52), tracking_number="9400TEST52")
    for number in (48, 49):
        claim_row(row_of(job, number), job.runs.get())
    return Job.objects.get(pk=job.pk)


def _fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def _confirmation(browser: Client, job: Job, choice: str) -> str:
    return hidden(browser.get(f"/recovery/{job.pk}/"), "confirmation", action=f"/recovery/{job.pk}/{choice}/")


def test_it_tells_what_is_certain(browser: Client, job: Job) -> None:
    page = text(browser.get(f"/recovery/{job.pk}/"))

    assert "47 of 200 bought" in page
    assert "highest row 52" in page
    assert "Last label: row 52, Recipient 52, tracking number 9400TEST52." in page
    assert "Spent so far: $352.50." in page
    assert "No worker is running." in page
    assert "stopped in the middle without a word" in page


@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "(less than a minute ago)"), (125, "(2\N{NO-BREAK SPACE}minutes ago)")]
)
def test_it_tells_how_long_ago_the_last_sign_of_work_was(browser: Client, job: Job, seconds: int, said: str) -> None:
    job.runs.update(beat_at=timezone.now() - timedelta(seconds=seconds))

    assert said in browser.get(f"/recovery/{job.pk}/").content.decode()


def test_after_a_restart_the_highest_row_is_not_told_since_it_may_be_of_before(browser: Client, job: Job) -> None:
    JobService().restart(job.pk, expected=JobService().facts(job))
    make_dead_run(job)

    page = text(browser.get(f"/recovery/{job.pk}/"))

    assert "47 of 200 bought" in page
    assert "highest row" not in page


def test_it_tells_each_doubt_with_what_the_carrier_said(browser: Client, job: Job) -> None:
    row = row_of(job, 49)
    row.answer, row.answered_at = "Could not find out: no connection.", row.claimed_at
    row.save()

    page = text(browser.get(f"/recovery/{job.pk}/"))

    doubts = page.split("What is not certain")[1].split("What do you want to do?")[0]
    assert "2 purchases were sent and their answers never arrived." in doubts
    assert "Recipient 48" in doubts
    assert "Not asked yet." in doubts
    assert "Could not find out: no connection." in doubts
    assert "charges each purchase at most once" in doubts


def _doubts(browser: Client, job: Job) -> str:
    return text(browser.get(f"/recovery/{job.pk}/")).split("What is not certain")[1].split("What do you want")[0]


def test_it_tells_what_asking_the_carrier_has_found(browser: Client, job: Job) -> None:
    record(job, EventKind.adopted, row=row_of(job, 48), tracking_number="9400FOUND48", cost_cents=1234)
    record(job, EventKind.not_bought, row=row_of(job, 49), claim=1)
    record(job, EventKind.late_label, row=row_of(job, 50), tracking_number="9400LATE50", cost_cents=1234)
    record(job, EventKind.set_aside, row=row_of(job, 51), code="not_found", message="Unknown.")

    doubts = _doubts(browser, job)

    assert "4 answers have come in" in doubts
    lines = [line for line in doubts.split("<tr>") if "What was found" in line and "<td" in line]
    assert ["51", "50", "49", "48"] == [line.split("</span>")[1].split("<")[0] for line in lines]
    assert "needs a decision" in lines[0]
    assert "An answer came late: it was bought" in lines[1]
    assert "9400LATE50" in lines[1]
    assert "The carrier says it was not bought; the row waits." in lines[2]
    assert "$" not in lines[2]
    for part in ("Recipient 48", "The carrier says it was bought; the label has been", "9400FOUND48", "$12.34"):
        assert part in lines[3]


def test_answers_from_before_the_last_choice_are_left_to_the_history(browser: Client, job: Job) -> None:
    record(job, EventKind.adopted, row=row_of(job, 48), tracking_number="9400EARLIER", cost_cents=750)
    for kind in (EventKind.started, EventKind.resumed, EventKind.restarted):
        assert "9400EARLIER" in _doubts(browser, job)
        record(job, kind)
        assert "9400EARLIER" not in _doubts(browser, job)
        record(job, EventKind.adopted, row=row_of(job, 48), tracking_number="9400EARLIER", cost_cents=750)


def test_many_answers_are_counted_and_the_newest_shown_in_as_many_queries(browser: Client, job: Job) -> None:
    counts = []
    for first, last in ((1, 2), (3, 30)):
        for number in range(first, last + 1):
            record(job, EventKind.not_bought, row=row_of(job, number), claim=1)
        with CaptureQueriesContext(connection) as queries:
            doubts = _doubts(browser, job)
        counts.append(len(queries))

    assert "30 answers have come in" in doubts
    assert doubts.count("the row waits.") == 20
    assert "and 10 earlier ones" in doubts
    assert counts[0] == counts[1]


def test_each_choice_says_what_it_will_do_in_rows_and_money(browser: Client, job: Job) -> None:
    page = text(browser.get(f"/recovery/{job.pk}/"))

    assert "Buys 151 remaining rows, for about $1,132.50." in page
    assert "Buys 47 labels again that cost $352.50" in page
    assert "Buys nothing more: 151 rows will not be processed." in page


def test_it_shows_the_error_and_its_row(browser: Client) -> None:
    job = make_interrupted_job(3, completed=1)
    halt_job(row_of(job, 2), code="ADDRESS.INVALID", message="No such street.")

    page = text(browser.get(f"/recovery/{job.pk}/"))

    assert "The error, at row 2 (Recipient 2):" in page
    assert "No such street." in page
    assert "ADDRESS.INVALID" in page
    assert "Skip the failed row" in page
    assert f'href="/recovery/{job.pk}/rows/2/order/"' in page, "what was refused can be corrected before it is tried"


def test_resume_goes_on_and_leads_to_the_jobs_live_progress(browser: Client, clerk: User, job: Job) -> None:
    confirmation = _confirmation(browser, job, "resume")

    page = browser.post(
        f"/recovery/{job.pk}/resume/", {"confirmation": confirmation, "reason": "Power cut"}, follow=True
    )

    assert page.redirect_chain == [(f"/jobs/{job.pk}/", 302)]
    assert "Resuming" in text(page)
    assert any(each.get("hx-trigger") == "every 2s" for each in tags(page, "section"))
    event = job.events.get(kind=EventKind.resumed)
    assert (event.actor, event.details["reason"]) == (clerk, "Power cut")
    assert _fresh(job).epoch == job.epoch + 1


def test_resume_by_htmx_redirects_the_browser(browser: Client, job: Job) -> None:
    confirmation = _confirmation(browser, job, "resume")

    response = browser.post(f"/recovery/{job.pk}/resume/", {"confirmation": confirmation}, headers=HTMX)

    assert (response.status_code, response["HX-Redirect"]) == (200, f"/jobs/{job.pk}/")
    assert job.events.filter(kind=EventKind.resumed).exists()


def test_resume_tries_the_row_again_that_stopped_the_job(browser: Client) -> None:
    job = make_interrupted_job(3)
    halt_job(row_of(job, 1))
    confirmation = _confirmation(browser, job, "resume")

    browser.post(f"/recovery/{job.pk}/resume/", {"confirmation": confirmation, "halting_row": "retry"})

    assert row_of(job, 1).status == RowStatus.pending


def test_resume_skips_the_row_that_stopped_the_job_when_told_so(browser: Client) -> None:
    job = make_interrupted_job(3)
    halt_job(row_of(job, 1))
    confirmation = _confirmation(browser, job, "resume")

    browser.post(f"/recovery/{job.pk}/resume/", {"confirmation": confirmation, "halting_row": "skip"})

    assert row_of(job, 1).status == RowStatus.skipped
    assert _fresh(job).error_code == ""


def test_resume_offers_to_try_all_failed_rows_again(browser: Client) -> None:
    job = make_job(4, status=JobStatus.running, stop_on_error=False)
    assert 'name="retry_failed"' not in text(browser.get(f"/recovery/{job.pk}/"))
    fail_row(row_of(job, 1))
    assert 'name="retry_failed"' in text(browser.get(f"/recovery/{job.pk}/"))

    confirmation = _confirmation(browser, job, "resume")
    browser.post(f"/recovery/{job.pk}/resume/", {"confirmation": confirmation, "retry_failed": "on"})

    assert _fresh(job).sweep == Sweep.retry


def test_cancel_stops_the_job_for_good(browser: Client, job: Job) -> None:
    confirmation = _confirmation(browser, job, "cancel")

    page = browser.post(f"/recovery/{job.pk}/cancel/", {"confirmation": confirmation}, follow=True)

    assert "no further rows will be processed" in text(page)
    assert _fresh(job).status == JobStatus.cancelled


@pytest.mark.parametrize("choice", ["resume", "cancel"])
def test_a_choice_made_from_stale_facts_is_refused_and_shown_anew(
    browser: Client, colleague: User, choice: str
) -> None:
    job = make_interrupted_job(3)
    confirmation = _confirmation(browser, job, choice)
    JobService().pause(job.pk, actor=colleague)
    JobService().update_status(job.pk, "running", actor=colleague)
    address = f"/recovery/{job.pk}/{choice}/"

    plain = browser.post(address, {"confirmation": confirmation})
    fragment = browser.post(address, {"confirmation": confirmation}, headers=HTMX)

    assert (plain.status_code, fragment.status_code) == (409, 200)
    for response in (plain, fragment):
        assert "colleague chose “started”" in text(response)
        assert hidden(response, "confirmation", action=address) != confirmation
    assert "<html" not in text(fragment)
    assert _fresh(job).status == JobStatus.running
    assert not job.events.filter(kind__in=[EventKind.resumed, EventKind.cancelled]).exists()


@pytest.mark.parametrize("choice", ["resume", "cancel"])
def test_the_second_of_two_people_is_told_what_the_first_chose(browser: Client, colleague: User, choice: str) -> None:
    job = make_interrupted_job(3)
    confirmation = _confirmation(browser, job, choice)
    JobService().cancel(job.pk, actor=colleague)

    response = browser.post(f"/recovery/{job.pk}/{choice}/", {"confirmation": confirmation})

    assert response.status_code == 409
    assert "colleague chose “cancelled”" in text(response)
    assert f'href="/jobs/{job.pk}/"' in text(response)


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("choice", ["resume", "cancel"])
def test_a_button_pressed_twice_acts_once_and_says_so_calmly(
    browser: Client, job: Job, choice: str, headers: dict[str, str]
) -> None:
    form = {"confirmation": _confirmation(browser, job, choice)}
    address = f"/recovery/{job.pk}/{choice}/"
    browser.post(address, form, headers=headers)
    events, epoch = job.events.count(), _fresh(job).epoch

    again = browser.post(address, form, headers=headers)

    assert again.status_code == (200 if headers else 409)
    assert "You chose this already" in text(again)
    assert "has done nothing more" in text(again)
    assert "was not carried out" not in text(again)
    assert f'href="/jobs/{job.pk}/"' in text(again)
    assert (job.events.count(), _fresh(job).epoch) == (events, epoch)


def test_a_second_choice_by_the_same_person_is_not_taken_for_the_first(browser: Client, job: Job) -> None:
    forms = {choice: {"confirmation": _confirmation(browser, job, choice)} for choice in ("resume", "cancel")}
    browser.post(f"/recovery/{job.pk}/resume/", forms["resume"])

    other = text(browser.post(f"/recovery/{job.pk}/cancel/", forms["cancel"]))

    assert "You chose this already" not in other
    assert "Your choice was not carried out" in other
    assert _fresh(job).status == JobStatus.running


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_was_refused_takes_the_focus(browser: Client, job: Job, headers: dict[str, str]) -> None:
    response = browser.post(f"/recovery/{job.pk}/resume/", {"confirmation": "stale"}, headers=headers)

    (alert,) = [each for each in tags(response, "p") if each.get("role") == "alert"]
    assert {"autofocus", "tabindex"} <= set(alert)


@pytest.mark.parametrize("choice", ["resume", "cancel"])
@pytest.mark.parametrize("confirmation", ["", "nonsense"])
def test_a_choice_without_what_was_shown_changes_nothing(
    browser: Client, job: Job, choice: str, confirmation: str
) -> None:
    response = browser.post(f"/recovery/{job.pk}/{choice}/", {"confirmation": confirmation})

    assert response.status_code == 409
    assert _fresh(job).epoch == job.epoch
    assert not job.events.exists()


@pytest.mark.parametrize(("status", "condition"), [(JobStatus.paused, "Paused"), (JobStatus.completed, "Completed")])
def test_a_job_that_is_not_interrupted_leads_to_its_page(browser: Client, status: JobStatus, condition: str) -> None:
    job = make_job(2, status=status)

    page = browser.get(f"/recovery/{job.pk}/", follow=True)

    assert page.redirect_chain == [(f"/jobs/{job.pk}/", 302)]
    assert f"is not interrupted, so there is nothing to decide. How it stands: {condition}." in text(page)


def test_who_may_not_choose_sees_the_choices_and_what_is_needed(viewer: User, job: Job) -> None:
    client = browser_of(viewer)
    page = client.get(f"/recovery/{job.pk}/")

    assert text(page).count("You may not choose this.") == 3
    assert "Can resume an interrupted job" in text(page)
    assert all("disabled" in each for each in tags(page, "fieldset"))
    assert f'href="/recovery/{job.pk}/restart/"' not in text(page)
    for choice in ("resume", "restart", "cancel", "check"):
        assert client.post(f"/recovery/{job.pk}/{choice}/").status_code == 403
    assert _fresh(job).epoch == job.epoch


def test_who_may_not_choose_is_told_who_may(viewer: User, clerk: User, colleague: User, job: Job) -> None:
    colleague.user_permissions.remove(Permission.objects.get(codename="restart_job"))
    shift = Group.objects.create(name="Night shift")
    shift.permissions.add(Permission.objects.get(codename="restart_job"))
    nina = User.objects.create_user("nina", first_name="Nina", last_name="Night")
    nina.groups.add(shift)
    User.objects.create_user("gone", is_active=False, is_superuser=True)

    page = text(browser_of(viewer).get(f"/recovery/{job.pk}/"))

    assert page.count("Who may: clerk, colleague.") == 2
    assert "Who may: clerk, Nina Night." in page


def test_of_many_who_may_choose_some_are_named_in_as_many_queries(viewer: User, job: Job) -> None:
    counts = []
    for more in (1, 9):
        for number in range(more):
            User.objects.create_superuser(f"root{more}{number}")
        with CaptureQueriesContext(connection) as queries:
            page = text(browser_of(viewer).get(f"/recovery/{job.pk}/"))
        counts.append(len(queries))

    assert "Who may: root10, root90, root91, root92, root93 and others." in page
    assert counts[0] == counts[1]


def test_a_right_that_nobody_has_is_called_so(viewer: User, job: Job) -> None:
    assert text(browser_of(viewer).get(f"/recovery/{job.pk}/")).count("Nobody has it yet.") == 3


def test_each_right_opens_its_own_choice(viewer: User, job: Job) -> None:
    client = browser_of(grant(viewer, "cancel_job"))

    assert text(client.get(f"/recovery/{job.pk}/")).count("You may not choose this.") == 2
    confirmation = _confirmation(client, job, "cancel")
    assert client.post(f"/recovery/{job.pk}/cancel/", {"confirmation": confirmation}).status_code == 302


def test_check_again_queues_the_question_and_comes_back(browser: Client, job: Job) -> None:
    page = browser.post(f"/recovery/{job.pk}/check/", follow=True)

    assert page.redirect_chain == [(f"/recovery/{job.pk}/", 302)]
    assert "The carrier will be asked about 2 rows." in text(page)
    assert job.events.get(kind=EventKind.check_requested).details["rows"] == 2


def test_rows_in_review_are_led_to(browser: Client, job: Job) -> None:
    set_aside(row_of(job, 60))

    assert f'href="/recovery/{job.pk}/review/"' in text(browser.get(f"/recovery/{job.pk}/"))


def test_it_tells_what_it_has_cost_and_what_of_that_is_lost(browser: Client) -> None:
    job = make_interrupted_job(5, completed=3, cost_cents=1000)
    Label.objects.filter(row=row_of(job, 3)).update(voided_at=timezone.now())
    Job.objects.filter(pk=job.pk).update(cost_cents=1500, replaced_cents=500)

    cost = text(browser.get(f"/recovery/{job.pk}/")).split("What it has cost")[1].split("What do you want")[0]

    for said in ("Spent so far</dt><dd>$20.00", "in use</dt><dd>$15.00", "bought twice</dt><dd>$5.00"):
        assert said in cost
    assert "1 voided label</dt><dd>$10.00" in cost


def test_what_happened_leads_to_help_where_the_question_arises(browser: Client, job: Job) -> None:
    page = text(browser.get(f"/recovery/{job.pk}/"))

    for slug in ("stuck", "doubt", "resume", "restart", "cancel"):
        assert f'href="/help/{slug}/"' in page


def test_a_worker_that_waits_is_mentioned(browser: Client, job: Job) -> None:
    make_live_run(make_job(1, status=JobStatus.running))

    assert "A worker is running and waits for your decision." in text(browser.get(f"/recovery/{job.pk}/"))


def test_more_rows_cost_no_more_queries(browser: Client) -> None:
    counts = []
    for rows, completed in ((5, 3), (500, 300)):
        job = make_interrupted_job(rows, completed=completed)
        claim_row(row_of(job, completed + 1), job.runs.get())
        with CaptureQueriesContext(connection) as queries:
            browser.get(f"/recovery/{job.pk}/")
        counts.append(len(queries))

    assert counts[0] == counts[1]
