"""Workbooks for the tests, written by openpyxl."""

import io
import zipfile
from collections.abc import Iterable, Mapping
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

HEADER = ["Order #", "Name", "Street", "City", "State", "Zip", "Country", "Weight", "Note"]
ORDER: list[Any] = ["R-1", "Søren Cruz", "1745 T Street", "Washington", "DC", "20020", "US", 12, "fragile"]
ZIP_PLACE = 5


def workbook(*orders: Iterable[Any], header: Iterable[Any] = HEADER, sheet: str = "Orders") -> IO[bytes]:
    """A workbook of one sheet."""
    return sheets({sheet: [header, *orders]})


def sheets(rows: Mapping[str, Iterable[Iterable[Any]]], *, hidden: Iterable[str] = ()) -> IO[bytes]:
    """A workbook of several sheets, some of them hidden. A cell may be a pair: its value and its number format."""
    book = Workbook(write_only=True)
    for title, its_rows in rows.items():
        sheet = book.create_sheet(title)
        if title in hidden:
            sheet.sheet_state = "hidden"
        for row in its_rows:
            sheet.append([_cell(sheet, value) for value in row])
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    return file


def _cell(sheet: Any, value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    cell = WriteOnlyCell(sheet, value=value[0])
    cell.number_format = value[1]
    return cell


def order(**changes: Any) -> list[Any]:
    """A good order, with other values by header."""
    return [changes.get(header.split()[0].lower(), value) for header, value in zip(HEADER, ORDER, strict=True)]


def with_part(file: IO[bytes], name: str, content: bytes) -> IO[bytes]:
    """The same workbook, one of its parts replaced or added."""
    file.seek(0)
    changed = io.BytesIO()
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as after:
        for part in before.infolist():
            if part.filename != name:
                after.writestr(part, before.read(part))
        after.writestr(name, content)
    return changed


def part_of(file: IO[bytes], name: str) -> bytes:
    """One part of a workbook."""
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        return archive.read(name)
