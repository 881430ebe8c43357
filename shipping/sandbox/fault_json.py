"""Reads the JSON that describes faults, strictly: a word that would do nothing is refused."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from shipping.sandbox.errors import FieldError, RefusedError
from shipping.sandbox.faults import Action, Endpoint, Fault, When
from shipping.sandbox.values import JsonObject

Member = TypeVar("Member", bound=StrEnum)

_FOR_EVERY_ACTION = frozenset({"on", "action", "match", "after", "count", "probability", "seed"})
_FOR_AN_ACTION: dict[Action, frozenset[str]] = {
    Action.delay: frozenset({"when", "seconds"}),
    Action.drop: frozenset({"when"}),
    Action.hang: frozenset({"when"}),
    Action.error: frozenset({"when", "status", "code", "message", "retry_after"}),
    Action.drip: frozenset({"bytes_per_second"}),
    Action.other_reference: frozenset({"reference"}),
}
_REQUIRED = {Action.delay: "seconds", Action.drip: "bytes_per_second", Action.other_reference: "reference"}
_ONLY_ON: dict[Action, frozenset[Endpoint]] = {
    Action.charge_again: frozenset({Endpoint.buy}),
    Action.reject_refund: frozenset({Endpoint.refund}),
    Action.deny: frozenset({Endpoint.lookup}),
    Action.earlier_tracking: frozenset({Endpoint.buy, Endpoint.lookup}),
    Action.other_reference: frozenset({Endpoint.create, Endpoint.buy, Endpoint.lookup, Endpoint.refund}),
}


def checked_faults(body: JsonObject) -> list[JsonObject]:
    """The faults of a request `{"faults": [...]}`, all valid. Raises RefusedError (422) naming those that aren't."""
    given = body.get("faults")
    if not isinstance(given, list) or set(body) != {"faults"}:
        raise _invalid([FieldError("faults", 'send {"faults": [...]}; an empty list ends all faults')])
    errors: list[FieldError] = []
    for place, fault in enumerate(given):
        try:
            fault_from(fault)
        except ValueError as error:
            errors.append(FieldError(f"faults[{place}]", str(error)))
    if errors:
        raise _invalid(errors)
    return given


def fault_from(given: Any) -> Fault:
    """A fault from its JSON. Raises ValueError with a sentence that says what is wrong."""
    if not isinstance(given, dict):
        raise ValueError("a fault must be an object")
    action = _member(Action, given.get("action"), "action")
    on = _endpoints(given.get("on"), action)
    for key in given:
        if key != "action" and key not in _FOR_EVERY_ACTION | _FOR_AN_ACTION.get(action, frozenset()):
            raise ValueError(f"'{key}' means nothing for '{action}'")
    required = _REQUIRED.get(action)
    if required is not None and required not in given:
        raise ValueError(f"'{action}' needs '{required}'")
    values = {key: _READERS[key](value, key) for key, value in given.items() if key in _READERS}
    if action is Action.malformed:
        values["when"] = When.after
    return Fault(on=on, action=action, **values)


def _invalid(errors: list[FieldError]) -> RefusedError:
    return RefusedError(422, "SANDBOX.FAULTS.INVALID", "The faults are not valid; nothing was changed.", errors)


def _endpoints(given: Any, action: Action) -> tuple[Endpoint, ...]:
    on = tuple(_member(Endpoint, kind, "on") for kind in (given if isinstance(given, list) else [given]))
    if not on:
        raise ValueError("'on' names no endpoint")
    only = _ONLY_ON.get(action)
    if only is not None and not only.issuperset(on):
        raise ValueError(f"'{action}' is for {', '.join(sorted(only))} alone")
    return on


def _member(enum: type[Member], value: Any, key: str) -> Member:
    if isinstance(value, str) and value in enum.__members__:
        return enum(value)
    raise ValueError(f"'{key}' must be one of {', '.join(enum)}")


def _number(value: Any, key: str, *, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"'{key}' must be a number from 0 to {most:g}")
    return float(value)


def _seconds(value: Any, key: str) -> tuple[float, float]:
    pair = value if isinstance(value, list) and len(value) == 2 else [value, value]
    shortest, longest = (_number(part, key, most=3600) for part in pair)
    if shortest > longest:
        raise ValueError(f"'{key}' must be a number, or [shortest, longest]")
    return shortest, longest


def _whole(least: int, most: int) -> Callable[[Any, str], int]:
    def read(value: Any, key: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"'{key}' must be a whole number from {least} to {most}")
        return value

    return read


def _text(value: Any, key: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValueError(f"'{key}' must be text")


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "when": lambda value, key: _member(When, value, key),
    "seconds": _seconds,
    "bytes_per_second": _whole(1, 1_000_000),
    "status": _whole(400, 599),
    "code": _text,
    "message": _text,
    "retry_after": _whole(0, 86_400),
    "reference": _text,
    "match": _text,
    "after": _whole(0, 1_000_000_000),
    "count": _whole(1, 1_000_000_000),
    "probability": lambda value, key: _number(value, key, most=1),
    "seed": _whole(-(2**63), 2**63 - 1),
}
