"""The page of a job's labels: its parts, their PDFs, and what was marked as printed."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import connection
from django.http import FileResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shipping.exports import label_sheets
from shipping.models import Event, Job, Label
from shipping.states import EventKind
from tests.exports.files import keep, label_of, make_labelled_job, texts
from tests.factories import complete_row, make_job, row_of
from tests.views.conftest import browser_of
from tests.views.reading import tags, text, title

pytestmark = pytest.mark.django_db


def address(job: Job, query: str = "") -> str:
    return f"/jobs/{job.pk}/labels/{query}"


def pdf_links(response: Any) -> list[str]:
    return [link["href"] for link in tags(response, "a") if "part.pdf" in link.get("href", "")]


def forms(response: Any, job: Job) -> list[dict[str, str]]:
    """What the forms that mark labels would send."""
    links = pdf_links(response)
    return [{name: values[0] for name, values in parse_qs(urlsplit(link).query).items()} for link in links]


def content_of(response: Any) -> bytes:
    assert isinstance(response, FileResponse)
    return b"".join(response)


def test_the_page_lists_the_parts_and_each_opens_as_a_pdf(browser: Client) -> None:
    job = make_labelled_job(3)
    response = browser.get(address(job))
    assert title(response).startswith("Labels of Autumn orders")
    assert "0 of 3" in text(response)
    (link,) = pdf_links(response)
    part = browser.get(link)
    assert part["Content-Type"] == "application/pdf"
    assert part["Content-Disposition"] == 'inline; filename="Autumn orders labels 1-3.pdf"'
    assert texts(content_of(part)) == [label_of(job, number).tracking_number for number in (1, 2, 3)]


def test_a_get_changes_nothing_not_even_for_lost_files(browser: Client) -> None:
    job = make_labelled_job(2)
    default_storage.delete(str(label_of(job, 1).file))
    (link,) = pdf_links(browser.get(address(job)))
    *labels, closing = texts(content_of(browser.get(link)))
    assert labels == [label_of(job, 2).tracking_number]
    assert "Row 1: its file was lost" in closing
    browser.get(f"/jobs/{job.pk}/labels/printed/")
    assert not Event.objects.exists()
    assert Label.objects.not_printed().count() == 2
    assert not Label.objects.file_missing().exists()


def test_marking_a_part_and_taking_it_back(browser: Client, clerk: User) -> None:
    job = make_labelled_job(3)
    (fields,) = forms(browser.get(address(job)), job)
    response = browser.post(f"/jobs/{job.pk}/labels/printed/", fields, follow=True)
    assert "3 labels are marked as printed." in text(response)
    assert "3 of 3" in text(response)
    assert job.events.get(kind=EventKind.printed).actor == clerk
    assert "Nothing is left to print" in text(browser.get(address(job, "?only=unprinted")))
    response = browser.post(f"/jobs/{job.pk}/labels/printed/", {**fields, "undo": "1"}, follow=True)
    assert "3 labels are marked as not printed." in text(response)
    assert "0 of 3" in text(response)


def test_pressing_twice_marks_once(browser: Client) -> None:
    job = make_labelled_job(2)
    (fields,) = forms(browser.get(address(job)), job)
    browser.post(f"/jobs/{job.pk}/labels/printed/", fields)
    response = browser.post(f"/jobs/{job.pk}/labels/printed/", fields, follow=True)
    assert "No label was marked" in text(response)
    assert job.events.filter(kind=EventKind.printed).count() == 1


def test_all_parts_of_a_page_are_marked_each_with_its_event(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_sheets, "SHEET_LABELS", 2)
    job = make_labelled_job(5)
    response = browser.get(address(job))
    assert "Mark all parts on this page as printed" in text(response)
    first, *_others, last = forms(response, job)
    response = browser.post(f"/jobs/{job.pk}/labels/printed/", {**first, "last": last["last"]}, follow=True)
    assert "5 labels are marked as printed." in text(response)
    told = [event.details["rows"] for event in job.events.filter(kind=EventKind.printed)]
    assert told == ["1-2", "3-4", "5"]


def test_what_was_bought_after_the_page_was_shown_stays_to_be_printed(browser: Client) -> None:
    job = make_labelled_job(3, bought=2)
    response = browser.get(address(job, "?only=unprinted"))
    (fields,) = forms(response, job)
    keep(complete_row(row_of(job, 3)))
    browser.post(f"/jobs/{job.pk}/labels/printed/", {**fields, "last": "3"})
    assert label_of(job, 3).printed_at is None
    assert label_of(job, 2).printed_at is not None


def test_a_selection_of_rows(browser: Client) -> None:
    job = make_labelled_job(5)
    (link,) = pdf_links(browser.get(address(job, "?rows=2,4-5")))
    assert texts(content_of(browser.get(link))) == [label_of(job, number).tracking_number for number in (2, 4, 5)]


def test_rows_that_were_ticked_on_the_jobs_page(browser: Client) -> None:
    job = make_labelled_job(5, bought=4)
    page = browser.get(f"/jobs/{job.pk}/")
    ticks = [tick["value"] for tick in tags(page, "input") if tick.get("name") == "row" and tick["form"] == "chosen"]
    assert ticks == ["1", "2", "3", "4"], "only rows with a label"
    response = browser.get(address(job, "?row=4&row=1&row=2"), follow=True)
    assert response.redirect_chain[-1][0] == address(job, "?rows=1-2%2C+4")
    (link,) = pdf_links(response)
    assert texts(content_of(browser.get(link))) == [label_of(job, number).tracking_number for number in (1, 2, 4)]
    assert "names no rows" in text(browser.get(address(job, "?row=x"), follow=True))


def test_rows_that_are_none_are_refused_with_the_field(browser: Client) -> None:
    job = make_labelled_job(1)
    response = browser.get(address(job, "?rows=abc"))
    assert response.status_code == 200
    assert "“abc” names no rows." in text(response)
    assert pdf_links(response) == []


def test_labels_that_no_pdf_can_hold_are_offered_singly(browser: Client) -> None:
    job = make_labelled_job(3)
    Label.objects.filter(pk=label_of(job, 1).pk).update(file="")
    keep(label_of(job, 2), b"^XA^XZ", ".zpl")
    response = browser.get(address(job))
    assert "1 without a file yet" in text(response)
    assert "1 of another kind" in text(response)
    singly = [link["href"] for link in tags(response, "a") if link.get("href", "").startswith("/labels/")]
    assert singly == [f"/labels/{label_of(job, number).pk}/" for number in (1, 2)]
    alone = {"first": "2", "last": "2", "up_to": str(label_of(job, 2).pk)}
    assert [field["value"] for field in tags(response, "input") if field.get("name") in alone][-3:] == [*alone.values()]
    response = browser.post(f"/jobs/{job.pk}/labels/printed/", alone, follow=True)
    assert "1 label is marked as printed." in text(response)
    assert [label_of(job, number).printed_at is not None for number in (1, 2, 3)] == [False, True, False]


def test_a_job_without_labels_says_when_they_come(browser: Client) -> None:
    response = browser.get(address(make_job(2)))
    assert "As soon as a row is bought" in text(response)


def test_a_part_without_labels_leads_back_to_the_page(browser: Client) -> None:
    job = make_labelled_job(1)
    for query in ("", "?first=x&last=2&up_to=1", "?first=5&last=9&up_to=99"):
        response = browser.get(f"/jobs/{job.pk}/labels/part.pdf{query}", follow=True)
        assert response.redirect_chain[-1][0] == address(job)


def test_looking_needs_one_right_and_marking_another(viewer: User, outsider: User) -> None:
    job = make_labelled_job(2)
    looking = browser_of(viewer)
    response = looking.get(address(job))
    (link,) = pdf_links(response)
    assert "Mark as printed" not in text(response)
    assert content_of(looking.get(link)).startswith(b"%PDF")
    assert looking.post(f"/jobs/{job.pk}/labels/printed/", forms(response, job)[0]).status_code == 403
    assert browser_of(outsider).get(address(job)).status_code == 403
    assert browser_of(outsider).get(link).status_code == 403
    assert Client().get(link).status_code == 302


def test_the_number_of_queries_does_not_grow_with_the_job(browser: Client) -> None:
    counts = []
    browser.get(address(make_labelled_job(1)))
    for rows in (3, 40):
        job = make_labelled_job(rows)
        with CaptureQueriesContext(connection) as queries:
            response = browser.get(address(job))
        with CaptureQueriesContext(connection) as of_pdf:
            content_of(browser.get(pdf_links(response)[0]))
        counts.append((len(queries), len(of_pdf)))
    assert counts[0] == counts[1]
