"""The buttons on a job's page, as plain forms and through htmx."""

import pytest
from django.contrib.auth.models import User
from django.core.signing import dumps
from django.test import Client

from shipping.models import Job, Row
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, Sweep
from tests.factories import claim_row, complete_row, make_interrupted_job, make_job, make_live_run, row_of, set_aside
from tests.views.conftest import browser_of
from tests.views.figures import numbers
from tests.views.reading import HTMX, hidden, tags, text

pytestmark = pytest.mark.django_db


def _fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def _over(rows: int = 3, *, cost_cents: int = 750) -> Job:
    """A job with all its rows bought that was then cancelled."""
    job = make_job(rows, status=JobStatus.running)
    for number in range(1, rows + 1):
        complete_row(row_of(job, number), cost_cents=cost_cents)
    JobService().cancel(job.pk)
    return _fresh(job)


def test_start_makes_the_job_run_and_says_so(browser: Client, clerk: User) -> None:
    job = make_job(2)

    page = browser.post(f"/jobs/{job.pk}/start/", follow=True)

    assert page.redirect_chain == [(f"/jobs/{job.pk}/", 302)]
    assert "is started" in text(page)
    assert _fresh(job).status == JobStatus.running
    assert job.runs.count() == 1
    assert job.events.get(kind=EventKind.started).actor == clerk


def test_start_by_htmx_brings_the_part_that_moved_and_the_message(browser: Client) -> None:
    job = make_job(2)

    fragment = browser.post(f"/jobs/{job.pk}/start/", headers=HTMX)

    assert "<html" not in text(fragment)
    live = tags(fragment, "section")[0]
    assert live["id"] == "live"
    assert live["hx-get"].startswith(f"/jobs/{job.pk}/?seen=")
    region = next(each for each in tags(fragment, "div") if each.get("id") == "messages")
    assert (region["role"], region["hx-swap-oob"]) == ("status", "true")
    assert "is started" in text(fragment)


def test_a_refused_start_says_why_and_changes_nothing(browser: Client) -> None:
    job = make_job(2, status=JobStatus.cancelled)

    page = browser.post(f"/jobs/{job.pk}/start/", follow=True)

    assert "can&#x27;t become running" in text(page)
    assert _fresh(job).status == JobStatus.cancelled
    assert not job.runs.exists()


def test_pause_and_carry_on(browser: Client) -> None:
    job = make_job(3, status=JobStatus.running)
    claim_row(row_of(job, 1), make_live_run(job))

    paused = text(browser.post(f"/jobs/{job.pk}/pause/", follow=True))
    assert _fresh(job).status == JobStatus.paused
    assert "1 purchase was already sent or is in doubt" in paused
    assert "Carry on" in paused

    browser.post(f"/jobs/{job.pk}/start/")
    assert _fresh(job).status == JobStatus.running
    assert job.events.filter(kind=EventKind.resumed).exists()


@pytest.mark.parametrize("command", ["start", "pause", "check"])
def test_opening_a_buttons_address_changes_nothing(browser: Client, command: str) -> None:
    job = make_job(3)

    assert browser.get(f"/jobs/{job.pk}/{command}/").headers["Location"] == f"/jobs/{job.pk}/"
    assert _fresh(job).status == JobStatus.pending
    assert not job.events.exists()


def test_check_again_queues_the_question(browser: Client) -> None:
    job = make_interrupted_job(3)
    set_aside(row_of(job, 2))

    page = text(browser.post(f"/jobs/{job.pk}/check/", follow=True))

    assert "The carrier will be asked about 1 row." in page
    assert job.events.get(kind=EventKind.check_requested).details["rows"] == 1


def test_check_again_does_not_call_a_bought_row_in_doubt(browser: Client) -> None:
    job = make_interrupted_job(3)
    label = complete_row(row_of(job, 1))
    Row.objects.filter(pk=label.row_id).update(due=1.0)

    page = text(browser.post(f"/jobs/{job.pk}/check/", follow=True))

    assert "is in doubt: for every row it is known whether it was bought." in page
    assert "nothing to ask" not in page
    assert row_of(job, 1).ask_after > 0


@pytest.mark.parametrize("command", ["pause", "cancel"])
def test_a_bought_row_that_owes_an_answer_is_not_said_to_be_in_the_air(browser: Client, command: str) -> None:
    job = make_job(3, status=JobStatus.running)
    run = make_live_run(job)
    label = complete_row(row_of(job, 1))
    Row.objects.filter(pk=label.row_id).update(due=book_now() + 20, run=run)

    asked = browser.get(f"/jobs/{job.pk}/cancel/")
    sent = {"confirmation": hidden(asked, "confirmation")}
    done = browser.post(f"/jobs/{job.pk}/{command}/", sent, follow=True)

    assert "Purchases already sent" not in text(asked)
    assert "was already sent" not in text(done)
    assert "Being bought now" not in numbers(text(done))


@pytest.mark.parametrize("command", ["start", "pause", "check", "cancel", "void"])
def test_who_may_only_look_is_refused(viewer: User, command: str) -> None:
    job = make_job(3)

    response = browser_of(viewer).post(f"/jobs/{job.pk}/{command}/")

    assert response.status_code == 403
    assert "needs the right" in text(response)
    assert _fresh(job).status == JobStatus.pending
    assert '<form method="post" action="/jobs/' not in text(browser_of(viewer).get(f"/jobs/{job.pk}/"))


def test_cancel_first_says_what_it_does_in_rows_and_money(browser: Client) -> None:
    job = make_job(5, status=JobStatus.running)
    complete_row(row_of(job, 1), cost_cents=1250)
    claim_row(row_of(job, 2), make_live_run(job))

    page = text(browser.get(f"/jobs/{job.pk}/cancel/"))

    assert "4 rows that are left will not be bought" in page
    assert "1 row is bought and stays bought; $12.50 was spent so far" in page
    assert "Purchases already sent or in doubt: 1." in page
    assert _fresh(job).status == JobStatus.running


def test_a_confirmed_cancel_stops_the_job_for_good(browser: Client, clerk: User) -> None:
    job = make_job(5)
    confirmation = hidden(browser.get(f"/jobs/{job.pk}/cancel/"), "confirmation")

    page = browser.post(f"/jobs/{job.pk}/cancel/", {"confirmation": confirmation, "reason": "Wrong file"}, follow=True)

    assert "is cancelled" in text(page)
    assert _fresh(job).status == JobStatus.cancelled
    event = job.events.get(kind=EventKind.cancelled)
    assert (event.actor, event.details["reason"]) == (clerk, "Wrong file")


def test_a_stale_cancel_is_shown_anew_with_who_did_what(browser: Client, colleague: User) -> None:
    job = make_job(5)
    confirmation = hidden(browser.get(f"/jobs/{job.pk}/cancel/"), "confirmation")
    JobService().start(job.pk, actor=colleague)

    response = browser.post(f"/jobs/{job.pk}/cancel/", {"confirmation": confirmation})

    assert response.status_code == 409
    assert "colleague chose “started”" in text(response)
    assert _fresh(job).status == JobStatus.running
    anew = hidden(response, "confirmation")
    browser.post(f"/jobs/{job.pk}/cancel/", {"confirmation": anew})
    assert _fresh(job).status == JobStatus.cancelled


@pytest.mark.parametrize(
    "forged",
    ["", "nonsense", dumps({"job": 1}, salt="something else"), dumps(7, salt="x")],
    ids=["empty", "nonsense", "other salt", "no facts"],  # a signed one has the time in it
)
def test_a_forged_confirmation_changes_nothing(browser: Client, forged: str) -> None:
    job = make_job(5)

    browser.post(f"/jobs/{job.pk}/cancel/", {"confirmation": forged})

    assert _fresh(job).status == JobStatus.pending


def test_a_confirmation_of_another_job_changes_nothing(browser: Client) -> None:
    job, other = make_job(5), make_job(5)
    confirmation = hidden(browser.get(f"/jobs/{other.pk}/cancel/"), "confirmation")

    assert browser.post(f"/jobs/{job.pk}/cancel/", {"confirmation": confirmation}).status_code == 409
    assert _fresh(job).status == JobStatus.pending


def test_what_is_over_cannot_be_cancelled(browser: Client) -> None:
    job = _over()

    page = browser.get(f"/jobs/{job.pk}/cancel/", follow=True)

    assert page.redirect_chain == [(f"/jobs/{job.pk}/", 302)]
    assert "is cancelled" in text(page)


def test_voiding_first_says_how_many_labels_and_what_they_cost(browser: Client) -> None:
    job = _over(3, cost_cents=1000)

    page = text(browser.get(f"/jobs/{job.pk}/void/"))

    assert "3 labels are to be voided; they cost $30.00." in page
    assert _fresh(job).sweep == Sweep.none


def test_voiding_needs_the_tick(browser: Client) -> None:
    job = _over()
    confirmation = hidden(browser.get(f"/jobs/{job.pk}/void/"), "confirmation")

    response = browser.post(f"/jobs/{job.pk}/void/", {"confirmation": confirmation})

    assert response.status_code == 409
    assert "Tick the box" in text(response)
    assert _fresh(job).sweep == Sweep.none


def test_confirmed_voiding_is_ordered_up_to_the_newest_label_shown(browser: Client) -> None:
    job = _over()
    newest = job.labels.order_by("-pk")[0]
    confirmation = hidden(browser.get(f"/jobs/{job.pk}/void/"), "confirmation")

    browser.post(f"/jobs/{job.pk}/void/", {"confirmation": confirmation, "agreed": "on"})

    fresh = _fresh(job)
    assert (fresh.sweep, fresh.sweep_mark) == (Sweep.void, newest.pk)


def test_labels_of_an_open_job_are_not_offered_for_voiding(browser: Client) -> None:
    job = make_interrupted_job(3, completed=2)

    page = browser.get(f"/jobs/{job.pk}/void/", follow=True)

    assert "There is nothing to void" in text(page)
    assert f'href="/jobs/{job.pk}/void/"' not in text(page)


@pytest.mark.parametrize("command", ["cancel", "void"])
def test_a_reason_that_is_too_long_is_said_and_nothing_is_changed(browser: Client, command: str) -> None:
    job = _over() if command == "void" else make_job(2, status=JobStatus.running)
    status = job.status
    confirmation = hidden(browser.get(f"/jobs/{job.pk}/{command}/"), "confirmation")

    page = browser.post(
        f"/jobs/{job.pk}/{command}/", {"confirmation": confirmation, "reason": "x" * 501, "agreed": "on"}
    )

    assert "at most 500 characters" in text(page)
    assert (_fresh(job).status, _fresh(job).sweep) == (status, Sweep.none)
