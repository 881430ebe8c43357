import datetime as dt
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from shipping.liveness import worker_alive
from shipping.models import Sender, Upload
from shipping.models.clock import book_now
from shipping.orders import upload_work, uploads
from shipping.orders.upload_upkeep import look_after_uploads
from shipping.orders.uploads import UploadRefused
from shipping.states import UPLOAD_TRANSITIONS, UploadStatus
from tests.orders.conftest import numbered_orders, order_file
from tests.orders.uploaded import BAD, confirm, large, receive, tickets

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_table_of_states_is_whole() -> None:
    assert set(UPLOAD_TRANSITIONS) == set(UploadStatus)
    assert all(target in UploadStatus for targets in UPLOAD_TRANSITIONS.values() for target in targets)


def lose(upload: Upload, settings: Any) -> None:
    """Have a worker take it and die, or its ticket be lost, more than a lease ago."""
    long_ago = book_now() - settings.LEASE_SECONDS - 1
    Upload.objects.filter(pk=upload.pk).update(queued=long_ago)
    Upload.objects.filter(pk=upload.pk, beat__isnull=False).update(beat=long_ago)


def test_work_that_nobody_does_is_queued_again_once_a_lease(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    large(monkeypatch)
    upload = receive(order_file(*numbered_orders(1)))
    assert look_after_uploads() == 0, "a lease must pass first"
    lose(upload, settings)
    assert look_after_uploads() == 0, "its ticket only waits its turn"
    DBTaskResult.objects.all().delete()
    lose(upload, settings)
    assert look_after_uploads() == 1
    assert look_after_uploads() == 0
    assert tickets() == [[upload.pk]]


def test_work_that_beats_is_left_alone_and_counts_as_a_living_worker(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    large(monkeypatch)
    upload = receive(order_file(*numbered_orders(1)))
    assert not worker_alive()
    turn = upload_work.Turn.take(upload.pk, lambda: False)
    assert turn is not None
    assert worker_alive()
    assert not Upload.objects.get().waits_for_worker
    assert upload_work.work(upload.pk) == "not taken"
    Upload.objects.update(queued=0.0)
    assert look_after_uploads() == 0


def test_who_was_overtaken_writes_nothing_more(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    large(monkeypatch)
    upload = receive(order_file(*numbered_orders(1)))
    slow = upload_work.Turn.take(upload.pk, lambda: False)
    assert slow is not None
    lose(upload, settings)
    assert upload_work.work(upload.pk) == "ready"
    with pytest.raises(upload_work.TakenOver):
        slow.progress(1)
    assert slow.work() == UploadStatus.ready
    assert Upload.objects.get().revision == 1


def test_a_process_that_is_told_to_end_hands_the_work_back(monkeypatch: pytest.MonkeyPatch) -> None:
    large(monkeypatch)
    upload = receive(order_file(*numbered_orders(1)))
    assert upload_work.work(upload.pk, lambda: True) == "handed back"
    upload.refresh_from_db()
    assert (upload.status, upload.beat, upload.takes) == (UploadStatus.checking, None, 0)
    assert tickets() == [[upload.pk], [upload.pk]]
    assert upload_work.work(upload.pk) == "ready"


def test_a_file_that_kills_its_workers_is_given_up(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    large(monkeypatch)
    upload = receive(order_file(*numbered_orders(1)))
    for _kill in range(upload_work.MOST_TAKES):
        assert upload_work.Turn.take(upload.pk, lambda: False) is not None
        lose(upload, settings)
    assert upload_work.work(upload.pk) == "not taken"
    upload.refresh_from_db()
    assert upload.status == UploadStatus.failed
    assert "was cut off" in upload.problem


def test_a_discarded_upload_loses_its_file(db: None) -> None:
    upload = receive(order_file(*numbered_orders(1)))
    name = str(upload.file)
    discarded = uploads.discard(upload.pk)
    assert (discarded.status, str(discarded.file), discarded.report) == (UploadStatus.discarded, "", {})
    assert not default_storage.exists(name)
    assert uploads.discard(upload.pk).status == UploadStatus.discarded


def test_what_became_a_job_can_not_be_discarded(sender: Sender) -> None:
    upload = confirm(receive(order_file(*numbered_orders(1))))
    with pytest.raises(UploadRefused, match="A job was made"):
        uploads.discard(upload.pk)
    assert default_storage.exists(str(upload.file))


def test_old_uploads_that_nobody_wanted_are_removed_and_jobs_keep_their_files(sender: Sender) -> None:
    kept = [confirm(receive(order_file(*numbered_orders(1)))), receive(order_file(*numbered_orders(2)))]
    removed = [
        receive(order_file(*numbered_orders(3))),
        receive(order_file(BAD)),
        uploads.discard(receive(order_file(*numbered_orders(4))).pk),
    ]
    old = timezone.now() - dt.timedelta(days=8)
    Upload.objects.filter(pk__in=[kept[0].pk, *(each.pk for each in removed)]).update(changed_at=old)
    look_after_uploads()
    assert set(Upload.objects.values_list("pk", flat=True)) == {each.pk for each in kept}
    assert all(default_storage.exists(str(each.file)) for each in kept)
    assert not any(default_storage.exists(str(each.file)) for each in removed if each.file)
