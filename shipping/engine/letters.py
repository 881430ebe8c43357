"""What goes out to the carrier and what comes back: plain values that cross threads. No ORM here.

Each outgoing letter names the job it is for, so that an answer finds its books whoever is there to file it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shipping.carriers.port import CarrierError, Order, Prepared, Purchase, VoidAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A pending row that this run keeps for itself, to be prepared at the carrier. One whose attempt has a pinned
    `handle` already needs no preparing.
    """

    job_id: int
    carrier: str
    run_id: int
    row_id: int
    number: int
    attempt: int
    order: Order
    handle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A row whose purchase is prepared: it may be claimed."""

    preparation: Preparation
    prepared: Prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A committed claim: its purchase may be sent, once, until `deadline` (`local_seconds()` of this process)."""

    job_id: int
    carrier: str
    row_id: int
    number: int
    attempt: int
    claim: int
    handle: str
    order: Order
    details: Mapping[str, str]
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A look-up of a row in doubt. `asked` is the book time just before it may be sent."""

    job_id: int
    carrier: str
    row_id: int
    attempt: int
    claim: int
    handle: str
    reference: str
    asked: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidLetter:
    """A void to be asked for."""

    job_id: int
    carrier: str
    label_id: int
    purchase_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundQuestion:
    """A look-up of how the refund of a voided label stands."""

    job_id: int
    carrier: str
    label_id: int
    purchase_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrder:
    """A label file to be fetched and stored under a name."""

    job_id: int
    carrier: str
    label_id: int
    purchase_id: str
    label_url: str
    file_name: str


Letter = Preparation | Claim | Question | VoidLetter | RefundQuestion | FileOrder


@dataclass(frozen=True, slots=True)
class StoredFile:
    """The name under which the storage keeps a label's bytes."""

    name: str


# None is a look-up's definite "not bought".
Answer = Prepared | Purchase | VoidAnswer | StoredFile | CarrierError | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for a letter."""

    letter: Letter
    outcome: Answer


@dataclass(slots=True)
class Inbox:
    """Replies to be filed in one tick of one job."""

    purchases: list[Reply] = field(default_factory=list)
    preparations: list[Reply] = field(default_factory=list)
    findings: list[Reply] = field(default_factory=list)
    voids: list[Reply] = field(default_factory=list)
    refunds: list[Reply] = field(default_factory=list)
    files: list[Reply] = field(default_factory=list)

    def add(self, reply: Reply) -> None:
        match reply.letter:
            case Claim():
                self.purchases.append(reply)
            case Preparation():
                self.preparations.append(reply)
            case Question():
                self.findings.append(reply)
            case VoidLetter():
                self.voids.append(reply)
            case RefundQuestion():
                self.refunds.append(reply)
            case FileOrder():
                self.files.append(reply)

    def replies(self) -> list[Reply]:
        """All of them, purchases first."""
        return [*self.purchases, *self.findings, *self.voids, *self.refunds, *self.files, *self.preparations]
