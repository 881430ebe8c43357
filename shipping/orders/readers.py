"""Reading CSV in any sane delimiter and encoding, streamed, in memory that does not grow with the file.

The file is a binary file object that can be read again from its start (an open file, an upload).
"""

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipping.orders.columns import recognise
from shipping.orders.errors import OrderFileError
from shipping.orders.sources import Bytes, RawRow, byte_chunks, limited

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
# One line of text, a guard for memory. A cell may have csv.field_size_limit() characters (131,072).
LINE_CHARACTERS = 1_000_000

UTF8 = "utf-8-sig"  # takes a byte order mark away where there is one
WINDOWS_1252 = "cp1252"
_NOT_WINDOWS_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_SIGNATURES = {
    b"%PDF": gettext_lazy("a PDF"),
    b"\x89PNG": gettext_lazy("a picture"),
    b"\xff\xd8\xff": gettext_lazy("a picture"),
    b"\x1f\x8b": gettext_lazy("a compressed file"),
}
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.)"?\s*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextSource:
    """How the lines of a text file become cells."""

    encoding: str
    delimiter: str

    def rows(self, file: IO[bytes]) -> Generator[RawRow, None, None]:
        """Every line that holds anything, the header first. Raises OrderFileError for quotation marks that don't
        match.
        """
        for line, cells in _filled_records(file, self.encoding, self.delimiter):
            yield RawRow(line, cells)


def open_text(file: IO[bytes]) -> tuple[Bytes, TextSource]:
    """Read a file once through for its digest and encoding, then find its delimiter. Raises OrderFileError."""
    about = look_through(file)
    return about, TextSource(about.encoding, _find_delimiter(file, about.encoding))


def look_through(file: IO[bytes]) -> Bytes:
    """Read every byte once: the digest, and the encoding, as the first byte that is not UTF-8 may come late.

    Raises OrderFileError for a file that is empty, too large or no text.
    """
    digest = hashlib.sha256()
    scanner: _Scanner | None = None
    for chunk in limited(byte_chunks(file)):
        digest.update(chunk)
        scanner = scanner or _Scanner(chunk)
        scanner.feed(chunk)
    if scanner is None:
        raise OrderFileError(_("The file is empty."))
    return Bytes(digest=digest.hexdigest(), encoding=scanner.finish(), notices=tuple(scanner.notices))


class _Scanner:
    """Finds out a text's encoding from its bytes in order: UTF-16 only by its mark, UTF-8 as long as it holds,
    else Windows-1252.
    """

    def __init__(self, first: bytes) -> None:
        for signature, kind in _SIGNATURES.items():
            if first.startswith(signature):
                raise OrderFileError(
                    _("This is %(kind)s, not a CSV file. Open it in a spreadsheet and save it as CSV.") % {"kind": kind}
                )
        marked = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        self.encoding = "utf-16" if marked and b"\0\0" not in first[:4] else UTF8
        self.notices: list[str] = []
        self._decoder = codecs.getincrementaldecoder(self.encoding)()
        self._lines = 1
        self._first_odd_line = 0

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        if self.encoding != "utf-16" and b"\0" in chunk:
            raise OrderFileError(_("This is not a text file (it holds NUL bytes). Save the table as CSV, in UTF-8."))
        if not self._first_odd_line and self.encoding != "utf-16" and (odd := _NOT_WINDOWS_1252.search(chunk)):
            self._first_odd_line = self._lines + chunk[: odd.start()].count(b"\n")
        if self.encoding != WINDOWS_1252:
            self._decode(chunk, final=final)
        self._lines += chunk.count(b"\n")

    def finish(self) -> str:
        self.feed(b"", final=True)
        if self.encoding == WINDOWS_1252 and self._first_odd_line:
            raise OrderFileError(
                _(
                    "The file is neither UTF-8 nor Windows-1252 (line %(line)s has a byte that neither"
                    " knows). Save it as CSV in UTF-8."
                )
                % {"line": self._first_odd_line}
            )
        return self.encoding

    def _decode(self, chunk: bytes, *, final: bool) -> None:
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            if self.encoding == "utf-16":
                raise OrderFileError(_("The file begins as UTF-16 but is damaged. Save it as CSV in UTF-8.")) from error
            line = self._lines + chunk[: max(error.start, 0)].count(b"\n")
            self.encoding = WINDOWS_1252
            self.notices.append(
                _(
                    "The file is not UTF-8 (line %(line)s shows it) and was read as Windows-1252. Look whether names"
                    " with accents are right."
                )
                % {"line": line}
            )
        else:
            if "\0" in text:
                raise OrderFileError(
                    _("This is not a text file (it holds NUL bytes). Save the table as CSV, in UTF-8.")
                )


def _find_delimiter(file: IO[bytes], encoding: str) -> str:
    """The delimiter with which the first line holds the most columns that are known, and then the most columns.

    Raises OrderFileError when the file holds nothing, or with none of them is a table.
    """
    best = (0, 1)
    found = ""
    failure: OrderFileError | None = None
    for delimiter in DELIMITERS:
        try:
            _line, header = next(_filled_records(file, encoding, delimiter), (0, []))
        except OrderFileError as error:
            failure = error
            continue
        if not header:
            raise OrderFileError(_("The file is empty."))
        score = (sum(map(_is_known, header)), len(header))
        if score > best and len(header) > 1:
            best, found = score, delimiter
    if found:
        return found
    if failure:
        raise failure
    raise OrderFileError(
        _("This is not a table: the first line holds no columns separated by comma, semicolon, tab or pipe (|).")
    )


def _is_known(header: str) -> bool:
    try:
        return recognise(header) is not None
    except OrderFileError:
        return True


def _filled_records(file: IO[bytes], encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that has any text in it, and the line where it begins."""
    with _text_lines(file, encoding) as lines:
        reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise OrderFileError(_why_unreadable(line, error)) from error
            # Excel reads a first line “sep=;” as a hint; it is no header.
            is_hint = line == 1 and _SEPARATOR_LINE.fullmatch(delimiter.join(cells))
            if not is_hint and any(map(str.strip, cells)):
                yield line, cells


def _why_unreadable(line: int, error: csv.Error) -> str:
    if "field limit" in str(error):
        return _(
            "The order that begins in line %(line)s has a cell of more than %(characters)s"
            " characters; most likely a quotation mark is opened there and never closed."
        ) % {"line": line, "characters": intcomma(csv.field_size_limit())}
    if "unexpected end" in str(error):
        return _("A quotation mark that is opened in line %(line)s is never closed.") % {"line": line}
    return _(
        "The quotation marks of the order that begins in line %(line)s don't match. A cell in quotation marks must end"
        ' with one, and one inside it must be doubled: "Smith ""The Baker"" Ltd".'
    ) % {"line": line}


@contextmanager
def _text_lines(file: IO[bytes], encoding: str) -> Iterator[Iterator[str]]:
    """The lines of a file with their ends, whichever ends it uses (CR LF, LF or a lone CR)."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")

    def lines() -> Iterator[str]:
        number = 0
        while line := text.readline(LINE_CHARACTERS):
            number += 1
            if len(line) == LINE_CHARACTERS:
                raise OrderFileError(
                    _(
                        "Line %(number)s has more than %(most)s characters. This is not a table of"
                        " orders, or its line ends are lost."
                    )
                    % {"number": number, "most": intcomma(LINE_CHARACTERS)}
                )
            yield line

    try:
        yield lines()
    finally:
        # Left to itself the wrapper would close a file that is not ours.
        if not file.closed:
            text.detach()
