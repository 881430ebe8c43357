import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage

from shipping.models import Event, Job, Run, Sender
from shipping.orders import importer, upload_work, uploads
from shipping.orders.uploads import UploadRefused
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, UploadStatus
from tests.factories import make_sender
from tests.orders.conftest import numbered_orders, order_file
from tests.orders.uploaded import BAD, confirm, large, receive

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_confirmed_upload_becomes_one_job_with_its_file_and_history(sender: Sender, clerk: User) -> None:
    content = order_file(*numbered_orders(3)).read()
    upload = receive(io.BytesIO(content), clerk, stop_on_error=False)
    upload = confirm(upload, clerk, sender_id=sender.pk)
    assert upload.status == UploadStatus.imported
    job = upload.job
    assert job is not None
    assert (job.name, job.status, job.total_rows, job.import_complete) == ("Spring", JobStatus.pending, 3, True)
    assert (job.created_by, job.sender, job.stop_on_error) == (clerk, sender, False)
    assert (job.file_name, job.file_digest, job.file.name) == ("orders.csv", upload.digest, upload.file.name)
    with job.file.open("rb") as file:
        assert file.read() == content
    event = Event.objects.get(job=job)
    assert (event.kind, event.actor, event.details["upload"]) == (EventKind.created, clerk, upload.pk)
    assert not Run.objects.exists()


def test_it_starts_when_that_was_wanted(sender: Sender, clerk: User) -> None:
    upload = confirm(receive(order_file(*numbered_orders(3)), clerk), clerk, start=True)
    assert upload.job is not None
    assert upload.job.status == JobStatus.running
    assert [event.kind for event in upload.job.events.order_by("pk")] == [EventKind.created, EventKind.started]
    assert Run.objects.count() == 1


def test_confirming_twice_makes_one_job(sender: Sender) -> None:
    upload = receive(order_file(*numbered_orders(3)))
    first, second = confirm(upload, start=True), confirm(upload, start=True)
    assert first.job_id == second.job_id
    assert (Job.objects.count(), Run.objects.count()) == (1, 1)


def test_good_rows_go_without_bad_ones_only_when_that_is_said(sender: Sender) -> None:
    good, bad, last = numbered_orders(3)
    upload = receive(order_file(good, bad | BAD, last))
    with pytest.raises(UploadRefused, match="Some rows have errors"):
        confirm(upload)
    job = confirm(upload, skip_bad=True).job
    assert job is not None
    assert [row.number for row in job.rows.order_by("number")] == [1, 3]
    assert "to_zip" in Event.objects.get(job=job).details["errors"][0]


def test_nothing_good_is_nothing_to_import(sender: Sender) -> None:
    upload = receive(order_file(BAD))
    with pytest.raises(UploadRefused, match="None of the rows"):
        confirm(upload, skip_bad=True)


def test_what_moved_since_it_was_shown_is_refused(sender: Sender) -> None:
    upload = receive(order_file(*numbered_orders(2)))
    uploads.correct(upload.pk, {1: {"weight": "99"}})
    with pytest.raises(UploadRefused, match="changed or checked again"):
        confirm(upload)
    upload.refresh_from_db()
    Sender.objects.create(name="New", street1="1 A St", city="Austin", state="TX", zip="78701", phone="5")
    with pytest.raises(UploadRefused, match="The sender was changed"):
        confirm(upload, sender_id=sender.pk)
    assert not Job.objects.exists()


def test_without_a_sender_nothing_is_imported(db: None) -> None:
    upload = receive(order_file(*numbered_orders(2)))
    with pytest.raises(UploadRefused, match="No sender is set"):
        confirm(upload)


def test_the_same_file_once_more_needs_a_word_about_that_very_job(sender: Sender) -> None:
    content = order_file(*numbered_orders(2)).read()
    first = confirm(receive(io.BytesIO(content))).job
    assert first is not None
    upload = receive(io.BytesIO(content))
    assert (upload.status, upload.report["duplicate"]["job"]) == (UploadStatus.ready, first.pk)
    assert "imported before" in uploads.duplicate_now(upload)["text"]  # type: ignore[operator]
    for said in (None, first.pk + 1):
        with pytest.raises(UploadRefused, match=f"imported before, as job {first.pk}"):
            confirm(upload, duplicate_of=said)
    second = confirm(upload, duplicate_of=first.pk).job
    assert second is not None
    assert second.pk != first.pk
    assert Event.objects.get(job=second).details["accepted_duplicate"] == first.pk


def test_a_job_of_the_same_file_that_turns_up_at_the_last_moment_holds_the_import(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = order_file(*numbered_orders(2)).read()
    upload, other = receive(io.BytesIO(content)), receive(io.BytesIO(content))
    large(monkeypatch)
    upload = confirm(upload, start=True)
    assert upload.status == UploadStatus.importing
    monkeypatch.undo()
    job = confirm(other).job
    assert upload_work.work(upload.pk) == "ready"
    upload.refresh_from_db()
    assert "imported before" in upload.problem
    assert upload.job is None
    assert Job.objects.get() == job


def test_two_people_who_want_the_same_labels_once_more_at_the_same_moment_get_them_once(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = order_file(*numbered_orders(2)).read()
    first = confirm(receive(io.BytesIO(content))).job
    assert first is not None
    one, other = receive(io.BytesIO(content)), receive(io.BytesIO(content))
    large(monkeypatch)
    for upload in (one, other):
        assert confirm(upload, start=True, duplicate_of=first.pk).status == UploadStatus.importing
    monkeypatch.undo()
    original = importer.fill

    def let_the_other_go_first(job: Job, *arguments: Any) -> None:
        monkeypatch.undo()
        assert upload_work.work(other.pk) == "ready"
        original(job, *arguments)

    monkeypatch.setattr(upload_work, "fill", let_the_other_go_first)
    assert upload_work.work(one.pk) == "imported"
    one.refresh_from_db()
    other.refresh_from_db()
    assert "The same file is being imported at this moment" in other.problem
    assert set(Job.objects.all()) == {first, one.job}
    with pytest.raises(UploadRefused, match="imported before"):
        confirm(other, start=True, duplicate_of=first.pk)


def test_a_job_that_was_cancelled_while_it_was_imported_fails_the_upload(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = receive(order_file(*numbered_orders(3)))

    def cancel_first(job: Job, *arguments: Any) -> None:
        JobService().cancel(job.pk)
        original(job, *arguments)

    original = importer.fill
    monkeypatch.setattr(upload_work, "fill", cancel_first)
    upload = confirm(upload, start=True)
    assert upload.status == UploadStatus.failed
    assert "was cancelled while it was imported" in upload.problem
    assert not Run.objects.exists()


def test_a_file_that_the_storage_lost_or_changed_fails_and_buys_nothing(sender: Sender) -> None:
    for damage in ("lost", "changed"):
        upload = receive(order_file(*numbered_orders(2)))
        if damage == "lost":
            default_storage.delete(str(upload.file))
        else:
            with default_storage.open(str(upload.file), "wb") as file:
                file.write(order_file(*numbered_orders(1)).read())
        assert confirm(upload, start=True).status == UploadStatus.failed
    assert not Job.objects.exists()


def test_a_file_with_nothing_wrong_ships_without_a_word(sender: Sender, clerk: User) -> None:
    upload = receive(order_file(*numbered_orders(3)), clerk, ships_at_once=True)
    assert upload.status == UploadStatus.imported
    assert upload.job is not None
    assert (upload.job.status, upload.job.created_by, upload.confirmed_by) == (JobStatus.running, clerk, clerk)
    assert Event.objects.get(kind=EventKind.started).actor == clerk


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        (BAD, UploadStatus.has_errors),
        ({"to_zip": "10001"}, UploadStatus.ready),
        ({"weight": "9000"}, UploadStatus.ready),
        ({"to_name": "Recipient 1"}, UploadStatus.ready),
    ],
    ids=["errors", "another state", "heavy", "twice"],
)
def test_what_looks_like_a_mistake_waits_for_a_person(
    sender: Sender, clerk: User, changes: dict[str, str], status: UploadStatus
) -> None:
    first, second = numbered_orders(2)
    upload = receive(order_file(first, second | changes), clerk, ships_at_once=True)
    assert upload.status == status
    assert not Job.objects.exists()
    if status == UploadStatus.ready:
        assert "not shipped at once" in upload.problem


def test_the_same_file_again_waits_and_so_does_one_without_a_sender(clerk: User) -> None:
    content = order_file(*numbered_orders(2)).read()
    assert receive(io.BytesIO(content), clerk, ships_at_once=True).status == UploadStatus.ready
    make_sender()
    assert receive(io.BytesIO(content), clerk, ships_at_once=True).status == UploadStatus.imported
    assert receive(io.BytesIO(content), clerk, ships_at_once=True).status == UploadStatus.ready
    assert Job.objects.count() == 1


def test_once_a_person_had_to_step_in_a_person_says_when(sender: Sender, clerk: User) -> None:
    upload = receive(order_file(BAD), clerk, ships_at_once=True)
    upload = uploads.correct(upload.pk, {1: {"weight": "3", "to_zip": "20020"}})
    assert (upload.status, upload.ships_at_once) == (UploadStatus.ready, False)
    assert not Job.objects.exists()
