"""EasyPost's API v2, as far as a batch of labels needs it, on top of the ledger."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from shipping.sandbox.checks import checked_shipment
from shipping.sandbox.errors import RefusedError, malformed, not_found
from shipping.sandbox.faults import Effects, Endpoint
from shipping.sandbox.label import label_pdf
from shipping.sandbox.ledger import Ledger, Shipment
from shipping.sandbox.shipments import rates_object, shipment_object
from shipping.sandbox.values import JsonObject, now

_LIVE_KEY = "EZAK"  # production keys begin with this, test keys with EZTK (docs.easypost.com, "API Keys")
_LARGEST_PAGE = 100
_DAY = 86_400.0
_MONTH = 30 * _DAY


@dataclass(frozen=True)
class Request:
    """What came in; `path` holds the decoded parts of the path, `query` the last value of each parameter."""

    method: str
    path: Sequence[str]
    query: Mapping[str, str]
    authorization: str | None
    body: bytes

    @classmethod
    def to(cls, method: str, target: str, *, authorization: str | None, body: bytes) -> "Request":
        """A request to a target as it stands in the request line. Raises RefusedError (400)."""
        try:
            parts = urlsplit(target)
            query = parse_qs(parts.query)
        except ValueError as error:
            raise malformed("The request's address is not valid.") from error
        # Decoded one by one, so that a reference may hold an encoded slash.
        path = [unquote(part) for part in parts.path.split("/")[1:]]
        return cls(method, path, {key: values[-1] for key, values in query.items()}, authorization, body)

    def json(self) -> JsonObject:
        """The body as a JSON object, `{}` when it is empty. Raises RefusedError (400)."""
        if not self.body:
            return {}
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise malformed("The request's body is not valid JSON.") from error
        if not isinstance(value, dict):
            raise malformed("The request's body must be a JSON object.")
        return value


@dataclass(frozen=True)
class Answer:
    """What goes out."""

    status: int
    content: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(status: int, body: JsonObject, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that carries JSON."""
    return Answer(status, json.dumps(body).encode(), headers=headers or {})


def refusal_answer(refusal: RefusedError, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that carries an error in EasyPost's form."""
    return json_answer(refusal.status, refusal.body(), headers)


@dataclass(frozen=True)
class Call:
    """A request whose address was understood: its kind, what it is about, and how to carry it out."""

    endpoint: Endpoint
    subject: str | None
    perform: Callable[[Effects], Answer]


class CarrierApi:
    """Turns requests into calls on the ledger."""

    def __init__(self, ledger: Ledger, base_url: str) -> None:
        """Answer from `ledger`, with label addresses under `base_url`."""
        self._ledger = ledger
        self._base_url = base_url

    def understand(self, request: Request) -> Call:
        """The call that a request makes; nothing is done yet.

        Raises RefusedError: 400 for a body that isn't JSON, 401 and 403 for the API key, 404, 405.
        """
        match request.path:
            case ["labels", name] if found := re.fullmatch(r"(\d+)\.pdf", name):
                return self._label_call(request, found[1])
            case ["v2", "shipments", *rest]:
                check_key(request.authorization)
                return self._shipment_call(request, rest)
        raise not_found()

    def _label_call(self, request: Request, tracking_code: str) -> Call:
        _check_method(request, "GET")

        def perform(_effects: Effects) -> Answer:
            shipment, service = self._ledger.charged(tracking_code)
            return Answer(200, label_pdf(shipment.details, tracking_code, service), "application/pdf")

        return Call(Endpoint.label, tracking_code, perform)

    def _shipment_call(self, request: Request, rest: list[str]) -> Call:
        match rest:
            case []:
                return self._list_call(request) if request.method == "GET" else self._create_call(request)
            case [identifier] if identifier:
                _check_method(request, "GET")
                return Call(Endpoint.lookup, identifier, lambda effects: self._find(identifier, effects))
            case [shipment_id, "buy" | "rerate" | "refund" as verb]:
                _check_method(request, "POST")
                body = request.json()
                endpoint = Endpoint(verb)
                return Call(endpoint, shipment_id, lambda effects: self._act(endpoint, shipment_id, body, effects))
        raise not_found()

    def _list_call(self, request: Request) -> Call:
        query = request.query
        reference = query.get("reference")

        def perform(effects: Effects) -> Answer:
            purchased = query.get("purchased", "true").lower() != "false"
            found, has_more = self._ledger.page(
                purchased=purchased,
                reference=reference,
                before_id=query.get("before_id"),
                created=created_between(query),
                size=min(whole_number(query, "page_size", default=20, least=1), _LARGEST_PAGE),
            )
            if purchased and effects.deny:
                found, has_more = [], False
            objects = [self._object(shipment, effects) for shipment in found]
            return json_answer(200, {"shipments": objects, "has_more": has_more})

        return Call(Endpoint.lookup, reference, perform)

    def _create_call(self, request: Request) -> Call:
        _check_method(request, "POST")
        body = request.json()
        shipment = body.get("shipment")
        reference = shipment.get("reference") if isinstance(shipment, dict) else None

        def perform(effects: Effects) -> Answer:
            created = self._ledger.create(checked_shipment(body))
            return json_answer(201, self._object(created, effects))

        return Call(Endpoint.create, reference if isinstance(reference, str) else None, perform)

    def _find(self, identifier: str, effects: Effects) -> Answer:
        return json_answer(200, self._object(self._ledger.find(identifier), effects))

    def _act(self, endpoint: Endpoint, shipment_id: str, body: JsonObject, effects: Effects) -> Answer:
        if endpoint is Endpoint.rerate:
            return json_answer(200, rates_object(self._ledger.rerate(shipment_id)))
        if endpoint is Endpoint.refund:
            shipment = self._ledger.refund(shipment_id, granted=not effects.reject_refund)
        else:
            shipment = self._ledger.buy(shipment_id, _rate_id(body), again=effects.charge_again)
        return json_answer(200, self._object(shipment, effects))

    def _object(self, shipment: Shipment, effects: Effects) -> JsonObject:
        if effects.deny:
            shipment = replace(shipment, charge=None)
        body = shipment_object(shipment, self._base_url)
        if effects.earlier_tracking and shipment.charge is not None:
            body["tracking_code"] = self._ledger.tracking_code_before(shipment.charge.tracking_code)
        return body if effects.reference is None else {**body, "reference": effects.reference}


def check_key(authorization: str | None) -> None:
    """Let test keys pass, sent as Bearer or as Basic user name. Raises RefusedError: 401 without a key, 403 live."""
    key = _api_key(authorization)
    if not key:
        raise RefusedError(401, "APIKEY.MISSING", "Send an API key, as Bearer or as the user name of Basic.")
    if key.upper().startswith(_LIVE_KEY):
        raise RefusedError(
            403,
            "SANDBOX.LIVE_KEY",
            "This is the sandbox carrier: it never takes live keys. Nothing was done; check where the key is sent.",
        )


def whole_number(query: Mapping[str, str], key: str, *, default: int, least: int) -> int:
    """A whole number from a query, or the default. Raises RefusedError (422) for anything else."""
    text = query.get(key, str(default))
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < least:
        raise RefusedError(422, "PARAMETER.INVALID", f"{key} must be a whole number of at least {least}.")
    return int(text)


def created_between(query: Mapping[str, str]) -> tuple[float, float]:
    """The moments (seconds since 1970) after and before which a list is asked for. Where they are not given, EasyPost
    takes a month: the last one up to the end of this day, the one before `end_datetime`, or the one after
    `start_datetime`. Raises RefusedError (422) for what is no moment.
    """
    start, end = (_moment(query, key) for key in ("start_datetime", "end_datetime"))
    if start is not None:
        return start, start + _MONTH if end is None else end
    if end is not None:
        return end - _MONTH, end
    midnight = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return now() - _MONTH, midnight.timestamp() + _DAY


def _moment(query: Mapping[str, str], key: str) -> float | None:
    if key not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[key])
    except ValueError:
        raise RefusedError(422, "PARAMETER.INVALID", f"{key} must be a date and time in ISO 8601.") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _api_key(authorization: str | None) -> str:
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _check_method(request: Request, method: str) -> None:
    if request.method != method:
        raise RefusedError(405, "METHOD_NOT_ALLOWED", f"Only {method} is possible here.")


def _rate_id(body: JsonObject) -> str:
    rate: Any = body.get("rate")
    rate_id = rate.get("id") if isinstance(rate, dict) else None
    return rate_id if isinstance(rate_id, str) else ""
