"""Fetching the files of labels that were bought. Costs nothing and may be repeated. Under the job's lock."""

from django.conf import settings

from shipping.backoff import failures_with, wait_after
from shipping.carriers.port import CarrierError
from shipping.engine.letters import FileOrder, StoredFile
from shipping.labels import file_name
from shipping.models import Job, Label


def pick_files(job: Job, limit: int, now: float) -> list[FileOrder]:
    """Choose label files that are missing, and keep others from fetching them for as long as that may take. Under
    the job's lock.
    """
    if limit <= 0:
        return []
    missing = Label.objects.file_missing().filter(job=job, fetch_after__lte=now).select_related("row")
    labels = list(missing.order_by("fetch_after", "pk")[:limit])
    again = now + 2 * settings.REQUEST_TIMEOUT_SECONDS
    Label.objects.filter(pk__in=[label.pk for label in labels]).update(fetch_after=again)
    return [
        FileOrder(
            job_id=job.pk,
            carrier=job.carrier,
            label_id=label.pk,
            purchase_id=label.purchase_id,
            label_url=label.label_url,
            file_name=file_name(job, label, label.row.number),
        )
        for label in labels
    ]


def settle_file(label: Label, outcome: StoredFile | CarrierError, now: float) -> None:
    """Note that a label's file was stored, or that it could not be had for now. Under the job's lock."""
    if isinstance(outcome, StoredFile):
        Label.objects.filter(pk=label.pk).update(file=outcome.name, fetch_failures=0)
    else:
        failures = failures_with(outcome, label.fetch_failures)
        fetch_after = now + wait_after(failures, outcome, longest=3600.0)
        Label.objects.filter(pk=label.pk).update(fetch_failures=failures, fetch_after=fetch_after)
