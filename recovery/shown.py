"""Signed notes of what a person was shown: of one row, and of a whole list of rows.

A decision about rows is bound to them; whether they still hold is compared under the job's lock.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.core import signing
from django.db.models import Count, Sum

from shipping.models import Row
from shipping.models.row import RowQuerySet
from shipping.states import RowStatus

ROW_SALT = "recovery.row"
LIST_SALT = "recovery.rows"


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row as a person saw it."""

    key: int
    status: str
    attempt: int
    claims: int

    def is_still(self, row: Row) -> bool:
        """Whether the row has not moved since."""
        return (row.pk, row.status, row.attempt, row.claims) == (self.key, self.status, self.attempt, self.claims)


def sign_row(row: Row) -> str:
    """What a decision about a row is bound to."""
    return signing.dumps([row.pk, row.status, row.attempt, row.claims], salt=ROW_SALT)


def read_row(note: str) -> ShownRow | None:
    """The row of a note; None for a forged one."""
    try:
        return ShownRow(*signing.loads(note, salt=ROW_SALT))
    except (signing.BadSignature, ValueError, TypeError):
        return None


def put_as_shown(row: Row, note: str) -> bool:
    """Give `row` the state that the person was shown, for the decision to compare; False for a forged note."""
    shown = read_row(note)
    if shown is None or shown.key != row.pk:
        return False
    row.status, row.attempt, row.claims = shown.status, shown.attempt, shown.claims
    return True


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows failed: the carrier's code and its very words."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class RowList:
    """All rows of a job in one state, or those that failed for one reason."""

    job_id: int
    status: RowStatus
    reason: Reason | None = None

    def rows(self) -> RowQuerySet:
        """The rows of the list as it is now."""
        rows = Row.objects.filter(job=self.job_id, status=self.status)
        if self.reason is None:
            return rows
        return rows.filter(error_code=self.reason.code, error_message=self.reason.message)

    def listed(self, *, after: int, most: int) -> list[tuple[int, ShownRow]]:
        """The number of each row behind the number `after`, and the row as it is now; the first `most` of them."""
        rows = self.rows().filter(number__gt=after).order_by("number")
        found = rows.values_list("number", "pk", "status", "attempt", "claims")[:most]
        return [(number, ShownRow(key, status, attempt, claims)) for number, key, status, attempt, claims in found]


@dataclass(frozen=True, slots=True)
class Sums:
    """A list's fingerprint: a row that joins it, leaves it or is bought again meanwhile changes one of the sums. Being
    sums, they also tell what must be left once some of its rows have been decided.
    """

    rows: int
    keys: int
    attempts: int
    claims: int

    def without(self, row: Row) -> "Sums":
        """The sums of the same list when this row has left it."""
        return Sums(self.rows - 1, self.keys - row.pk, self.attempts - row.attempt, self.claims - row.claims)


def sums_of(rows: RowQuerySet) -> Sums:
    """The fingerprint of rows, in one query."""
    found = rows.order_by().aggregate(
        rows=Count("pk"), keys=Sum("pk", default=0), attempts=Sum("attempt", default=0), claims=Sum("claims", default=0)
    )
    return whole_sums(found)


def whole_sums(found: Mapping[str, Any]) -> Sums:
    """Sums as the database tells them: PostgreSQL's are decimals."""
    return Sums(*(int(found[name]) for name in ("rows", "keys", "attempts", "claims")))


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list as a person saw it, and the number of the row behind which the work on it goes on."""

    rows: RowList
    sums: Sums
    after: int = 0

    def signed(self) -> str:
        """The note for a form."""
        return signing.dumps(asdict(self), salt=LIST_SALT, compress=True)


def read_list(note: str) -> ShownList | None:
    """The list of a note; None for a forged one."""
    try:
        kept: dict[str, Any] = signing.loads(note, salt=LIST_SALT)
        listed, reason = kept["rows"], kept["rows"]["reason"]
        rows = RowList(listed["job_id"], RowStatus(listed["status"]), Reason(**reason) if reason else None)
        return ShownList(rows, Sums(**kept["sums"]), kept["after"])
    except (signing.BadSignature, KeyError, ValueError, TypeError):
        return None
