"""A carrier in memory, with a ledger of its own. An adapter like any other, named in `settings.CARRIERS`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shipping.carriers.gate import Gate
from shipping.carriers.port import (
    CarrierError,
    Guarantee,
    LabelFile,
    Order,
    Prepared,
    Purchase,
    Rejected,
    Unavailable,
    Unknown,
    VoidAnswer,
    VoidState,
)
from tests.machine.couriers import hand_over

# The port names its arguments; this carrier needs few of them.
# ruff: noqa: ARG002

COST_CENTS = 700


class Verdict(StrEnum):
    """What becomes of a request at the carrier, and of its answer."""

    done = "done"  # carried out, and answered truthfully
    answer_lost = "answer_lost"  # carried out, and the answer is lost on its way back
    lost = "lost"  # never reaches the carrier
    rejected = "rejected"  # refused for good
    unavailable = "unavailable"  # refused for now: nothing was done


@dataclass(slots=True)
class Charge:
    """A label that was bought. `late`: executed only after due and quiet period, for a process that was frozen between
    its last check and the send.
    """

    purchase_id: str
    handle: str
    reference: str
    cost_cents: int
    late: bool = False
    refunded: bool = False

    def as_purchase(self) -> Purchase:
        """As the carrier tells it."""
        return Purchase(
            purchase_id=self.purchase_id,
            reference=self.reference,
            tracking_number=f"94{self.purchase_id}",
            carrier="USPS",
            service="Priority",
            cost_cents=self.cost_cents,
            currency="USD",
            label_url="",
        )


@dataclass(slots=True)
class Ledger:
    """What the carrier knows: shipments that were made ready, and every charge in order."""

    exactly_once: bool
    shipments: dict[str, str] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)

    def charge(self, handle: str, reference: str, *, late: bool = False) -> Charge:
        """Execute a purchase. A handle that is charged at most once is answered with its first charge."""
        known = self.of(handle)
        if self.exactly_once and known:
            return known[0]
        number = len(self.charges) + 1
        # A shipment is its own purchase; without such handles each purchase gets a number.
        purchase_id = handle if self.exactly_once else f"1Z{reference[:10]}{number}"
        charge = Charge(purchase_id, handle, reference, COST_CENTS + number, late=late)
        self.charges.append(charge)
        return charge

    def of(self, handle: str) -> list[Charge]:
        """The charges under a handle."""
        return [charge for charge in self.charges if charge.handle == handle]

    def refund(self, purchase_id: str) -> None:
        """Give a label's money back."""
        for charge in self.charges:
            charge.refunded = charge.refunded or charge.purchase_id == purchase_id


class MemoryCarrier:
    """The adapter. A purchase, a look-up and a void that a courier brings wait for the verdict that a move gives; all
    else is answered at once.
    """

    def __init__(self, *, exactly_once: bool, gate: Gate, send_again: bool = False) -> None:
        """`send_again`: the policy of a carrier without handles that are charged once."""
        self.guarantee = Guarantee.exactly_once if exactly_once else Guarantee.adopt_or_ask
        self.gate = gate
        self.send_again_when_not_found = send_again
        self.prepare_sends = True
        self.ledger = Ledger(exactly_once)
        self.preparing = Verdict.done

    def prepare(self, order: Order, *, timeout: float) -> Prepared:
        """Make a shipment, or take our reference for a handle."""
        _raise(self.preparing)
        if not self.ledger.exactly_once:
            return Prepared(handle=order.reference)
        # Named after our reference, so that no two plays share one.
        handle = f"shp_{order.reference}_{len(self.ledger.shipments)}"
        self.ledger.shipments[handle] = order.reference
        return Prepared(handle=handle)

    def buy(self, order: Order, handle: str, details: Mapping[str, str], *, timeout: float) -> Purchase:
        """Charge for a handle, when a move lets it."""
        ruling = hand_over("buy", handle, order.reference)
        if ruling.verdict in (Verdict.done, Verdict.answer_lost):
            charge = self.ledger.charge(handle, order.reference, late=ruling.late)
            if ruling.verdict == Verdict.done:
                return charge.as_purchase()
        raise _error(ruling.verdict)

    def lookup(self, handle: str, reference: str, *, timeout: float) -> Purchase | None:
        """What the ledger holds at the moment of the verdict. Without unique handles, the latest of several."""
        ruling = hand_over("lookup", handle, reference)
        if ruling.verdict != Verdict.done:
            raise _error(ruling.verdict)
        found = self.ledger.of(handle)
        return found[-1].as_purchase() if found else None

    def void(self, purchase_id: str, *, timeout: float) -> VoidAnswer:
        """Refund a label, or refuse to."""
        ruling = hand_over("void", purchase_id, "")
        if ruling.verdict == Verdict.rejected:
            return VoidAnswer(state=VoidState.refused, message="It was used already.")
        if ruling.verdict in (Verdict.done, Verdict.answer_lost):
            self.ledger.refund(purchase_id)
            if ruling.verdict == Verdict.done:
                return VoidAnswer(state=VoidState.submitted)
        raise _error(ruling.verdict)

    def refund_state(self, purchase_id: str, *, timeout: float) -> VoidAnswer:
        """No refund is decided while a play lasts."""
        return VoidAnswer(state=VoidState.submitted)

    def void_days(self, carrier: str) -> int | None:
        """Not known."""
        return None

    def fetch_label(self, purchase_id: str, label_url: str, *, timeout: float) -> LabelFile:
        """Label files are none of the machine's business."""
        raise Unavailable("no_files", "There are no files here.")


def _raise(verdict: Verdict) -> None:
    if verdict != Verdict.done:
        raise _error(verdict)


def _error(verdict: Verdict) -> CarrierError:
    """The kind of error that an adapter makes of what happened."""
    if verdict == Verdict.rejected:
        return Rejected("ADDRESS.INVALID", "The address was not found.")
    if verdict == Verdict.unavailable:
        return Unavailable("BUSY", "Please try again later.")
    return Unknown("NO_ANSWER", "The connection was lost.")
