"""Looking after uploads: work that nobody does is queued again, and what nobody wanted is thrown away."""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from shipping.models import Upload
from shipping.models.clock import book_now
from shipping.orders.upload_states import queue_after_commit, upload_task
from shipping.orders.uploads import forget_file
from shipping.states import WORKING_UPLOAD_STATUSES, UploadStatus
from shipping.tickets import ticket_waits

KEPT_DAYS = 7
UPLOADS_A_ROUND = 20


def look_after_uploads() -> int:
    """Queue work again that was cut off or never begun, and remove uploads that were never imported. At most
    UPLOADS_A_ROUND of each; returns how many were queued again.
    """
    _remove_old()
    before = book_now() - settings.LEASE_SECONDS
    lost = Upload.objects.working().filter(queued__lt=before).filter(Q(beat__isnull=True) | Q(beat__lt=before))
    ids = list(lost.order_by("queued").values_list("pk", flat=True)[:UPLOADS_A_ROUND])
    return sum(_queue_again(upload_id) for upload_id in ids)


@transaction.atomic
def _queue_again(upload_id: int) -> bool:
    """`queued` is set under the upload's lock, so this happens at most once a lease."""
    upload = Upload.objects.lock(upload_id)
    if not upload.waits_for_worker or upload.queued >= book_now() - settings.LEASE_SECONDS:
        return False
    if ticket_waits(upload_task(), upload_id):
        # It only waits its turn.
        upload.queued = book_now()
        upload.save(update_fields=["queued"])
        return False
    queue_after_commit(upload)
    return True


def _remove_old() -> None:
    before = timezone.now() - dt.timedelta(days=KEPT_DAYS)
    kept = {*WORKING_UPLOAD_STATUSES, UploadStatus.imported}
    old = Upload.objects.filter(status__in=set(UploadStatus) - kept, job__isnull=True, changed_at__lt=before)
    for upload_id in list(old.order_by("changed_at").values_list("pk", flat=True)[:UPLOADS_A_ROUND]):
        with transaction.atomic():
            upload = Upload.objects.lock(upload_id)
            if upload.status not in kept and upload.changed_at < before:
                forget_file(upload)
                upload.delete()
