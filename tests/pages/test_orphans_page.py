"""Charges that no row owns, on the recovery page, on the desk and on pages of their own."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from recovery.orphan_plans import OrphanDecision
from recovery.orphans import adopt_orphan, confirm_orphan
from shipping.carriers.registry import get_carrier
from shipping.comparing import work
from shipping.models import Comparison, Event, Job, Label, Orphan, Row
from shipping.services import JobService
from shipping.states import ComparisonStatus, EventKind, JobStatus, OrphanOutcome, RowStatus, VoidRequest
from tests.comparing.listed import buy, compare, orphan_of
from tests.factories import (
    complete_row,
    make_comparison,
    make_interrupted_job,
    make_job,
    make_orphan,
    row_of,
)
from tests.support.sandbox import SandboxProcess
from tests.views.conftest import browser_of, grant
from tests.views.reading import HTMX, form_fields, hidden, tags, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(db: None) -> Job:
    """Interrupted after two of five rows."""
    return make_interrupted_job(5, completed=2)


def section(response: Any) -> str:
    """What the page says about the carrier's own list."""
    return text(response).split('id="comparison"')[1].split("</section>")[0]


def recovery(browser: Client, job: Job) -> str:
    return section(browser.get(f"/recovery/{job.pk}/"))


def desk(browser: Client, job: Job) -> str:
    return section(browser.get(f"/recovery/{job.pk}/review/"))


PLACES: list[Callable[[Client, Job], str]] = [recovery, desk]


# --- How the comparison stands ---------------------------------------------------------------------------


@pytest.mark.parametrize("look", PLACES)
def test_a_job_that_was_never_compared_says_what_comparing_does(browser: Client, job: Job, look: Any) -> None:
    said = look(browser, job)
    assert "has not been compared yet" in said
    assert "To compare changes nothing" in said
    assert ">Compare with the carrier’s list</button>" in said


@pytest.mark.parametrize("look", PLACES)
def test_an_ordered_comparison_waits_for_a_worker_and_can_not_be_ordered_twice(
    browser: Client, job: Job, look: Any
) -> None:
    make_comparison(job, status=ComparisonStatus.ordered)
    said = look(browser, job)
    assert "waits for a worker to take it up" in said
    assert "No worker is running, so nobody compares yet" in said
    assert "<form" not in said


def test_a_comparison_at_work_tells_since_when_and_how_far(browser: Client, job: Job) -> None:
    comparison = make_comparison(job, status=ComparisonStatus.ordered)
    assert work.Turn.take(comparison.pk, lambda: False) is not None
    Comparison.objects.update(listed=1234)
    said = recovery(browser, job)
    assert "Being compared since" in said
    assert "1,234 purchases of this job read so far" in said or "1234 purchases of this job read so far" in said
    assert "No worker is running" not in said


@pytest.mark.parametrize("look", PLACES)
def test_books_that_agree_are_said_to_agree(browser: Client, job: Job, look: Any) -> None:
    make_comparison(job)
    said = look(browser, job)
    assert "The carrier lists 5 purchases of this job." in said
    assert "Our books agree with it." in said
    assert "Compare with the carrier’s list again" in said


def test_what_could_not_be_compared_is_never_agreement(browser: Client, job: Job) -> None:
    make_comparison(job, status=ComparisonStatus.failed, problem="The carrier is down.")
    said = recovery(browser, job)
    assert "Could not be compared to the end" in said
    assert "The carrier is down." in said
    assert "That says nothing, either way" in said
    assert "agree" not in said


@pytest.mark.parametrize("kind", ["cost", "unreadable", "unknown_label"])
def test_other_differences_are_never_agreement(browser: Client, job: Job, kind: str) -> None:
    comparison = make_comparison(job)
    comparison.counts = {kind: 2}
    comparison.others = [{"fact": "Row 1 has this label.", "advice": "Hold it back."}] if kind != "unreadable" else []
    comparison.save()
    said = recovery(browser, job)
    assert "Our books agree" not in said
    if kind == "unreadable":
        assert "2 entries could not be read" in said
    else:
        assert "2 other differences were found" in said
        assert "Row 1 has this label. Hold it back." in said
        assert "and 1 more" in said


def test_ordering_it_leaves_a_trace_and_leads_back(browser: Client, clerk: User, job: Job) -> None:
    response = browser.post(f"/recovery/{job.pk}/comparison/", follow=True)
    assert response.redirect_chain[-1][0] == f"/recovery/{job.pk}/#comparison"
    assert "will be compared with the carrier" in text(response)
    assert Event.objects.get(kind=EventKind.comparison_ordered).actor == clerk
    assert Comparison.objects.get().ordered_by == clerk
    again = browser.post(f"/recovery/{job.pk}/comparison/", follow=True)
    assert "is being compared already" in text(again)
    assert Event.objects.filter(kind=EventKind.comparison_ordered).count() == 1


def test_with_htmx_the_section_comes_back_with_the_message(browser: Client, job: Job) -> None:
    response = browser.post(f"/recovery/{job.pk}/comparison/", headers=HTMX)
    assert "<h1" not in text(response)
    assert "waits for a worker" in section(response)
    assert 'id="messages"' in text(response)
    assert "hx-trigger" not in section(response), "the report around it looks again"
    polled = browser.post(f"/recovery/{job.pk}/comparison/", {"polls": "1"}, headers=HTMX)
    assert 'hx-trigger="every 2s"' in text(polled)


def test_the_desk_looks_again_only_while_something_moves(browser: Client, job: Job) -> None:
    JobService().cancel(job.pk)
    assert "hx-trigger" not in desk(browser, job).split(">")[0]
    make_comparison(job, status=ComparisonStatus.ordered)
    page = browser.get(f"/recovery/{job.pk}/review/")
    (address,) = [each["hx-get"] for each in tags(page, "section") if each.get("id") == "comparison"]
    assert browser.get(address, headers=HTMX).status_code == 204
    Comparison.objects.update(status=ComparisonStatus.done, ended_at=Job.objects.get(pk=job.pk).created_at)
    moved = browser.get(address, headers=HTMX)
    assert "Compared" in text(moved)
    assert "hx-trigger" not in text(moved)


def test_the_report_notices_a_new_charge_by_itself(browser: Client, job: Job) -> None:
    page = browser.get(f"/recovery/{job.pk}/")
    (address,) = [each["hx-get"] for each in tags(page, "div") if each.get("id") == "report"]
    assert browser.get(address, headers=HTMX).status_code == 204
    make_orphan(row_of(job, 4))
    assert "1 charge that no row owns" in text(browser.get(address, headers=HTMX))


# --- The charges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", PLACES)
def test_each_charge_is_told_with_its_row_its_money_and_what_is_certain(browser: Client, job: Job, look: Any) -> None:
    make_comparison(job)
    waits, bought = make_orphan(row_of(job, 4)), make_orphan(row_of(job, 1), cost_cents=1000)
    said = look(browser, job)
    assert "2 charges that no row owns, for $18.25 in all." in said
    assert "Our books agree" not in said
    assert said.index(bought.tracking_number) < said.index(waits.tracking_number), "in the order of the rows"
    for part in ("Recipient 4", "$8.25", "USPS Priority", "if the job goes on before this is settled, it is paid for"):
        assert part in said
    own = Label.objects.get(row=row_of(job, 1))
    assert f"The row has the label {own.tracking_number} already: it was paid for twice." in said
    for orphan in (waits, bought):
        assert f'href="/recovery/{job.pk}/charges/{orphan.pk}/adopt/"' in said
        assert f'href="/recovery/{job.pk}/charges/{orphan.pk}/void/"' in said


def test_only_so_many_are_shown(browser: Client) -> None:
    job = make_interrupted_job(30)
    for number in range(1, 24):
        make_orphan(row_of(job, number))
    said = recovery(browser, job)
    assert said.count("/adopt/") == 20
    assert "and 3 more, which are shown once these are settled" in said


def test_the_choices_say_what_they_would_pay_for_twice(browser: Client, job: Job) -> None:
    make_orphan(row_of(job, 4))
    make_orphan(row_of(job, 1))
    own = make_orphan(row_of(job, 5))
    Row.objects.filter(job=job, number=5).update(handle=own.purchase_id)
    page = text(browser.get(f"/recovery/{job.pk}/"))
    said = "Pays a second time for 1 row that waits and was charged already: settle that charge first."
    assert page.count(said) == 2, "resume and restart"
    assert "usually right" not in page
    assert "3 charges that no row owns are not counted in any of this: $24.75" in page
    assert "The charges that no row owns come on top: $24.75." in page


def test_a_charge_without_a_row_has_no_buttons(browser: Client, job: Job) -> None:
    orphan = make_orphan(row_of(job, 4))
    Orphan.objects.update(row=None)
    said = recovery(browser, job)
    assert "No such row" in said
    assert "Void it in your account at the carrier" in said
    assert "/adopt/" not in said
    page = browser.get(f"/recovery/{job.pk}/charges/{orphan.pk}/adopt/")
    assert page.status_code == 200
    assert "There is nothing to decide here" in text(page)
    assert "confirmation" not in text(page)


def test_charges_of_jobs_that_are_over_are_on_the_list_of_decisions_and_on_the_jobs_page(browser: Client) -> None:
    job = make_job(2, status=JobStatus.running)
    complete_row(row_of(job, 1))
    Job.objects.filter(pk=job.pk).update(status=JobStatus.completed)
    assert "Nothing waits for a decision" in text(browser.get("/recovery/review/"))
    make_orphan(row_of(job, 1))
    assert f'href="/recovery/{job.pk}/review/#comparison"' in text(browser.get("/recovery/review/"))
    page = text(browser.get(f"/jobs/{job.pk}/"))
    assert "The carrier lists 1 charge for this job that no row owns." in page
    assert "Compare this job with the carrier’s own list of charges" in page


def test_more_charges_take_no_more_queries(browser: Client, clerk: User) -> None:
    counts = []
    for charges in (2, 15):
        job = make_interrupted_job(20, completed=3)
        make_comparison(job)
        for number in range(1, charges + 1):
            make_orphan(row_of(job, number))
        for path in (f"/recovery/{job.pk}/", f"/recovery/{job.pk}/review/", f"/jobs/{job.pk}/"):
            browser.get(path)
            with CaptureQueriesContext(connection) as queries:
                browser.get(path)
            counts.append(len(queries))
        JobService().cancel(job.pk)
    assert counts[:3] == counts[3:]


# --- Deciding --------------------------------------------------------------------------------------------


@pytest.fixture
def charged(sandbox: SandboxProcess) -> Orphan:
    """Row 4 of an interrupted job, bought behind our back."""
    job = make_interrupted_job(5, completed=2)
    buy(job, 4)
    compare(job)
    return orphan_of(job, 4)


def address_of(orphan: Orphan, decision: str) -> str:
    return f"/recovery/{orphan.job_id}/charges/{orphan.pk}/{decision}/"


def test_it_is_asked_first_with_the_row_and_the_money(browser: Client, charged: Orphan) -> None:
    page = browser.get(address_of(charged, "adopt"))
    said = text(page)
    assert f"Adopt the charge of ${charged.cost_cents / 100:.2f} for row 4, Recipient 4?" in said
    assert "Row 4 is bought with it, and nothing more is bought for that row." in said
    assert charged.tracking_number in said
    assert len([each for each in tags(page, "button") if "primary" in each.get("class", "")]) == 1
    void = text(browser.get(address_of(charged, "void")))
    assert "Row 4 still waits, and is bought once more when its turn comes" in void
    assert "The carrier takes it back until" in void
    assert not Label.objects.filter(purchase_id=charged.purchase_id).exists()


def test_adopting_records_it_and_leads_back(browser: Client, clerk: User, charged: Orphan) -> None:
    address = address_of(charged, "adopt")
    form = {**form_fields(browser.get(address), ""), "reason": "It is on the parcel."}
    response = browser.post(address, form, follow=True)
    assert response.redirect_chain == [(f"/recovery/{charged.job_id}/#comparison", 302)]
    assert "Row 4: the carrier confirmed the charge" in text(response)
    row = row_of(charged.job, 4)
    assert (row.status, row.label and row.label.purchase_id) == (RowStatus.completed, charged.purchase_id)
    event = Event.objects.get(kind=EventKind.resolved)
    assert (event.actor, event.details["reason"]) == (clerk, "It is on the parcel.")
    assert "charge that no row owns" not in recovery(browser, charged.job)


def test_voiding_records_it_and_orders_the_void(browser: Client, charged: Orphan) -> None:
    address = address_of(charged, "void")
    response = browser.post(address, form_fields(browser.get(address), ""), follow=True)
    assert "its void is on its way" in text(response)
    label = Label.objects.get(purchase_id=charged.purchase_id)
    assert label.void_requested == VoidRequest.only
    assert row_of(charged.job, 4).status == RowStatus.pending
    assert label.tracking_number in text(browser.get(f"/jobs/{charged.job_id}/voids/"))


def test_a_stale_confirmation_is_refused_and_shown_anew_with_the_reason_kept(browser: Client, charged: Orphan) -> None:
    address = address_of(charged, "adopt")
    form = {**form_fields(browser.get(address), ""), "reason": "Typed with care."}
    complete_row(row_of(charged.job, 4))
    response = browser.post(address, form)
    assert response.status_code == 409
    said = text(response)
    assert "has changed since you were shown it" in said
    assert "Nothing has been changed." in said
    assert "keeps its own label" in said, "what is so now"
    assert 'value="Typed with care."' in said
    assert hidden(response, "confirmation") != form["confirmation"]
    assert not Label.objects.filter(purchase_id=charged.purchase_id).exists()


def test_who_comes_second_is_told_who_was_first(browser: Client, colleague: User, charged: Orphan) -> None:
    address = address_of(charged, "void")
    form = form_fields(browser.get(address), "")
    job = Job.objects.get(pk=charged.job_id)
    note = confirm_orphan(charged, job, OrphanDecision.adopt)
    adopt_orphan(orphan=charged, confirmation=note, actor=colleague)
    response = browser.post(address, form, follow=True)
    assert "This charge is settled" in text(response)
    assert Label.objects.get(purchase_id=charged.purchase_id).void_requested == VoidRequest.none


def test_a_charge_that_was_taken_back_meanwhile_leaves_the_list(browser: Client, charged: Orphan) -> None:
    address = address_of(charged, "adopt")
    form = form_fields(browser.get(address), "")
    get_carrier("sandbox").void(charged.purchase_id, timeout=10)
    response = browser.post(address, form, follow=True)
    assert "The carrier has taken this label back meanwhile" in text(response)
    charged.refresh_from_db()
    assert charged.outcome == OrphanOutcome.gone


@pytest.mark.parametrize("form", [{}, {"confirmation": "forged"}, {"confirmation": "\x00"}])
def test_nothing_is_done_without_the_facts_that_were_shown(
    browser: Client, charged: Orphan, form: dict[str, str]
) -> None:
    for decision in ("adopt", "void"):
        assert browser.post(address_of(charged, decision), form).status_code in (200, 409)
    assert not Label.objects.filter(purchase_id=charged.purchase_id).exists()


def test_the_rights(viewer: User, clerk: User) -> None:
    job = make_interrupted_job(3)
    orphan = make_orphan(row_of(job, 2))
    looking = browser_of(viewer)
    said = recovery(looking, job)
    assert "1 charge that no row owns" in said
    assert "You may look, but not decide." in said
    assert "/adopt/" not in said
    assert "<form" not in said
    for path in ("comparison/", f"charges/{orphan.pk}/adopt/", f"charges/{orphan.pk}/void/"):
        assert looking.post(f"/recovery/{job.pk}/{path}").status_code == 403
    deciding = browser_of(grant(viewer, "resolve_job"))
    assert "/adopt/" in recovery(deciding, job)
    assert "/void/" not in recovery(deciding, job)
    assert deciding.get(f"/recovery/{job.pk}/charges/{orphan.pk}/adopt/").status_code == 200
    assert deciding.get(f"/recovery/{job.pk}/charges/{orphan.pk}/void/").status_code == 403
    assert not Comparison.objects.exists()


def test_a_charge_of_another_job_is_not_found_under_this_one(browser: Client, job: Job) -> None:
    other = make_interrupted_job(3, name="Another")
    orphan = make_orphan(row_of(other, 2))
    response = browser.get(f"/recovery/{job.pk}/charges/{orphan.pk}/adopt/", follow=True)
    assert "there is nothing to decide" in text(response)
