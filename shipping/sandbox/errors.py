"""What the sandbox carrier answers when it refuses a request."""

from collections.abc import Sequence
from dataclasses import dataclass

from shipping.sandbox.values import JsonObject


@dataclass(frozen=True)
class FieldError:
    """One field of the request that is wrong, in words for the person who sent it."""

    field: str
    message: str


class RefusedError(Exception):
    """A request that is answered with an error: nothing was charged, unless a fault says otherwise.

    The body has EasyPost's form: `{"error": {"code", "message", "errors": [{"field", "message"}]}}`
    (docs.easypost.com, "Errors").
    """

    def __init__(self, status: int, code: str, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = tuple(errors)

    def body(self) -> JsonObject:
        """The error as the JSON that the client gets."""
        errors: list[JsonObject] = [
            {"field": error.field, "message": error.message, "suggestion": None} for error in self.errors
        ]
        return {"error": {"code": self.code, "message": self.message, "errors": errors}}


def not_found() -> RefusedError:
    """The 404 for an unknown shipment, label or address of the API."""
    return RefusedError(404, "NOT_FOUND", "The requested resource could not be found.")


def malformed(message: str) -> RefusedError:
    """The 400 for a request that can't even be read."""
    return RefusedError(400, "BAD_REQUEST", message)
