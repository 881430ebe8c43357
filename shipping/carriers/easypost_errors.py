"""EasyPost's errors, mapped onto the three kinds. The same error means different things for different requests.

The codes are those of docs.easypost.com, "Errors"; they are matched by their ends, since EasyPost prefixes them
with the object (`SHIPMENT.POSTAGE.EXISTS`, `ORDER.…`).
"""

from shipping.carriers.easypost_wire import CallFailed
from shipping.carriers.port import Rejected, Unavailable, Unknown, Unsent

# The carrier behind EasyPost was asked, and what it did is not known yet.
_IN_DOUBT = ("POSTAGE.TIMED_OUT", "POSTAGE.NO_RESPONSE", "PURCHASE.IN_PROGRESS", "REFUND.NO_RESPONSE")
_ALREADY_BOUGHT = ("POSTAGE.EXISTS",)
_RATE_GONE = ("MISSING_RATE", "RATE.EXPIRED", "RATE.UNAVAILABLE", "RATE.CARRIER_ACCOUNT_INVALID")

# 408 and 409 are answers in a conflict of times: neither says that nothing was done.
_UNDECIDED = frozenset({408, 409})
_ACCOUNT = frozenset({401, 402, 403})


def is_already_bought(failure: CallFailed) -> bool:
    """Whether a purchase was refused because the shipment has its postage already."""
    return failure.readable and failure.code.endswith(_ALREADY_BOUGHT)


def is_rate_gone(failure: CallFailed) -> bool:
    """Whether a purchase was refused, for certain, because its rate can no longer be bought."""
    return is_refused(failure) and failure.code.endswith(_RATE_GONE)


def is_refused(failure: CallFailed) -> bool:
    """Whether the carrier definitely did not do what was asked, and would refuse the same request again."""
    status = failure.status
    return (
        failure.readable
        and status is not None
        and 400 <= status < 500
        and status not in _UNDECIDED | _ACCOUNT | {429}
        and not failure.code.endswith(_IN_DOUBT)
    )


def of_free_request(failure: CallFailed) -> Rejected | Unavailable:
    """The kind for a request that buys nothing and may be repeated."""
    return _rejected(failure) if is_refused(failure) else _unavailable(failure)


def of_purchase(failure: CallFailed) -> Rejected | Unavailable | Unknown:
    """The kind for the purchase itself: unknown unless it is certain that nothing was bought."""
    if is_refused(failure):
        return _rejected(failure)
    return _unavailable(failure) if _was_not_done(failure) else unknown(failure)


def of_question(failure: CallFailed) -> Unavailable | Unknown:
    """The kind for a look-up: neither ever means "not bought"."""
    if failure.status == 404:
        return Unknown(
            failure.code or "NOT_FOUND",
            "The carrier says that it does not know this shipment, although it once gave us its id."
            " That does not tell whether a label was bought.",
        )
    status = failure.status
    if _was_not_done(failure) or not failure.readable or status is None or status >= 500 or status in _UNDECIDED:
        return _unavailable(failure)
    return unknown(failure)


def of_list(failure: CallFailed) -> Unavailable:
    """The kind for a page of the list of shipments: it asks for nothing but what is there, and may be asked again."""
    return _unavailable(failure)


def of_refund(failure: CallFailed) -> Unavailable | Unknown:
    """The kind for a refund that was not definitely refused."""
    return _unavailable(failure) if _was_not_done(failure) else unknown(failure)


def unknown(failure: CallFailed) -> Unknown:
    """A failure that leaves open what the carrier did."""
    return Unknown(_code(failure), _message(failure))


def _was_not_done(failure: CallFailed) -> bool:
    if not failure.sent:
        return True
    # By the status alone: gateways in front of EasyPost refuse with pages of their own.
    return failure.status in _ACCOUNT | {429} and not failure.code.endswith(_IN_DOUBT)


def _rejected(failure: CallFailed) -> Rejected:
    return Rejected(_code(failure), _message(failure))


def _unavailable(failure: CallFailed) -> Unavailable:
    if failure.held:
        return Unsent(_code(failure), _message(failure), failure.retry_after)
    # Also for 401, 402 and 403: they would refuse every row alike, so the job must halt instead of failing them all.
    return Unavailable(_code(failure), _message(failure), failure.retry_after)


def _code(failure: CallFailed) -> str:
    return failure.code or (f"HTTP_{failure.status}" if failure.status else "ERROR")


def _message(failure: CallFailed) -> str:
    said = failure.message if failure.readable and failure.message else ""
    if failure.status in {401, 403}:
        return f"The carrier does not accept the API key. It says: {said or f'HTTP status {failure.status}'}"
    if failure.status == 402:
        return f"The carrier account cannot pay for postage. It says: {said or 'HTTP status 402'}"
    if failure.status == 429 and not said:
        return "The carrier asks us to send fewer requests."
    return failure.message or f"The carrier answered with HTTP status {failure.status}."
