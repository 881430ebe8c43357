"""The results of a job as a file to take away."""

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header

from shipping.exports.results import STATUSES, results_csv
from shipping.views.access import PageRequest, job_or_404, page


@page()
def results(request: PageRequest, job_id: int) -> HttpResponseBase:
    """Stream the results, all or (`?status=failed`) those of one status; a piece at a time, whatever their number."""
    job = job_or_404(job_id)
    status = request.GET.get("status", "")
    status = status if status in STATUSES else ""
    pieces = results_csv(job, timezone.get_current_timezone(), status=status)
    name = file_name(f"{job.name} results {status}".strip(), ".csv")
    return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


def file_name(name: str, suffix: str, *, as_attachment: bool = True) -> str:
    """The Content-Disposition of a file of that name, without what file systems read as folders."""
    plain = "".join("-" if letter in '/\\:*?"<>|' else letter for letter in name)
    return content_disposition_header(as_attachment, f"{plain}{suffix}") or "attachment"
