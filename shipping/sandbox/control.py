"""The addresses under `/__sandbox/`: what was really charged, and how the sandbox shall misbehave."""

from shipping.sandbox.api import Answer, Request, json_answer, whole_number
from shipping.sandbox.arrivals import Arrivals
from shipping.sandbox.errors import RefusedError, not_found
from shipping.sandbox.fault_book import FaultBook
from shipping.sandbox.fault_json import checked_faults
from shipping.sandbox.ledger import Ledger

_PAGE = 1000
_LARGEST_PAGE = 10_000


class ControlApi:
    """Answers the requests of tests, of `audit` commands and of whoever plays with the sandbox."""

    def __init__(self, ledger: Ledger, faults: FaultBook, arrivals: Arrivals) -> None:
        self._ledger = ledger
        self._faults = faults
        self._arrivals = arrivals

    def answer(self, request: Request) -> Answer:
        """The answer to a request under `/__sandbox/`. Raises RefusedError (400, 404, 405, 422)."""
        match request.method, request.path[1:]:
            case "GET", ["ledger"]:
                return self._charges(request)
            case "GET", ["stats" | "arrivals" as wanted]:
                return json_answer(200, self._ledger.stats() if wanted == "stats" else self._arrivals.all())
            case "GET", ["faults"]:
                return json_answer(200, {"faults": self._faults.all()})
            case "POST", ["faults"]:
                self._faults.replace(checked_faults(request.json()))
                return json_answer(200, {"faults": self._faults.all()})
            case "POST", ["refunds"]:
                return json_answer(200, {"decided": self._decide_refunds(request)})
            case "POST", ["reset"]:
                self._ledger.reset()
                self._arrivals.forget()
                return json_answer(200, self._ledger.stats())
            case _, ["ledger" | "stats" | "arrivals" | "faults" | "refunds" | "reset"]:
                raise RefusedError(405, "METHOD_NOT_ALLOWED", "See docs/sandbox.md for what is possible here.")
        raise not_found()

    def _decide_refunds(self, request: Request) -> int:
        """Carry out `{"status": "refunded" | "rejected"}`, with `"shipment"` for one alone."""
        body = request.json()
        status, shipment_id = body.get("status"), body.get("shipment")
        known = status in ("refunded", "rejected") and isinstance(shipment_id, str | None)
        if not known or not set(body) <= {"status", "shipment"}:
            raise RefusedError(
                422, "SANDBOX.REFUNDS.INVALID", 'Send {"status": "refunded"} or "rejected", with or without "shipment".'
            )
        return self._ledger.decide_refunds(granted=status == "refunded", shipment_id=shipment_id)

    def _charges(self, request: Request) -> Answer:
        limit = min(whole_number(request.query, "limit", default=_PAGE, least=1), _LARGEST_PAGE)
        after = whole_number(request.query, "after", default=0, least=0)
        charges, has_more = self._ledger.charges(after=after, limit=limit)
        return json_answer(200, {"charges": charges, "has_more": has_more})
