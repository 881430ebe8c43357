"""Downloading a label's file."""

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import FileResponse
from django.test import Client

from shipping.models import Label
from shipping.states import EventKind, JobStatus
from tests.factories import complete_row, make_job, row_of
from tests.views.conftest import browser_of
from tests.views.reading import tags, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def label() -> Label:
    return complete_row(row_of(make_job(1, status=JobStatus.running), 1))


def test_it_streams_the_bytes_under_the_rows_reference(browser: Client, label: Label) -> None:
    label.file.name = default_storage.save("labels/test.pdf", ContentFile(b"%PDF-1.4 the label"))
    label.save()

    response = browser.get(f"/labels/{label.pk}/")

    assert isinstance(response, FileResponse)
    assert b"".join(response) == b"%PDF-1.4 the label"
    assert response["Content-Type"] == "application/pdf"
    assert f"{label.job.code}-000001-1.pdf" in response["Content-Disposition"]
    response.close()


def test_a_label_without_its_file_yet_says_so(browser: Client, label: Label) -> None:
    response = browser.get(f"/labels/{label.pk}/")

    assert response.status_code == 404
    assert "A worker fetches it from the carrier by itself" in text(response)
    assert label.tracking_number in text(response)


def test_looking_for_a_file_that_was_lost_changes_nothing(browser: Client, label: Label) -> None:
    label.file.name = "labels/lost.pdf"
    label.save()

    response = browser.get(f"/labels/{label.pk}/")

    assert response.status_code == 404
    assert "was lost from where files are kept" in text(response)
    assert [form["action"] for form in tags(response, "form")].count(f"/labels/{label.pk}/fetch/") == 1
    assert not Label.objects.file_missing().exists()
    assert not label.job.events.exists()


def test_a_file_that_was_lost_is_fetched_again_when_somebody_says_so(
    browser: Client, clerk: User, label: Label
) -> None:
    label.file.name = "labels/lost.pdf"
    label.save()

    assert browser.get(f"/labels/{label.pk}/fetch/").status_code == 302
    assert not Label.objects.file_missing().exists(), "a GET changes nothing"
    for _twice in range(2):
        response = browser.post(f"/labels/{label.pk}/fetch/")
        assert response.status_code == 302

    assert Label.objects.file_missing().filter(pk=label.pk).exists()
    assert label.job.events.get(kind=EventKind.label_file_missing).actor == clerk


def test_a_file_that_is_there_is_not_fetched_again(browser: Client, label: Label) -> None:
    label.file.name = default_storage.save("labels/test.pdf", ContentFile(b"%PDF-1.4 the label"))
    label.save()

    browser.post(f"/labels/{label.pk}/fetch/")

    assert not Label.objects.file_missing().exists()


def test_only_those_who_may_work_on_jobs_have_files_fetched_again(viewer: User, label: Label) -> None:
    label.file.name = "labels/lost.pdf"
    label.save()
    looking = browser_of(viewer)

    assert f"/labels/{label.pk}/fetch/" not in text(looking.get(f"/labels/{label.pk}/"))
    assert looking.post(f"/labels/{label.pk}/fetch/").status_code == 403


def test_an_unknown_label_is_not_found(browser: Client) -> None:
    assert browser.get("/labels/999/").status_code == 404


def test_it_is_not_for_outsiders(outsider: User, label: Label) -> None:
    assert browser_of(outsider).get(f"/labels/{label.pk}/").status_code == 403
