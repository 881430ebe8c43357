"""What the books know of earlier imports of a file, by its SHA-256 digest."""

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import connection
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from shipping.models import Job
from shipping.states import EventKind, JobStatus


def lock_digest(digest: str) -> None:
    """Let imports of the same file begin one after the other, until the transaction ends; on SQLite the
    transaction itself does that.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(digest[:15], 16)])


def unfinished_import(digest: str, *, name: str, carrier: str, stop_on_error: bool, skip_bad: bool) -> Job | None:
    """The job that an import of the same file with the same options began and did not finish."""
    return Job.objects.filter(
        file_digest=digest,
        import_complete=False,
        status=JobStatus.pending,
        # An upload finishes its own, with its own columns and corrections.
        upload__isnull=True,
        name=name,
        carrier=carrier,
        stop_on_error=stop_on_error,
        events__kind=EventKind.created,
        events__details__skip_bad=skip_bad,
    ).first()


def earlier_job(digest: str) -> Job | None:
    """The newest job that was wholly imported from the same file. One that was cancelled before could buy nothing
    and does not count.
    """
    return Job.objects.filter(file_digest=digest, import_complete=True).first()


def earlier_import(digest: str, *, unfinished_too: bool = False) -> str:
    """A sentence about the newest job that was made from the same file; empty when there is none."""
    complete = earlier_job(digest)
    if complete is not None:
        return told(complete)
    return import_under_way(digest) if unfinished_too else ""


def import_under_way(digest: str) -> str:
    """A sentence about a job that an import of the same file began and did not finish; empty when there is none."""
    jobs = Job.objects.filter(file_digest=digest, status=JobStatus.pending, import_complete=False)
    unfinished = jobs.select_related("upload").first()
    if unfinished is None:
        return ""
    if hasattr(unfinished, "upload") and unfinished.upload.is_working:
        return _("The same file is being imported at this moment, as job %(job_id)s “%(job)s”.") % {
            "job_id": unfinished.pk,
            "job": unfinished.name,
        }
    return _(
        "An import of the same file was cut short: job %(job_id)s “%(job)s”. Import it again with"
        " the same name, carrier and options to finish that job, or cancel it."
    ) % {"job_id": unfinished.pk, "job": unfinished.name}


def told(job: Job) -> str:
    """A sentence about an earlier job of the same file."""
    at = timezone.localtime(job.created_at)
    return _(
        "The same file was imported before, as job %(job_id)s “%(job)s” on %(day)s at %(time)s (%(status)s,"
        " %(bought)s of %(total_rows)s bought)."
    ) % {
        "job_id": job.pk,
        "job": job.name,
        "day": date_format(at, "j M Y"),
        "time": f"{at:%H:%M}",
        "status": job.get_status_display().lower(),
        "bought": intcomma(job.successful_rows),
        "total_rows": intcomma(job.total_rows),
    }
