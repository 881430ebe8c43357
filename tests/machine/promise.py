"""What is read of the books after every move, and the rules that hold of them and of what led there."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from django.conf import settings
from django.db import connection

from shipping.models import Event, Job, Label, Row, Run
from shipping.states import PROCESSED_ROW_STATUSES, EventKind, JobStatus, RowStatus, Sweep
from tests.machine.carrier import Ledger
from tests.machine.couriers import Call

Values = Mapping[str, Any]


class Breach(AssertionError):
    """A rule of the promise is broken. `rule`: its number, or "books" for what every bookkeeping has to keep."""

    def __init__(self, rule: int | str, sentence: str) -> None:
        super().__init__(f"rule {rule}: {sentence}" if isinstance(rule, int) else f"{rule}: {sentence}")
        self.rule = str(rule)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Books:
    """All that the database holds of one job, by primary key."""

    job: Values
    rows: Mapping[int, Values]
    labels: Mapping[int, Values]
    runs: Mapping[int, Values]
    events: tuple[Values, ...]


# Written out: the ORM takes longer to put such a statement together than the database to answer it.
_JOB, _ROWS, _LABELS, _RUNS = (
    f"SELECT * FROM {model._meta.db_table} WHERE {column} = %s ORDER BY id"  # noqa: S608 (names of our own tables)
    for model, column in ((Job, "id"), (Row, "job_id"), (Label, "job_id"), (Run, "job_id"))
)
_EVENTS = f"SELECT * FROM {Event._meta.db_table} WHERE job_id = %s AND id > %s ORDER BY id"  # noqa: S608


def read_books(job_id: int, *, since_event: int = 0) -> Books:
    """The books as they are, with the events that are newer than one. Values are as the database's driver has them."""
    return Books(
        job=_read(_JOB, job_id)[0],
        rows={each["id"]: each for each in _read(_ROWS, job_id)},
        labels={each["id"]: each for each in _read(_LABELS, job_id)},
        runs={each["id"]: each for each in _read(_RUNS, job_id)},
        events=tuple(_read(_EVENTS, job_id, since_event)),
    )


def _read(statement: str, *values: int) -> list[Values]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, each, strict=True)) for each in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Committed:
    """A claim as it was found in the books."""

    handle: str
    due: float


@dataclass(slots=True)
class Witness:
    """What was seen and no table holds: claims by (row, number), what their doubts were ended by, what was heard, what
    restarts were confirmed.
    """

    claims: dict[tuple[int, int], Committed] = field(default_factory=dict)
    answered: set[tuple[int, int]] = field(default_factory=set)
    asked_in_vain: set[tuple[int, int]] = field(default_factory=set)
    sent: Counter[tuple[int, int]] = field(default_factory=Counter)
    heard: set[str] = field(default_factory=set)
    permits: dict[int, bool] = field(default_factory=dict)

    def note_claims(self, books: Books) -> None:
        """Remember what is claimed."""
        for key, row in books.rows.items():
            if row["due"] is not None and row["handle"]:
                self.claims.setdefault((key, row["claims"]), Committed(row["handle"], row["due"]))

    def was_asked_late_enough(self, row_id: int, claim: int, asked: float) -> bool:
        """Whether a question was asked after the due and the quiet period of the claim it was about."""
        committed = self.claims.get((row_id, claim))
        return committed is not None and asked >= committed.due + settings.QUIET_SECONDS


@dataclass(frozen=True, slots=True)
class Moment:
    """What a move has to be judged by, beside the books: the time, the run that made it (if a run did), who is known
    to be gone, purchases that may still be executed as (row, claim, until), those that processes hold in memory, and
    the labels whose voids the move has sent.
    """

    now: float
    run_id: int | None
    gone: Collection[int]
    under_way: Collection[tuple[int, int, float]]
    in_memory: Collection[str]
    voids_sent: Collection[int]


# --- When a purchase reaches the carrier ----------------------------------------------------------------------


def check_arrival(witness: Witness, row_id: int, claim: int, call: Call, *, now: float, deadline: float) -> None:
    """Raises Breach for a purchase that must not have been sent."""
    committed = witness.claims.get((row_id, claim))
    if committed is None or committed.handle != call.handle:
        raise Breach(1, "a purchase was sent, and the books held no claim for it")
    if now >= deadline:
        raise Breach(3, "a purchase was sent after its due")
    witness.sent[row_id, claim] += 1
    if witness.sent[row_id, claim] > 1:
        raise Breach(4, "the purchase of one claim was sent twice")


# --- After every move -----------------------------------------------------------------------------------------


def check_move(before: Books, after: Books, witness: Witness, ledger: Ledger, moment: Moment) -> None:
    """Raises Breach for the first rule that a move has broken."""
    for rule, sentence in chain(
        _labels(before, after, ledger),
        _money(after, ledger),
        _heard(after, witness, moment),
        _claims(before, after, moment),
        _starts(before, after, moment),
        _attempts(before, after, witness),
        _doubts(before, after, witness, moment),
        _unheard_of(after, ledger, moment),
        _counters(after),
    ):
        raise Breach(rule, sentence)


Found = Iterator[tuple[int | str, str]]

LABEL_FACTS = ("row_id", "attempt", "account", "purchase_id", "tracking_number", "cost_cents", "currency", "adopted")


def _labels(before: Books, after: Books, ledger: Ledger) -> Found:
    """Labels are append-only, and each is what the carrier charged."""
    charges = {charge.purchase_id: charge for charge in ledger.charges}
    for key, label in before.labels.items():
        if key not in after.labels:
            yield 2, "a label that was bought left the books"
        elif any(label[fact] != after.labels[key][fact] for fact in LABEL_FACTS):
            yield 2, "a label was changed after it was recorded"
    for label in after.labels.values():
        charge = charges.get(label["purchase_id"])
        if charge is None:
            yield 2, "the books hold a label that the carrier never charged"
            continue
        row = after.rows[label["row_id"]]
        if charge.reference != f"{after.job['code']}-{row['number']:06d}-{label['attempt']}":
            yield 2, "a label is recorded for another row or attempt than was charged"
        if charge.cost_cents != label["cost_cents"]:
            yield 2, "a label is recorded with another cost than was charged"
        if label["voided_at"] is not None and not charge.refunded:
            yield 2, "a label counts as voided that the carrier never took back"


def _money(after: Books, ledger: Ledger) -> Found:
    """Nothing is charged twice, but through the window that is stated for carriers without unique handles."""
    meant = [charge for charge in ledger.charges if ledger.exactly_once or not charge.late]
    if any(count > 1 for count in Counter(charge.reference for charge in meant).values()):
        yield 6, "one attempt at a row was charged twice"


def _heard(after: Books, witness: Witness, moment: Moment) -> Found:
    """An answer leaves memory only into the books (or with its process)."""
    recorded = {label["purchase_id"] for label in after.labels.values()}
    if witness.heard - recorded - set(moment.in_memory):
        yield 2, "a “bought” was received and did not get into the books"
    if any(event["kind"] == EventKind.unrecorded_answer for event in after.events):
        yield 2, "an answer did not go into the books"


def _unheard_of(after: Books, ledger: Ledger, moment: Moment) -> Found:
    """Whatever was charged is in the books, on its way there, or owed by a row; but for what came through the window
    of a process that froze before the send: that is for `audit_books`.
    """
    recorded = {label["purchase_id"] for label in after.labels.values()} | set(moment.in_memory)
    asked_for = {row["handle"] for row in after.rows.values() if row["due"] is not None}
    unknown = Counter(
        charge.reference
        for charge in ledger.charges
        if charge.purchase_id not in recorded and charge.handle not in asked_for
    )
    for charge in ledger.charges:
        unknown[charge.reference] -= charge.late
    if any(count > 0 for count in unknown.values()):
        yield 2, "a charge that the books don't know and that nobody will ask about"


def _doubts(before: Books, after: Books, witness: Witness, moment: Moment) -> Found:
    """A doubt ends by its own answer, by one that was asked for late enough, or by a person; not before."""
    for key, row in before.rows.items():
        now = after.rows[key]
        claim = key, row["claims"]
        if row["due"] is None or (now["due"] is not None and now["claims"] == row["claims"]):
            continue
        bought = RowStatus.completed in (row["status"], now["status"]) or row["rebuy"]
        if claim not in witness.answered and not (bought and claim in witness.asked_in_vain):
            yield 3, "a doubt was ended on a guess"
    owed = {(key, row["claims"]) for key, row in after.rows.items() if row["due"] is not None}
    for row_id, number, until in moment.under_way:
        if moment.now < until and (row_id, number) in witness.claims and (row_id, number) not in owed:
            yield 3, "a doubt was ended while its request could still buy"
    if any(after.rows[after.labels[key]["row_id"]]["due"] is not None for key in moment.voids_sent):
        yield 3, "a void was sent while its row still owed an answer"


def _claims(before: Books, after: Books, moment: Moment) -> Found:
    """Only a run of the present epoch claims, of a job that may go on, and after a sweep."""
    job = before.job
    for key, row in after.rows.items():
        claimed = row["claims"] - before.rows[key]["claims"]
        if not claimed:
            continue
        run = before.runs.get(moment.run_id or 0)
        if run is None or run["epoch"] != job["epoch"] or run["ended_at"] is not None:
            yield 5, "a run that a choice had ended claimed a row"
        elif job["status"] != JobStatus.running or job["error_code"]:
            yield 5, "a row of a job that was stopped was claimed"
        if after.job["sweep"] != Sweep.none:
            yield 8, "a row was claimed before the sweep was done"
        if claimed > 1 or before.rows[key]["status"] != RowStatus.pending:
            yield 5, "a row that somebody else had claimed was claimed once more"


def _starts(before: Books, after: Books, moment: Moment) -> Found:
    """A run starts once, and no ticket brings an interrupted job back to life."""
    job = before.job
    for key, run in after.runs.items():
        was = before.runs.get(key)
        if was is None or was["started_at"] == run["started_at"]:
            continue
        if was["started_at"] is not None or was["ended_at"] is not None or was["epoch"] != job["epoch"]:
            yield 5, "a run started that had ended, or had started before"
        if job["status"] != JobStatus.running or job["error_code"]:
            yield 5, "a run started of a job that was stopped"
        died = (
            each["started_at"] is not None and each["ended_at"] is None and not is_live(each, moment)
            for each in before.runs.values()
            if each["epoch"] == job["epoch"]
        )
        if run["turn"] == 1 and any(died):
            yield 5, "an interrupted job was brought back to life without a choice"


def is_live(run: Values, moment: Moment) -> bool:
    """Whether a run beats, by the machine's own account."""
    started = run["started_at"] is not None and run["ended_at"] is None
    return started and run["beat"] >= moment.now - settings.LEASE_SECONDS and run["pid"] not in moment.gone


def _attempts(before: Books, after: Books, witness: Witness) -> Found:
    """Nothing is bought again but what a confirmed restart named, and each attempt has one handle."""
    for key, row in after.rows.items():
        was = before.rows[key]
        if row["attempt"] == was["attempt"]:
            if was["handle"] and row["handle"] != was["handle"]:
                yield 6, "an attempt got a second handle"
            if was["status"] == RowStatus.completed and row["status"] != RowStatus.completed:
                yield 6, "a bought row was opened again without a new attempt"
            continue
        void_first = witness.permits.pop(was["label_id"], None)
        if row["attempt"] != was["attempt"] + 1 or void_first is None:
            yield 6, "a label was to be bought again that no confirmed restart had named"
        elif void_first and after.labels[was["label_id"]]["voided_at"] is None:
            yield 6, "a label that was to be voided first was bought again without it"


def _counters(after: Books) -> Found:
    """The counters are what rows and labels say."""
    job = after.job
    statuses = Counter(row["status"] for row in after.rows.values())
    paid = {key: label["cost_cents"] for key, label in after.labels.items() if label["voided_at"] is None}
    owned = [row["label_id"] for row in after.rows.values() if row["status"] == RowStatus.completed]
    told = {
        "total_rows": len(after.rows),
        "processed_rows": sum(statuses[status] for status in PROCESSED_ROW_STATUSES),
        "successful_rows": statuses[RowStatus.completed],
        "failed_rows": statuses[RowStatus.failed],
        "cost_cents": sum(paid.get(key, 0) for key in owned),
        "replaced_cents": sum(paid.values()) - sum(paid.get(key, 0) for key in owned),
    }
    for name, count in told.items():
        if job[name] != count:
            yield "books", f"the counter {name} is not what the rows say"
