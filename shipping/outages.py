"""What can fail under the program (disks, file handles, the database), told from an error, in words for people."""

import errno
import sqlite3
from collections.abc import Iterator
from enum import Enum

from django.db import InterfaceError, OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy


class Outage(Enum):
    """What failed under the program."""

    disk_full = "disk_full"
    read_only = "read_only"
    no_file_handles = "no_file_handles"
    database_busy = "database_busy"
    database_away = "database_away"


WORDS: dict[Outage, str | Promise] = {
    Outage.disk_full: gettext_lazy("The disk is full: there is no room left to write."),
    Outage.read_only: gettext_lazy("The disk can only be read at the moment: nothing can be written to it."),
    Outage.no_file_handles: gettext_lazy(
        "This machine has too many files and connections open: no more can be opened."
    ),
    Outage.database_busy: gettext_lazy("The database was locked by somebody else for too long."),
    Outage.database_away: gettext_lazy("The database could not be reached."),
}

_BY_ERRNO = {
    errno.ENOSPC: Outage.disk_full,
    errno.EDQUOT: Outage.disk_full,
    errno.EROFS: Outage.read_only,
    errno.EMFILE: Outage.no_file_handles,
    errno.ENFILE: Outage.no_file_handles,
}
# The primary result codes of https://www.sqlite.org/rescode.html; extended ones hold them in their lowest byte.
_BY_SQLITE_CODE = {
    sqlite3.SQLITE_FULL: Outage.disk_full,
    sqlite3.SQLITE_READONLY: Outage.read_only,
    sqlite3.SQLITE_BUSY: Outage.database_busy,
    sqlite3.SQLITE_LOCKED: Outage.database_busy,
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_SQLSTATE = {
    "53100": Outage.disk_full,
    "25006": Outage.read_only,
    "40P01": Outage.database_busy,  # a deadlock
    "55P03": Outage.database_busy,  # lock_timeout
    "53300": Outage.database_busy,  # too many connections
}


def outage_of(error: BaseException) -> Outage | None:
    """What failed under the program, as far as the error or one that it came from tells; None for anything else."""
    for each in _with_causes(error):
        found = _told_by(each)
        if found is not None:
            return found
    return Outage.database_away if isinstance(error, OperationalError | InterfaceError) else None


def in_plain_words(error: BaseException) -> str:
    """A sentence about the error for people who don't read logs."""
    outage = outage_of(error)
    if outage is not None:
        return str(WORDS[outage])
    return "Something went wrong in Onceship itself; the log of the worker tells what."


def _told_by(error: BaseException) -> Outage | None:
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0)
    if isinstance(error, sqlite3.Error):
        return _BY_SQLITE_CODE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return _BY_SQLSTATE.get(getattr(error, "sqlstate", None) or "")


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it came from, each once, the error itself first."""
    seen: set[int] = set()
    left: BaseException | None = error
    while left is not None and id(left) not in seen:
        seen.add(id(left))
        yield left
        left = left.__cause__ or left.__context__
