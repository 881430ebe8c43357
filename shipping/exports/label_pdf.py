"""One PDF of many labels. A label that can't be put into it is left out and named on a closing page."""

import struct
import tempfile
import threading
import zlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any

from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from PIL.Image import DecompressionBombError
from pypdf import PdfWriter
from pypdf.errors import DependencyError, PyPdfError
from reportlab.lib.units import inch
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from shipping.exports.label_sheets import SHEET_LABELS, is_printable
from shipping.models import Job, Row

# All labels of one PDF together: beyond this, labels are to be printed singly.
LARGEST_SHEET = 64 * 1024 * 1024
WIDTH, HEIGHT = 4 * inch, 6 * inch
_MARGIN = 0.3 * inch
_LINES_ON_CLOSING_PAGE = 24

# Whatever a broken file makes a parser stumble over: such a label is left out, the others are printed.
_UNREADABLE = (
    PyPdfError, DependencyError, DecompressionBombError, zlib.error, struct.error, ValueError, KeyError, TypeError,
    AttributeError, IndexError, ArithmeticError, EOFError, RuntimeError, AssertionError,
)  # fmt: skip

# ReportLab keeps its fonts in tables of the whole process, so pages are drawn one at a time.
_drawing = threading.Lock()


class _Unprintable(Exception):
    """Why a label can't be put into a PDF, in words for the person."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row whose label is not in the PDF, and why."""

    number: int
    why: str


@dataclass(slots=True)
class LabelPdf:
    """The PDF as a temporary file at its beginning (whoever takes it closes it), and what is and isn't in it."""

    file: IO[bytes]
    labels: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


def make_label_pdf(job: Job, rows: Sequence[Row]) -> LabelPdf:
    """Put the labels of rows, at most SHEET_LABELS, into one PDF in their order.

    Memory is bounded by SHEET_LABELS and LARGEST_SHEET. What was left out is listed on a page at the end.
    """
    try:
        return _put_together(job, rows, carefully=False)
    except _UNREADABLE:
        # One of the files is broken. Each is read and written by itself first, which takes twice as long and tells
        # which it is.
        return _put_together(job, rows, carefully=True)


def _put_together(job: Job, rows: Sequence[Row], *, carefully: bool) -> LabelPdf:
    pdf = LabelPdf(file=tempfile.TemporaryFile())  # noqa: SIM115 (whoever takes the PDF closes it)
    size = 0
    try:
        with closing(PdfWriter()) as writer:
            for row in rows[:SHEET_LABELS]:
                try:
                    content = _content(row, room=LARGEST_SHEET - size)
                    content = _rewritten(content) if carefully else content
                except _Unprintable as error:
                    pdf.left_out.append(LeftOut(row.number, str(error)))
                    continue
                pages = len(writer.pages)
                writer.append(BytesIO(content), import_outline=False)
                if len(writer.pages) == pages:
                    raise ValueError("A label without a page.")
                size += len(content)
                pdf.labels += 1
            goes_on_at = rows[SHEET_LABELS].number if len(rows) > SHEET_LABELS else None
            if pdf.left_out or goes_on_at is not None:
                writer.append(BytesIO(_closing_page(job, pdf, goes_on_at)), import_outline=False)
            writer.write(pdf.file)
        pdf.file.seek(0)
    except BaseException:
        pdf.file.close()
        raise
    return pdf


def can_be_put_in(file_name: str) -> bool:
    """Whether a label's file is one for a PDF: by its name, in the storage, and with the beginning of its kind."""
    if not is_printable(file_name):
        return False
    try:
        with default_storage.open(file_name, "rb") as file:
            return bool(file.read(8).startswith((b"%PDF-", b"\x89PNG\r\n\x1a\n")))
    except OSError:
        return False


def _content(row: Row, *, room: int) -> bytes:
    """The bytes of a row's label as a PDF. Raises _Unprintable."""
    name = str(row.label.file) if row.label else ""
    if not name:
        raise _Unprintable(_("its file is not here yet"))
    if not is_printable(name):
        raise _Unprintable(_("its file is no PDF or PNG: print it singly"))
    try:
        if default_storage.size(name) > room:
            raise _Unprintable(_("its file is too large: print it singly"))
        with default_storage.open(name, "rb") as file:
            content: bytes = file.read()
    except OSError:
        raise _Unprintable(_("its file was lost: have it fetched again")) from None
    return _page_of_image(content) if name.lower().endswith(".png") else content


def _rewritten(content: bytes) -> bytes:
    """A label's PDF, wholly read and written anew. Raises _Unprintable."""
    output = BytesIO()
    try:
        with closing(PdfWriter()) as writer:
            writer.append(BytesIO(content), import_outline=False)
            writer.write(output)
            pages = len(writer.pages)
    except _UNREADABLE:
        raise _Unprintable(_("its file can't be read: open it singly")) from None
    if not pages:
        raise _Unprintable(_("its file holds no page"))
    return output.getvalue()


def _page_of_image(content: bytes) -> bytes:
    """An image on a page of 4 by 6 inches, upright or lying as the image is. Raises _Unprintable."""
    output = BytesIO()
    try:
        image = ImageReader(BytesIO(content))
        wide, high = image.getSize()
        size = (WIDTH, HEIGHT) if wide <= high else (HEIGHT, WIDTH)
        with _drawing:
            canvas = Canvas(output, pagesize=size, invariant=1, pageCompression=1)
            canvas.drawImage(image, 0, 0, *size, preserveAspectRatio=True, anchor="c")
            canvas.showPage()
            canvas.save()
    except (OSError, SyntaxError, *_UNREADABLE):
        raise _Unprintable(_("its file can't be read: open it singly")) from None
    return output.getvalue()


def _closing_page(job: Job, pdf: LabelPdf, goes_on_at: int | None) -> bytes:
    lines = [
        _("This is not a label."),
        ngettext("%(count)s label comes before this page.", "%(count)s labels come before this page.", pdf.labels)
        % {"count": pdf.labels},
    ]
    if goes_on_at is not None:
        lines.append(_("It goes on with row %(number)s in the next part.") % {"number": goes_on_at})
    if pdf.left_out:
        lines += ["", _("Left out, and not printed:")]
        room = _LINES_ON_CLOSING_PAGE - len(lines)
        named = pdf.left_out if len(pdf.left_out) <= room else pdf.left_out[: room - 1]
        lines += [_("Row %(number)s: %(why)s") % {"number": each.number, "why": each.why} for each in named]
        if len(named) < len(pdf.left_out):
            lines.append(_("and %(count)s more") % {"count": len(pdf.left_out) - len(named)})
    output = BytesIO()
    with _drawing:
        canvas = Canvas(output, pagesize=(WIDTH, HEIGHT), invariant=1)
        _draw(canvas, job.name, lines)
        canvas.save()
    return output.getvalue()


def _draw(canvas: Any, heading: str, lines: Sequence[str]) -> None:
    """Lines of text, in the letters that PDF's own fonts have; others become a question mark."""
    for place, line in enumerate([heading, *lines]):
        text = line.encode("cp1252", "replace").decode("cp1252")
        canvas.setFont("Helvetica-Bold" if place == 0 else "Helvetica", 10 if place == 0 else 9)
        canvas.drawString(_MARGIN, HEIGHT - _MARGIN - 10 - place * 15, text[:60])
    canvas.showPage()
