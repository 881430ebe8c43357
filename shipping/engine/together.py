"""Reading and writing many rows in one statement, each under its own guard: what the engine does for every row that it
ships.

The statements are written out. Some of them take a list of values for a list of rows, which the ORM has no way to say;
and of rows that ship in a millisecond each, putting the statements together would take longer than carrying them out.
They mean the same on SQLite (3.35 or newer) and PostgreSQL. Under the job's lock.

How they find their rows must not depend on what a database believes of its tables, which of a new job is nothing yet:
rows whose ids are known are sought by these, and what else is asked of them is written so that no index is there for
it.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple, cast

from django.db import connection
from django.db.models import DateTimeField
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from shipping.carriers.port import Address
from shipping.engine.letters import Ready
from shipping.engine.statements import as_table, only_among, places, rows_of
from shipping.models import Job, Label
from shipping.models.row import SUSPECT_CRASHES
from shipping.models.search_key import SearchKey
from shipping.rows import IllegalRowMove, count_move
from shipping.states import RowStatus

# States are written out, too: an index on some states alone is used only where the statement names them.
_SUSPECT = """
SELECT id, status, run_id FROM shipping_row
WHERE job_id = %s AND crashes >= {crashes} AND status IN ('pending', 'in_flight') ORDER BY number
"""
_RESERVE = """
UPDATE shipping_row SET run_id = %s
WHERE status = 'pending' AND id IN (
    SELECT id FROM shipping_row
    WHERE job_id = %s AND status = 'pending' AND (run_id IS NULL OR run_id NOT IN ({live})){only}
    ORDER BY number LIMIT %s
)
RETURNING id, number, attempt, handle, "order"
"""
_RELEASE = "UPDATE shipping_row SET run_id = NULL WHERE run_id = %s AND status || '' = 'pending'"
_OWNERS = "SELECT handle, id FROM shipping_row WHERE account = %s AND handle IN ({handles})"
_CLAIM = """
UPDATE shipping_row
SET status = 'in_flight', claims = claims + 1, handle = wanted.column3, due = %s, claimed_at = %s, ask_after = 0,
    questions_failed = 0, answer = ''
FROM ({wanted}) AS wanted
WHERE shipping_row.id = wanted.column1 AND shipping_row.attempt = wanted.column2
    AND (shipping_row.handle IS NULL OR shipping_row.handle = wanted.column3)
    AND shipping_row.status || '' = 'pending' AND shipping_row.run_id + 0 = %s
    AND NOT COALESCE((
        SELECT owner.id <> shipping_row.id FROM shipping_row AS owner
        WHERE owner.account = shipping_row.account AND owner.handle = wanted.column3
    ), false){among}
RETURNING id, claims
"""
_IN_FLIGHT = """
SELECT id, number, account, attempt, claims, run_id FROM shipping_row
WHERE id IN ({ids}) AND status || '' = 'in_flight' AND due + 0 IS NOT NULL
"""
_RECORD = """
INSERT INTO shipping_label ({columns})
SELECT {told}, {alike} FROM ({wanted}) AS wanted WHERE true
ON CONFLICT (account, purchase_id) DO NOTHING
RETURNING purchase_id, id
"""
_COMPLETE = """
UPDATE shipping_row
SET status = 'completed', label_id = wanted.column4, due = NULL, run_id = NULL, questions_failed = 0, crashes = 0,
    error_code = '', error_message = '', failed_epoch = NULL
FROM ({wanted}) AS wanted
WHERE shipping_row.id = wanted.column1 AND shipping_row.attempt = wanted.column2
    AND shipping_row.claims = wanted.column3 AND shipping_row.status || '' = 'in_flight'
    AND shipping_row.due + 0 IS NOT NULL
"""
_COUNT = """
UPDATE shipping_run
SET bought_rows = bought_rows + %s,
    lowest_row = CASE WHEN lowest_row <= %s THEN lowest_row ELSE %s END,
    highest_row = CASE WHEN highest_row >= %s THEN highest_row ELSE %s END
WHERE id = %s
"""
_BEAT = "UPDATE shipping_run SET beat = %s, beat_at = %s WHERE id = %s AND epoch = %s AND ended_at IS NULL"
_STARTED = """
SELECT id, beat, host, pid, pid_start_ticks FROM shipping_run
WHERE job_id = %s AND started_at IS NOT NULL AND ended_at IS NULL
"""
_SENDER = """
SELECT name, company, street1, street2, city, state, zip, country, phone, email FROM shipping_sender WHERE id = %s
"""


class Started(NamedTuple):
    """What is read of a run that has started and not ended."""

    pk: int
    beat: float | None
    host: str
    pid: int | None
    pid_start_ticks: int | None


class Suspect(NamedTuple):
    """What is read of a row that is suspected of killing workers."""

    pk: int
    status: str
    run_id: int | None


class Reserved(NamedTuple):
    """What is read of a row that a run keeps for itself, to prepare it."""

    pk: int
    number: int
    attempt: int
    handle: str | None
    order: dict[str, str]


class InFlight(NamedTuple):
    """What is read of a row that owes the answer to its last claim."""

    pk: int
    number: int
    account: str
    attempt: int
    claims: int
    run_id: int | None


class LockedJob:
    """A job, locked until the transaction ends, of which only the fields `names` are read. What was changed in it since
    is written back by `save`.
    """

    def __init__(self, pk: int, names: Sequence[str]) -> None:
        """Raises Job.DoesNotExist, and TransactionManagementError outside of `transaction.atomic()`."""
        if not connection.in_atomic_block:
            raise TransactionManagementError("A job is locked inside a transaction.")
        fields = _fields_of_job(tuple(names))
        columns = ", ".join(field.column for field, _converters in fields)
        # On SQLite the IMMEDIATE transaction already is the lock.
        lock = "FOR NO KEY UPDATE" if connection.features.has_select_for_no_key_update else ""
        found = rows_of(f"SELECT {columns} FROM shipping_job WHERE id = %s {lock}", [pk])  # noqa: S608
        if not found:
            raise Job.DoesNotExist(f"There is no job {pk}.")
        self._fields = [field for field, _converters in fields]
        self._read = list(found[0])
        for place, (field, converters) in enumerate(fields):
            for convert in converters:
                self._read[place] = convert(self._read[place], field.cached_col, connection)
        self.job = Job.from_db(connection.alias, [field.attname for field in self._fields], self._read)

    def save(self) -> None:
        """Write down what was changed. Fields that were not read must not be."""
        values = [getattr(self.job, field.attname) for field in self._fields]
        changed = [
            (field, value)
            for field, value, before in zip(self._fields, values, self._read, strict=True)
            if value != before
        ]
        if not changed:
            return
        told = [field.get_db_prep_save(value, connection) for field, value in changed]
        written = ", ".join(f"{field.column} = %s" for field, _value in changed)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE shipping_job SET {written} WHERE id = %s", [*told, self.job.pk])  # noqa: S608


@cache
def _fields_of_job(names: tuple[str, ...]) -> list[tuple[Any, list[Any]]]:
    """The fields in the model's order, each with what makes its values of those that the database tells."""
    about = Job._meta  # noqa: SLF001
    fields: list[Any] = sorted((about.get_field(name) for name in ("id", *names)), key=about.concrete_fields.index)
    convert = connection.ops.get_db_converters
    return [(field, [*convert(field.cached_col), *field.get_db_converters(connection)]) for field in fields]


def beat(run_id: int, epoch: int, now: float) -> bool:
    """Say that a run of this epoch lives; false when it has ended."""
    with connection.cursor() as cursor:
        cursor.execute(_BEAT, [now, connection.ops.adapt_datetimefield_value(timezone.now()), run_id, epoch])
        return bool(cursor.rowcount)


def started_runs(job_id: int) -> list[Started]:
    """The runs of a job that have started and not ended: live or dead, `shipping.liveness` tells which."""
    return [Started(*found) for found in rows_of(_STARTED, [job_id])]


def sender_address(sender_id: int) -> Address:
    """Where the parcels of a sender come from."""
    ((name, company, street1, street2, city, state, postal_code, country, phone, email),) = rows_of(
        _SENDER, [sender_id]
    )
    return Address(
        name=name, company=company, street1=street1, street2=street2, city=city, state=state, zip=postal_code,
        country=country, phone=phone, email=email,
    )  # fmt: skip


def suspects(job_id: int) -> list[Suspect]:
    """Rows still to be bought that were in the hands of workers when these died, twice or more, in file order: they may
    be why.
    """
    return [Suspect(*found) for found in rows_of(_SUSPECT.format(crashes=SUSPECT_CRASHES), [job_id])]


def reserve_rows(job_id: int, run_id: int, live: Collection[int], limit: int, *, only: int | None) -> list[Reserved]:
    """Keep pending rows that no run in `live` has for this run: the next ones in file order, or the one row `only`."""
    taken = list({run_id, *live})
    statement = _RESERVE.format(live=places(taken), only="" if only is None else " AND id = %s")
    found = rows_of(statement, [run_id, job_id, *taken, *([] if only is None else [only]), limit])
    # Both drivers hand out the JSON as it is stored.
    rows = [Reserved(pk, number, attempt, handle, json.loads(order)) for pk, number, attempt, handle, order in found]
    return sorted(rows, key=lambda row: row.number)


def release_rows(run_id: int) -> None:
    """Let go of all rows that a run has reserved and not claimed."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [run_id])


def owners_of(account: str, handles: Collection[str]) -> list[tuple[str, int]]:
    """The handles that are pinned to a row, each with that row's id."""
    if not handles:
        return []
    found = rows_of(_OWNERS.format(handles=places(handles)), [account, *handles])
    return cast("list[tuple[str, int]]", found)


def claim_rows(run_id: int, ready: Collection[Ready], due: float) -> dict[int, int]:
    """Claim rows that wait, are this run's and have no other handle than the prepared one. Returns the numbers of the
    claims by the rows' ids, of those alone that it did claim.
    """
    wanted = [(each.preparation.row_id, each.preparation.attempt, each.prepared.handle) for each in ready]
    if not wanted:
        return {}
    claimed_at = connection.ops.adapt_datetimefield_value(timezone.now())
    table, told = as_table(wanted, ("bigint", "integer", "text"))
    among, ids = only_among([each.preparation.row_id for each in ready])
    return dict(rows_of(_CLAIM.format(wanted=table, among=among), [due, claimed_at, *told, run_id, *ids]))


def rows_in_flight(row_ids: Collection[int]) -> dict[int, InFlight]:
    """Those of the rows that owe the answer to their last claim and wait for it, by their ids."""
    if not row_ids:
        return {}
    found = rows_of(_IN_FLIGHT.format(ids=places(row_ids)), list(row_ids))
    return {row.pk: row for row in (InFlight(*values) for values in found)}


def record_labels(pattern: Label, differing: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Insert labels that are like `pattern` but for the fields (attribute names) of which `differing` tells the values,
    the same fields for each. One whose purchase is in the books already is left out. Returns the ids by the purchases'
    ids, of those that it did insert.
    """
    fields = _fields_of_label(frozenset(differing[0]))
    moment = cache(connection.ops.adapt_datetimefield_value)
    values = []
    for each in differing:
        adapted = {name: moment(each[name]) for name in fields.moments}
        values.append((*fields.pick({**each, **adapted}), *[key.make(each[key.of]) for key in fields.keys]))
    table, given = as_table(values, fields.types)
    shared = [field.get_db_prep_save(field.pre_save(pattern, add=True), connection) for field in fields.alike]
    return dict(rows_of(fields.statement.format(wanted=table), [*shared, *given]))


class _LabelFields(NamedTuple):
    """The fields of a label: keys are made of what is told, and all others are alike. `statement` inserts labels."""

    moments: list[str]  # of those that are told
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    keys: list[Any]
    types: list[str]
    alike: list[Any]
    statement: str


@cache
def _fields_of_label(differing: frozenset[str]) -> _LabelFields:
    """By the names of the fields that are told."""
    fields: list[Any] = [field for field in Label._meta.concrete_fields if not field.primary_key]  # noqa: SLF001
    told = [field for field in fields if field.attname in differing]
    keys = [field for field in fields if isinstance(field, SearchKey) and field.of in differing]
    alike = [field for field in fields if field not in told and field not in keys]
    return _LabelFields(
        moments=[field.attname for field in told if isinstance(field, DateTimeField)],
        pick=itemgetter(*(field.attname for field in told)),
        keys=keys,
        types=[_type_of(field) for field in (*told, *keys)],
        alike=alike,
        statement=_RECORD.format(
            columns=", ".join(field.column for field in (*told, *keys, *alike)),
            told=", ".join(f"wanted.column{number}" for number in range(1, len(told) + len(keys) + 1)),
            alike=places(alike),
            wanted="{wanted}",
        ),
    )


def _type_of(field: Any) -> str:
    """The type of a field's column. Text without its length: too long a value is refused, and not cut."""
    kind = str(field.db_type(connection))
    return "text" if kind.startswith("varchar") else kind


def complete_rows(job: Job, bought: Sequence[tuple[InFlight, int]]) -> None:
    """Complete rows in flight with the labels (their ids) that answer their last claims, and count them in `job`.
    Raises IllegalRowMove when one of them is not what was read; then the transaction must not be committed.
    """
    wanted = [(row.pk, row.attempt, row.claims, label_id) for row, label_id in bought]
    table, told = as_table(wanted, ("bigint", "integer", "integer", "bigint"))
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE.format(wanted=table), told)
        if cursor.rowcount != len(wanted):
            raise IllegalRowMove("Some rows are not in flight any more.")
    count_move(job, RowStatus.in_flight, RowStatus.completed, len(bought))


def count_on_run(run_id: int, numbers: Collection[int]) -> None:
    """Count rows (by their numbers) on the run whose purchases brought them: no page ever has to count labels."""
    lowest, highest = min(numbers), max(numbers)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [len(numbers), lowest, lowest, highest, highest, run_id])
