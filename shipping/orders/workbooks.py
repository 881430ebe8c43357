"""Reading Excel workbooks (.xlsx): the first visible sheet that holds anything, row by row.

openpyxl reads the parts around the sheet (styles, shared texts) into memory, so they are bounded before it sees
them; the sheet itself is taken apart here, cell by cell, with openpyxl's own reading of a cell.
"""

import datetime as dt
import hashlib
import re
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any
from xml.etree.ElementTree import ParseError, iterparse
from xml.parsers import expat

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _
from openpyxl import Workbook, load_workbook
from openpyxl.cell.read_only import ReadOnlyCell
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._read_only import ReadOnlyWorksheet
from openpyxl.worksheet._reader import FORMULA_TAG, ROW_TAG, WorkSheetParser

from shipping.orders.errors import OrderFileError, shown
from shipping.orders.sources import Bytes, CellKind, RawRow, byte_chunks, limited

MOST_ORDERS = 100_000
# What the parts of a workbook may measure when they are unpacked. 100,000 orders of 16 columns were a sheet of 55 MB
# and 700,000 different texts of 22 MB; the texts are held in memory (120 MB for these).
MOST_PARTS = 5_000
SHEET_BYTES = 400_000_000
TEXTS_BYTES = 64_000_000
PART_BYTES = 20_000_000
# What is larger than this never swells so much by itself (Apache POI draws the line at 100 times, too).
PLAIN_BYTES = 1_000_000
MOST_SWELLING = 100
# As many as Excel itself has.
MOST_LINES = 1_048_576
MOST_CELLS = 16_384
# Whatever a sheet has beside rows and cells (merged ranges, links, rules), and parts of one cell.
MOST_OTHERS = 1_000_000
CELL_PARTS = 50
# A spreadsheet keeps 15 digits of a number (IEEE 754 double precision).
LARGEST_EXACT = 10**15

_ZIP = b"PK\x03\x04"
_COMPOUND = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_CELL_TAG = FORMULA_TAG.removesuffix("f") + "c"
# A number format of zeros alone, as 00000 for ZIP codes: the zeros in front are part of what is meant.
_ZEROS = re.compile(r"0{2,}(?:-0+)?")
# What a number format shows beside the number: 0.0" lb" or 0.0\ \l\b, and the sign of a percentage.
_WORDS = re.compile(r'"([^"]*)"|\\(.)|(%)')
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, ParseError, expat.ExpatError, InvalidFileException, EOFError, KeyError, IndexError,
    ValueError, TypeError, AttributeError, NotImplementedError, RuntimeError, OverflowError,
)  # fmt: skip


def is_workbook(file: IO[bytes]) -> bool:
    """Whether the bytes are those of an archive, as workbooks are, whatever the file is called.

    Raises OrderFileError for old and encrypted workbooks, which are another kind of file.
    """
    file.seek(0)
    first = file.read(4)
    if first == _COMPOUND:
        raise OrderFileError(
            _("The workbook is protected by a password. Save it without one, or as CSV.")
            if _holds(file, _ENCRYPTED)
            else _(
                "This is an old Excel workbook (.xls) or another Office file. Open it and save it as .xlsx or as CSV."
            )
        )
    return first == _ZIP


@dataclass(frozen=True, slots=True)
class WorkbookSource:
    """One sheet of an open workbook; its texts are in memory, and are read once for all that is asked of it."""

    workbook: Workbook
    sheet: ReadOnlyWorksheet

    def rows(self, file: IO[bytes]) -> Generator[RawRow, None, None]:  # noqa: ARG002 (the workbook holds it open)
        """Every row that holds anything, the header first; none has fewer cells than that. Raises OrderFileError for a
        damaged workbook, and for more than MOST_ORDERS orders.
        """
        width = 0
        with _whatever_is_damaged():
            for number, row in enumerate(_filled_rows(self.workbook, self.sheet)):
                if number > MOST_ORDERS:
                    raise OrderFileError(
                        _("The workbook has more than %(most)s orders. Save it as CSV and take that file.")
                        % {"most": intcomma(MOST_ORDERS)}
                    )
                width = width or len(row.cells)
                yield RawRow(row.line, row.cells + [""] * (width - len(row.cells)), row.kinds, row.words)


def open_workbook(file: IO[bytes]) -> tuple[Bytes, WorkbookSource]:
    """Look at every byte for the digest, and find the sheet. Raises OrderFileError."""
    digest = hashlib.sha256()
    for chunk in limited(byte_chunks(file)):
        digest.update(chunk)
    with _whatever_is_damaged():
        _check_archive(file)
        workbook = _opened(file)
        filled = [sheet for sheet in _visible_sheets(workbook) if _holds_anything(workbook, sheet)]
    if not filled:
        raise OrderFileError(_("The workbook has no visible sheet with anything in it. Save the orders as CSV."))
    notices = []
    if len(filled) > 1:
        others = ", ".join(f"“{shown(sheet.title)}”" for sheet in filled[1:6])
        notices.append(
            _("Only the sheet “%(sheet)s” was read; there is also %(others)s.")
            % {"sheet": shown(filled[0].title), "others": others}
        )
    return Bytes(digest=digest.hexdigest(), notices=tuple(notices)), WorkbookSource(workbook, filled[0])


# --- Parts -----------------------------------------------------------------------------------------------


def _holds(file: IO[bytes], wanted: bytes) -> bool:
    tail = b""
    for chunk in byte_chunks(file):
        if wanted in tail + chunk:
            return True
        tail = chunk[-len(wanted) :]
    return False


@contextmanager
def _whatever_is_damaged() -> Iterator[None]:
    """What openpyxl stumbles over is raised as OrderFileError."""
    try:
        yield
    except OrderFileError:
        raise
    except _DAMAGED as error:
        raise OrderFileError(
            _("The workbook can’t be read; it may be damaged. Open it in a spreadsheet and save it again, or as CSV.")
        ) from error


def _check_archive(file: IO[bytes]) -> None:
    """Refuse an archive that is no workbook, or one that would swell beyond all measure or plays with entities.

    The sizes that the archive states are binding: zipfile reads no more of a part than that.
    """
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        names = {part.filename for part in parts}
        if "xl/workbook.bin" in names:
            raise OrderFileError(_("This is a binary workbook (.xlsb). Save it as .xlsx or as CSV."))
        if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
            raise OrderFileError(_("This is an archive, but no Excel workbook. Save the orders as .xlsx or as CSV."))
        if any(part.flag_bits & 1 for part in parts):
            raise OrderFileError(_("The workbook is protected by a password. Save it without one, or as CSV."))
        if len(parts) > MOST_PARTS:
            raise OrderFileError(_("The workbook has too many parts. Save the sheet of orders as CSV."))
        # All of them: what a part is for, its name does not tell.
        for part in parts:
            if part.file_size > min(_most_bytes(part.filename), max(PLAIN_BYTES, part.compress_size * MOST_SWELLING)):
                raise OrderFileError(_("The workbook is too large when it is unpacked. Save it as CSV."))
            _refuse_document_type(archive, part)


def _most_bytes(name: str) -> int:
    if name.startswith("xl/worksheets/"):
        return SHEET_BYTES
    return PART_BYTES if name.endswith((".xml", ".rels")) and name != "xl/sharedStrings.xml" else TEXTS_BYTES


def _refuse_document_type(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Entities are declared in a document type, which no workbook has: refused before anything is expanded. A part
    that is no XML, as a picture, is passed over.
    """
    begun = False

    def refuse(*_declaration: object) -> None:
        raise OrderFileError(_("The workbook holds declarations that no spreadsheet writes. Save it as CSV."))

    def begin(*_element: object) -> None:
        nonlocal begun
        begun = True

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    with archive.open(part) as content, suppress(expat.ExpatError):
        while not begun and (chunk := content.read(4096)):
            parser.Parse(chunk, False)


def _opened(file: IO[bytes]) -> Workbook:
    file.seek(0)
    try:
        return load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except OSError as error:
        # openpyxl says so of an archive without a workbook; a disk that can't be read gives a number.
        if error.errno is not None:
            raise
        raise ValueError(str(error)) from error


def _visible_sheets(workbook: Workbook) -> list[ReadOnlyWorksheet]:
    return [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]


def _holds_anything(workbook: Workbook, sheet: ReadOnlyWorksheet) -> bool:
    with closing(_filled_rows(workbook, sheet)) as rows:
        return next(rows, None) is not None


def _filled_rows(workbook: Any, sheet: Any) -> Generator[RawRow, None, None]:
    """The rows that hold anything. Each is forgotten when the next begins.

    `Any`: openpyxl's own reading of rows tells neither a formula without a result nor a row that never ends, so its
    private parts are used here; the tests hold them against the pinned version.
    """
    line = lines = seen = others = 0
    cells: dict[int, _Cell] = {}
    with closing(sheet._get_source()) as source:  # noqa: SLF001
        reader = WorkSheetParser(
            source,
            sheet._shared_strings,  # noqa: SLF001
            data_only=True,
            epoch=workbook.epoch,
            date_formats=workbook._date_formats,  # noqa: SLF001
            timedelta_formats=workbook._timedelta_formats,  # noqa: SLF001
        )
        # No document type got here.
        for _event, element in iterparse(source):  # noqa: S314
            if element.tag == _CELL_TAG:
                place, cell = _read_cell(reader, sheet, element)
                seen += 1
                others -= min(CELL_PARTS, sum(1 for _part in element.iter()) - 1)
                if seen > MOST_CELLS or not 0 <= place < MOST_CELLS:
                    raise OrderFileError(
                        _("Line %(line)s of the sheet has more than %(most)s cells.")
                        % {"line": line + 1, "most": intcomma(MOST_CELLS)}
                    )
                if cell.text or cell.kind is CellKind.formula:
                    cells[place] = cell
                element.clear()
            elif element.tag == ROW_TAG:
                lines += 1
                line = _line_of(element, line, lines)
                element.clear()
                if any(cell.text.strip() or cell.kind for cell in cells.values()):
                    yield _row(line, cells)
                reader.row_counter, reader.col_counter = line + 1, 0
                cells, seen = {}, 0
            else:
                others += 1
                if others > MOST_OTHERS:
                    raise OrderFileError(
                        _("The sheet holds too much beside its cells. Copy the orders to a new one, or save as CSV.")
                    )


def _line_of(row: Any, before: int, seen: int) -> int:
    line = int(row.get("r") or before + 1)
    if max(line, seen) > MOST_LINES:
        raise OrderFileError(
            _("The sheet has more than %(most)s lines. Save the orders as CSV.") % {"most": intcomma(MOST_LINES)}
        )
    return line


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell's text, what it is when it is no text, and the words that its format shows with a number."""

    text: str
    kind: CellKind | None = None
    words: str = ""


def _row(line: int, cells: dict[int, _Cell]) -> RawRow:
    width = max(cells) + 1
    texts = [cells[place].text if place in cells else "" for place in range(width)]
    told = sorted(cells.items())
    kinds = {place: cell.kind for place, cell in told if cell.kind}
    return RawRow(line, texts, kinds, {place: cell.words for place, cell in told if cell.words})


def _read_cell(reader: WorkSheetParser, sheet: ReadOnlyWorksheet, element: Any) -> tuple[int, _Cell]:
    """A cell, and its place from 0."""
    cell = reader.parse_cell(element)
    place, value, data_type = cell["column"] - 1, cell["value"], cell["data_type"]
    if value is None:
        return place, _Cell("", CellKind.formula if element.find(FORMULA_TAG) is not None else None)
    if data_type == "b":
        return place, _Cell("TRUE" if value else "FALSE", CellKind.boolean)
    if data_type == "e":
        return place, _Cell(str(value), CellKind.error)
    if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
        return place, _Cell(_date_text(value), CellKind.date)
    if isinstance(value, int | float):
        number_format = ReadOnlyCell(sheet, **cell).number_format or ""
        text, kind = _number(value, re.sub(r'[\\"]', "", number_format))
        return place, _Cell(text, kind, _words(number_format))
    return place, _Cell(str(value))


def _words(number_format: str) -> str:
    """What a format shows with a positive number, without spaces around it."""
    positive = number_format.partition(";")[0]
    return "".join("".join(found) for found in _WORDS.findall(positive)).strip()


def _date_text(value: dt.datetime | dt.date | dt.time | dt.timedelta) -> str:
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    return value.isoformat(sep=" ") if isinstance(value, dt.datetime) else str(value)


def _number(value: int | float, number_format: str) -> tuple[str, CellKind]:
    """A number as people wrote it: whole ones without a point, others with the 15 digits that are certain."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if abs(value) >= LARGEST_EXACT:
        return f"{value:f}" if isinstance(value, float) else str(value), CellKind.long_number
    if isinstance(value, float):
        # Fifteen digits without an exponent: a weight of 0.00001 is written so.
        text = f"{value:.15g}"
        return (f"{value:.20f}".rstrip("0") if "e" in text else text), CellKind.number
    if value >= 0 and _ZEROS.fullmatch(number_format):
        digits = str(value).zfill(number_format.count("0"))
        behind = len(number_format.partition("-")[2])
        return (f"{digits[:-behind]}-{digits[-behind:]}" if behind else digits), CellKind.number
    return str(value), CellKind.number
