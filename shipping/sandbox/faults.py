"""How the sandbox carrier is told to misbehave; docs/sandbox.md describes the JSON."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shipping.sandbox.errors import RefusedError


class Endpoint(StrEnum):
    """What a request wants; a fault names the kinds it is for."""

    create = "create"
    buy = "buy"
    rerate = "rerate"
    lookup = "lookup"
    refund = "refund"
    label = "label"


class Action(StrEnum):
    """What a fault does to the requests it applies to."""

    delay = "delay"  # answers late
    drop = "drop"  # closes the connection without an answer
    hang = "hang"  # keeps the connection open and never answers
    error = "error"  # answers with an error
    malformed = "malformed"  # answers with JSON that is cut off
    drip = "drip"  # answers with a few bytes a second
    other_reference = "other_reference"  # answers with somebody else's reference
    charge_again = "charge_again"  # forgets that a shipment was bought
    reject_refund = "reject_refund"  # answers that the refund was rejected
    deny = "deny"  # answers a look-up as if nothing had been bought
    earlier_tracking = "earlier_tracking"  # answers with the tracking number of the purchase before


class When(StrEnum):
    """Whether a fault strikes before the sandbox does what the request asks (charges), or after."""

    before = "before"
    after = "after"


_ENDS_THE_ANSWER = frozenset({Action.drop, Action.hang, Action.error, Action.malformed})
_CODES = {
    404: ("NOT_FOUND", "The requested resource could not be found."),
    422: ("SHIPMENT.POSTAGE.FAILURE", "The carrier refused."),
    429: ("RATE_LIMITED", "You have made too many requests. Please slow down."),
    500: ("INTERNAL_SERVER_ERROR", "Something went wrong on our side."),
    503: ("SERVICE_UNAVAILABLE", "The service is unavailable. Please try again later."),
    504: ("GATEWAY_TIMEOUT", "The carrier did not answer in time."),
}


@dataclass(frozen=True)
class Fault:
    """One way to misbehave, and which requests it applies to. `seconds` is a range, no `count` is unlimited."""

    on: tuple[Endpoint, ...]
    action: Action
    when: When = When.before
    seconds: tuple[float, float] = (0.0, 0.0)
    bytes_per_second: int = 0
    status: int = 500
    code: str = ""
    message: str = ""
    retry_after: int | None = None
    reference: str = ""
    match: str = ""
    after: int = 0
    count: int | None = None
    probability: float = 1.0
    seed: int = 0

    def fires(self, *, seen: int, hits: int) -> bool:
        """Whether it strikes a request, when it has seen `seen` requests before and struck `hits` of them."""
        if seen < self.after or (self.count is not None and hits >= self.count):
            return False
        return self.probability >= 1 or self.dice(seen).random() < self.probability

    def dice(self, seen: int) -> random.Random:
        """Chance that falls the same way each time for the same seed and request."""
        return random.Random(f"{self.seed}/{seen}")  # noqa: S311  # a repeatable test, not a secret

    def refusal(self) -> RefusedError:
        """The error that an `error` fault answers with."""
        code, message = _CODES.get(self.status, ("ERROR", "The sandbox was told to answer with an error."))
        return RefusedError(self.status, self.code or code, self.message or message)


@dataclass(frozen=True)
class Effects:
    """What all faults together do to one request."""

    delay_before: float = 0.0
    delay_after: float = 0.0
    ending: Fault | None = None
    bytes_per_second: int | None = None
    reference: str | None = None
    charge_again: bool = False
    reject_refund: bool = False
    deny: bool = False
    earlier_tracking: bool = False

    def ends(self, when: When, action: Action) -> bool:
        """Whether the answer is spoilt in this way at this time."""
        return self.ending is not None and self.ending.when is when and self.ending.action is action


def combine(struck: Iterable[tuple[Fault, int]]) -> Effects:
    """The effects of the faults that strike one request, each with the number of requests it had seen before."""
    delays = {When.before: 0.0, When.after: 0.0}
    given: dict[str, Any] = {}
    for fault, seen in struck:
        match fault.action:
            case Action.delay:
                delays[fault.when] += fault.dice(seen).uniform(*fault.seconds)
            case Action.drip:
                given["bytes_per_second"] = fault.bytes_per_second
            case Action.other_reference:
                given["reference"] = fault.reference
            case Action.charge_again | Action.reject_refund | Action.deny | Action.earlier_tracking:
                given[fault.action.value] = True
            case _:
                given["ending"] = fault
    return Effects(delay_before=delays[When.before], delay_after=delays[When.after], **given)


def strike(faults: Iterable[tuple[Fault, int, int]]) -> Iterator[tuple[int, Fault, int]]:
    """Of (fault, seen, hits) those that strike now, as (place, fault, seen); one that ends the answer is the last."""
    ended = False
    for place, (fault, seen, hits) in enumerate(faults):
        ends = fault.action in _ENDS_THE_ANSWER
        if not (ended and ends) and fault.fires(seen=seen, hits=hits):
            ended = ended or ends
            yield place, fault, seen
