"""What every kind of file of orders is made of: bytes, and rows of cells.

The file is a binary file object that can be read again from its start (an open file, an upload).
"""

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import IO, Protocol

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _

from shipping.orders.errors import OrderFileError

CHUNK_BYTES = 64 * 1024


class CellKind(Enum):
    """What a workbook's cell holds that is no text."""

    number = "number"
    long_number = "long_number"  # with more digits than a spreadsheet keeps
    date = "date"
    boolean = "boolean"
    error = "error"
    formula = "formula"  # one whose value the file does not hold


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it came, the header or an order. `line` is where it begins in the file, from 1. `kinds` tells by
    place of cells that are no text; in text files all are. `words` are shown with the numbers of a workbook, such as a
    unit, and are no part of them.
    """

    line: int
    cells: list[str]
    kinds: Mapping[int, CellKind] = field(default_factory=dict)
    words: Mapping[int, str] = field(default_factory=dict)


class Source(Protocol):
    """How the bytes of one file become rows."""

    def rows(self, file: IO[bytes]) -> Generator[RawRow, None, None]:
        """Every row that holds anything, the header first. Raises OrderFileError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """What one look at every byte of a file tells. `digest` is its SHA-256 in hex; `encoding` is that of a text."""

    digest: str
    encoding: str = ""
    notices: tuple[str, ...] = ()


def byte_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The file from its start, in pieces."""
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def limited(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces. Raises OrderFileError once they are more than IMPORT_MAX_BYTES together."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > settings.IMPORT_MAX_BYTES:
            raise OrderFileError(
                _("The file is larger than %(most)s bytes. Split it and import the parts.")
                % {"most": intcomma(settings.IMPORT_MAX_BYTES)}
            )
        yield chunk


def digest_of(file: IO[bytes]) -> str:
    """The file's SHA-256 in hex."""
    digest = hashlib.sha256()
    for chunk in byte_chunks(file):
        digest.update(chunk)
    return digest.hexdigest()
