"""Label files as a carrier gives them, kept for labels that tests made."""

from io import BytesIO

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image
from pypdf import PdfReader
from reportlab.pdfgen.canvas import Canvas

from shipping.models import Job, Label
from shipping.states import JobStatus
from tests.factories import complete_row, make_job, row_of


def pdf(text: str, *, pages: int = 1) -> bytes:
    """A PDF whose pages each say `text`."""
    output = BytesIO()
    canvas = Canvas(output, pagesize=(288, 432), invariant=1)
    for _page in range(pages):
        canvas.drawString(20, 200, text)
        canvas.showPage()
    canvas.save()
    return output.getvalue()


def png() -> bytes:
    """A small image, twice as high as wide."""
    output = BytesIO()
    Image.new("1", (40, 80), 1).save(output, "PNG")
    return output.getvalue()


def keep(label: Label, content: bytes | None = None, suffix: str = ".pdf") -> Label:
    """Keep a file for a label: by default a PDF of one page with its tracking number."""
    given = pdf(label.tracking_number) if content is None else content
    name = f"labels/{label.job.code}/{label.pk}{suffix}"
    Label.objects.filter(pk=label.pk).update(file=default_storage.save(name, ContentFile(given)))
    label.refresh_from_db()
    return label


def make_labelled_job(rows: int = 4, *, bought: int | None = None, status: JobStatus = JobStatus.running) -> Job:
    """A job whose first rows are bought, each with a file of its label."""
    job = make_job(rows, status=status)
    for number in range(1, (rows if bought is None else bought) + 1):
        keep(complete_row(row_of(job, number)))
    job.refresh_from_db()
    return job


def label_of(job: Job, number: int) -> Label:
    """The label of a row, fresh from the books."""
    label = row_of(job, number).label
    assert label is not None
    return label


def texts(content: bytes) -> list[str]:
    """What each page of a PDF says."""
    return [page.extract_text().strip() for page in PdfReader(BytesIO(content)).pages]
