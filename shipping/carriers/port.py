"""What the engine asks of a carrier, and what a carrier may answer.

An adapter is made with the options of its entry in the settings and with `gate`, which each of its requests has to
enter. It holds no state about rows and imports no models. It never retries a purchase: each method sends its
request once. Whatever a carrier's own errors are called, an adapter maps them onto the three kinds below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shipping.carriers.gate import Gate


class Guarantee(Enum):
    """What can honestly be promised about duplicates with this carrier."""

    exactly_once = "exactly_once"  # a handle is charged at most once
    adopt_or_ask = "adopt_or_ask"  # a purchase can be looked up, but a handle does not prevent a second one


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address. `state` is a two-letter code in the United States, `country` an ISO 3166-1 alpha-2 code."""

    name: str
    street1: str
    city: str
    state: str
    zip: str
    country: str
    company: str = ""
    street2: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Sizes in inches, weight in ounces. Sizes are all given or all None (the carrier then decides by weight)."""

    weight: float
    length: float | None = None
    width: float | None = None
    height: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One label to buy. `reference` is ours (at most 35 characters) and is sent with the purchase.

    `service` is the carrier's name of the wanted service; empty means the cheapest.
    """

    reference: str
    sender: Address
    recipient: Address
    parcel: Parcel
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a label would cost now, as `prepare` would choose its rate. `cost_cents` is in hundredths of `currency`."""

    carrier: str
    service: str
    cost_cents: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The handle of a prepared purchase, and what the adapter wants back when it buys (a rate's id, say).

    `details` holds plain strings and never leaves memory: after a crash `buy` is called without them.
    """

    handle: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A label that was bought, as the carrier tells it. `cost_cents` is in hundredths of `currency`. Where a carrier
    hands out no file for a label, `has_file` is False, and none is asked for.
    """

    purchase_id: str
    reference: str
    tracking_number: str
    carrier: str
    service: str
    cost_cents: int
    currency: str
    label_url: str
    bought_at: datetime | None = None
    has_file: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFile:
    """The label's bytes as the carrier gave them, and their media type."""

    content: bytes
    content_type: str = "application/pdf"


class VoidState(Enum):
    """How a void stands: `submitted` counts as voided; a refused void leaves the label paid for."""

    submitted = "submitted"
    refunded = "refunded"
    refused = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidAnswer:
    state: VoidState
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPurchase:
    """A purchase as the carrier's own list tells it, whoever made it. `cost_cents` is in hundredths of `currency`.

    Texts that the list does not hold are "", `bought_at` is None where it tells no time, and `refund` where none was
    asked for. `readable` is False when the price, the tracking number or the refund could not be read: what it says is
    then no reason to compare.
    """

    purchase_id: str
    reference: str
    tracking_number: str
    cost_cents: int | None
    currency: str
    refund: VoidState | None
    readable: bool
    carrier: str = ""
    service: str = ""
    label_url: str = ""
    bought_at: datetime | None = None

    @property
    def is_taken_back(self) -> bool:
        """Whether its refund was accepted; one that was only asked for counts."""
        return self.refund in (VoidState.submitted, VoidState.refunded)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchasePage:
    """A part of the carrier's list. `next_page` asks for the part that follows, and is "" where none does."""

    purchases: Sequence[ListedPurchase]
    next_page: str = ""


class CarrierError(Exception):
    """A carrier did not do what was asked. `code` is the carrier's own, `message` a sentence for the person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code
        self.message = message


class Rejected(CarrierError):
    """Nothing was bought, and the same request would be refused again."""


class Unavailable(CarrierError):
    """Nothing was bought; try later, not before `retry_after` seconds where the carrier named them."""

    def __init__(self, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class Unsent(Unavailable):
    """The request did not leave this process. Says nothing about the carrier, and so is no trouble with it."""


class Unknown(CarrierError):
    """The request may have reached the carrier: a label may or may not have been bought."""


class Carrier(Protocol):
    """The port. Every method may be called from any thread, and takes `timeout` in seconds for the whole call
    as far as its library can keep it (the engine keeps its own total deadline beside it).
    """

    guarantee: Guarantee
    gate: "Gate"
    # Only for adopt_or_ask: whether a row that the carrier does not know after the quiet period is sent again
    # (True) or set aside for a person (False).
    send_again_when_not_found: bool
    # Whether `prepare` sends a request. Where it does not, the engine calls it in place.
    prepare_sends: bool

    def quote(self, order: Order, *, timeout: float) -> Quote:
        """What the label of an order would cost. Free, and buys nothing, now or later: its reference is none that a
        purchase is ever looked up by. Raises Rejected or Unavailable.
        """

    def prepare(self, order: Order, *, timeout: float) -> Prepared:
        """Make everything ready for one purchase, at no cost. May be repeated.

        Raises Rejected or Unavailable, never Unknown: nothing is bought here.
        """

    def buy(self, order: Order, handle: str, details: Mapping[str, str], *, timeout: float) -> Purchase:
        """Buy the label of a handle. Sent once; `details` are those of `prepare`, or empty.

        Whatever was expired is made anew on the same handle. Raises Rejected, Unavailable or Unknown.
        """

    def lookup(self, handle: str, reference: str, *, timeout: float) -> Purchase | None:
        """What the carrier knows of a handle: its purchase, or None for a definite "not bought".

        Raises Unavailable or Unknown when it could not be found out; that is never "not bought".
        """

    def void(self, purchase_id: str, *, timeout: float) -> VoidAnswer:
        """Ask for a label's refund. May be repeated. Raises Unavailable or Unknown."""

    def refund_state(self, purchase_id: str, *, timeout: float) -> VoidAnswer:
        """How a refund that was asked for stands by now; asks for none. Raises Unavailable or Unknown."""

    def void_days(self, carrier: str) -> int | None:
        """For how many days after its purchase a label may be voided, by the carrier that the label names; None
        where that is not known. Asks nobody.
        """

    def fetch_label(self, purchase_id: str, label_url: str, *, timeout: float) -> LabelFile:
        """The bytes of a bought label, never empty. Costs nothing. Raises Rejected, Unavailable or Unknown."""

    def list_purchases(self, since: datetime, page: str = "", *, timeout: float) -> PurchasePage:
        """A part of the carrier's own list of all purchases of the account that were prepared since then, in whatever
        order and with parts of any size: the first one, or the one that `page` (a `next_page`) names. Sends one
        request. Raises Unavailable or Unknown when the list could not be had, or not be read as a list.
        """

    def listed_purchase(self, purchase_id: str, *, timeout: float) -> ListedPurchase | None:
        """One purchase as that list would tell it by now; None when the carrier denies it or says that it was not
        bought. For comparing books: None is no answer to a claim and no reason to buy. Raises Unavailable or Unknown.
        """
