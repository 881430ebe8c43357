"""The label as a PDF of one page, 4 by 6 inches."""

import threading
import unicodedata
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.units import inch
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from shipping.sandbox.values import JsonObject

WIDTH, HEIGHT = 4 * inch, 6 * inch
_MARGIN = 0.25 * inch
_WIDE_FONT_FILES = (
    Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    Path("/usr/share/fonts/TTF/DejaVuSans.ttf"),
    Path("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf"),
    Path("/Library/Fonts/Arial Unicode.ttf"),
    Path("/System/Library/Fonts/Supplemental/Arial Unicode.ttf"),
)
# Letters that Unicode does not take apart into a plain letter and a mark.
_PLAIN_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ħ": "h", "Ħ": "H", "ı": "i", "ŧ": "t"})

# ReportLab keeps its fonts in tables of the whole process, so labels are drawn one at a time.
_drawing = threading.Lock()


def label_pdf(details: JsonObject, tracking_code: str, service: str) -> bytes:
    """The label for a checked shipment: SAMPLE, the addresses, the reference, and the tracking number in Code 128.

    The same shipment gives the same bytes on the same machine.
    """
    output = BytesIO()
    with _drawing:
        canvas = Canvas(output, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1)
        canvas.setTitle(f"Sample label {tracking_code}")
        _draw_head(canvas, service)
        _draw_lines(canvas, _address_lines(details["from_address"]), top=5.05 * inch, size=7.5)
        canvas.setFont("Helvetica", 7.5)
        canvas.drawString(_MARGIN, 4.15 * inch, "SHIP TO")
        _draw_lines(canvas, _address_lines(details["to_address"]), top=3.9 * inch, size=12)
        _draw_barcode(canvas, tracking_code)
        if details["reference"]:
            _draw_lines(canvas, iter([f"Ref {details['reference']}"]), top=0.3 * inch, size=9)
        canvas.showPage()
        canvas.save()
    return output.getvalue()


def _draw_head(canvas: Any, service: str) -> None:
    canvas.setFont("Helvetica-Bold", 26)
    canvas.drawCentredString(WIDTH / 2, 5.55 * inch, "SAMPLE")
    canvas.setFont("Helvetica", 8)
    canvas.drawCentredString(WIDTH / 2, 5.35 * inch, f"USPS {service}: not postage, no carrier takes it")
    canvas.line(_MARGIN, 5.25 * inch, WIDTH - _MARGIN, 5.25 * inch)


def _draw_lines(canvas: Any, lines: Iterator[str], *, top: float, size: float) -> None:
    for place, line in enumerate(lines):
        text, font = _drawable(line)
        canvas.setFont(font, _fitting_size(text, font, size))
        canvas.drawString(_MARGIN, top - place * size * 1.25, text)


def _draw_barcode(canvas: Any, tracking_code: str) -> None:
    barcode = Code128(tracking_code, barHeight=0.8 * inch, barWidth=1.3, quiet=0)
    canvas.line(_MARGIN, 1.95 * inch, WIDTH - _MARGIN, 1.95 * inch)
    barcode.drawOn(canvas, (WIDTH - barcode.width) / 2, 0.95 * inch)
    canvas.setFont("Helvetica-Bold", 10)
    canvas.drawCentredString(WIDTH / 2, 0.7 * inch, tracking_code)


def _address_lines(address: JsonObject) -> Iterator[str]:
    for field in ("name", "company", "street1", "street2"):
        if address[field]:
            yield address[field]
    yield " ".join(part for part in (address["city"], address["state"], address["zip"]) if part)
    if address["country"] != "US":
        yield address["country"]


def _fitting_size(text: str, font: str, size: float) -> float:
    width = pdfmetrics.stringWidth(text, font, size)
    return float(size * min(1.0, (WIDTH - 2 * _MARGIN) / width)) if width else size


def _drawable(text: str) -> tuple[str, str]:
    """The text as far as a font of this machine can show it, and that font's name.

    PDF's own fonts know Western European letters only. For other scripts a font of the machine is used when
    there is one; letters that no font has lose their marks, or become a question mark.
    """
    text = "".join(character if character.isprintable() else " " for character in text)
    if _western(text):
        return text, "Helvetica"
    wide = _wide_font()
    if wide is not None:
        return "".join(_with_glyph(character, wide) for character in text), "Wide"
    return "".join(_westernised(character) for character in text), "Helvetica"


def _western(text: str) -> bool:
    return text.encode("cp1252", "replace").decode("cp1252") == text


def _westernised(character: str) -> str:
    if _western(character):
        return character
    plain = unicodedata.normalize("NFKD", character.translate(_PLAIN_LETTERS))
    return "".join(part for part in plain if not unicodedata.combining(part) and _western(part)) or "?"


def _with_glyph(character: str, font: Any) -> str:
    return character if ord(character) in font.face.charToGlyph else _westernised(character)


@cache
def _wide_font() -> Any:
    for path in _WIDE_FONT_FILES:
        try:
            font = TTFont("Wide", str(path))
        except (TTFError, OSError):
            continue
        pdfmetrics.registerFont(font)
        return font
    return None
