"""The sandbox misbehaves as it is told to, and its ledger still tells the truth."""

import time
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from easypost.easypost_client import EasyPostClient
from easypost.errors.api.http_error import HttpError
from easypost.errors.api.internal_server_error import InternalServerError
from easypost.errors.api.invalid_request_error import InvalidRequestError
from easypost.errors.api.json_error import JsonError
from easypost.errors.api.rate_limit_error import RateLimitError
from easypost.errors.api.service_unavailable_error import ServiceUnavailableError
from easypost.errors.api.timeout_error import TimeoutError as SdkTimeoutError

from tests.sandbox.conftest import sdk_client
from tests.sandbox.shipments import shipment
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def hasty(sandbox: SandboxProcess) -> Iterator[EasyPostClient]:
    """The SDK with a timeout of a second a read."""
    yield from sdk_client(sandbox, timeout=1)


def _quote(client: EasyPostClient, reference: str = "R1") -> tuple[str, dict[str, Any]]:
    made = client.shipment.create(**shipment(reference))
    return made.id, {"rate": {"id": made.rates[0].id}}


@pytest.mark.parametrize(("when", "charges"), [("before", 0), ("after", 1)])
def test_it_drops_the_reply_before_or_after_charging(
    client: EasyPostClient, sandbox: SandboxProcess, when: str, charges: int
) -> None:
    shipment_id, rate = _quote(client)
    sandbox.faults([{"on": "buy", "action": "drop", "when": when, "count": 1}])
    with pytest.raises(HttpError) as dropped:
        client.shipment.buy(shipment_id, **rate)
    assert isinstance(dropped.value.__context__, requests.ConnectionError)
    assert sandbox.stats()["charges"] == charges
    assert bool(client.shipment.retrieve(shipment_id).postage_label) == bool(charges)


@pytest.mark.parametrize(("when", "charges"), [("before", 0), ("after", 1)])
def test_it_fails_before_or_after_charging(
    client: EasyPostClient, sandbox: SandboxProcess, when: str, charges: int
) -> None:
    shipment_id, rate = _quote(client)
    sandbox.faults([{"on": "buy", "action": "error", "when": when}])
    with pytest.raises(InternalServerError):
        client.shipment.buy(shipment_id, **rate)
    assert sandbox.stats()["charges"] == charges


@pytest.mark.parametrize(("when", "charges"), [("before", 0), ("after", 1)])
def test_it_hangs_before_or_after_charging(
    hasty: EasyPostClient, sandbox: SandboxProcess, when: str, charges: int
) -> None:
    shipment_id, rate = _quote(hasty)
    sandbox.faults([{"on": "buy", "action": "hang", "when": when, "count": 1}])
    with pytest.raises(SdkTimeoutError):
        hasty.shipment.buy(shipment_id, **rate)
    assert sandbox.stats()["charges"] == charges
    assert hasty.shipment.retrieve(shipment_id).id == shipment_id


def test_a_late_reply_is_late_before_or_after_the_charge(hasty: EasyPostClient, sandbox: SandboxProcess) -> None:
    late_charge, rate = _quote(hasty, "late charge")
    late_reply, other_rate = _quote(hasty, "late reply")
    sandbox.faults(
        [
            {"on": "buy", "action": "delay", "seconds": 2.5, "match": "late charge"},
            {"on": "buy", "action": "delay", "seconds": [2.5, 2.5], "when": "after", "match": "late reply"},
        ]
    )
    with pytest.raises(SdkTimeoutError):
        hasty.shipment.buy(late_reply, **other_rate)
    assert [charge["reference"] for charge in sandbox.ledger()] == ["late reply"]
    with pytest.raises(SdkTimeoutError):
        hasty.shipment.buy(late_charge, **rate)
    assert len(sandbox.ledger()) == 1
    until = time.monotonic() + 10
    while len(sandbox.ledger()) == 1 and time.monotonic() < until:
        time.sleep(0.05)
    assert [charge["reference"] for charge in sandbox.ledger()] == ["late reply", "late charge"]


def test_a_slow_drip_outlives_a_timeout_that_is_per_read(hasty: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, rate = _quote(hasty)
    sandbox.faults([{"on": "buy", "action": "drip", "bytes_per_second": 2000}])
    start = time.monotonic()
    assert hasty.shipment.buy(shipment_id, **rate).tracking_code
    assert time.monotonic() - start > 1


def test_look_up_can_be_down(client: EasyPostClient, hasty: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, _ = _quote(client)
    sandbox.faults([{"on": "lookup", "action": "error", "status": 503}])
    with pytest.raises(ServiceUnavailableError):
        client.shipment.retrieve(shipment_id)
    with pytest.raises(ServiceUnavailableError):
        client.shipment.all(purchased=True)
    sandbox.faults([{"on": "lookup", "action": "drop"}])
    with pytest.raises(HttpError):
        client.shipment.retrieve(shipment_id)
    sandbox.faults([{"on": "lookup", "action": "hang"}])
    with pytest.raises(SdkTimeoutError):
        hasty.shipment.retrieve(shipment_id)


def test_it_asks_to_slow_down(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    sandbox.faults([{"on": ["create", "buy"], "action": "error", "status": 429, "retry_after": 7, "count": 2}])
    with pytest.raises(RateLimitError) as limited:
        _quote(client)
    assert limited.value.code == "RATE_LIMITED"
    with pytest.raises(urllib.error.HTTPError) as again:
        sandbox.ask("POST", "/v2/shipments", {"shipment": shipment()})
    with again.value:
        assert again.value.headers["Retry-After"] == "7"
    assert _quote(client)


def test_it_answers_with_any_code_it_is_told(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, rate = _quote(client)
    fault = {"on": "buy", "action": "error", "when": "after", "status": 422, "code": "SHIPMENT.POSTAGE.TIMED_OUT"}
    sandbox.faults([{**fault, "message": "No word from the carrier."}])
    with pytest.raises(InvalidRequestError, match="No word from the carrier") as refused:
        client.shipment.buy(shipment_id, **rate)
    assert refused.value.code == "SHIPMENT.POSTAGE.TIMED_OUT"
    assert sandbox.stats()["charges"] == 1


def test_it_forgets_to_be_idempotent(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, rate = _quote(client)
    first = client.shipment.buy(shipment_id, **rate)
    sandbox.faults([{"on": "buy", "action": "charge_again", "count": 1}])
    second = client.shipment.buy(shipment_id, **rate)
    assert second.tracking_code != first.tracking_code
    assert [charge["tracking_code"] for charge in sandbox.ledger()] == [first.tracking_code, second.tracking_code]
    assert sandbox.stats()["duplicates"] == 1
    with pytest.raises(InvalidRequestError):
        client.shipment.buy(shipment_id, **rate)


def test_it_answers_with_broken_json_after_charging(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, rate = _quote(client)
    sandbox.faults([{"on": "buy", "action": "malformed"}])
    with pytest.raises(JsonError):
        client.shipment.buy(shipment_id, **rate)
    assert sandbox.stats()["charges"] == 1


def test_it_answers_for_somebody_elses_reference(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, rate = _quote(client, "MINE")
    sandbox.faults([{"on": ["buy", "lookup"], "action": "other_reference", "reference": "THEIRS"}])
    assert client.shipment.buy(shipment_id, **rate).reference == "THEIRS"
    assert client.shipment.retrieve("MINE").reference == "THEIRS"
    assert [one.reference for one in client.shipment.all()["shipments"]] == ["THEIRS"]
    assert [charge["reference"] for charge in sandbox.ledger()] == ["MINE"]


def test_it_denies_a_purchase_so_often_and_then_tells_it(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, rate = _quote(client)
    bought = client.shipment.buy(shipment_id, **rate)
    sandbox.faults([{"on": "lookup", "action": "deny", "match": "R1", "count": 3}])
    denied = client.shipment.retrieve(shipment_id)
    assert (denied.tracking_code, denied.postage_label, denied.selected_rate) == (None, None, None)
    assert denied.rates
    assert client.shipment.all(reference="R1")["shipments"] == []
    (listed,) = client.shipment.all(reference="R1", purchased=False)["shipments"]
    assert listed.postage_label is None
    assert client.shipment.retrieve(shipment_id).tracking_code == bought.tracking_code
    assert [one.id for one in client.shipment.all(reference="R1")["shipments"]] == [shipment_id]
    assert sandbox.stats()["charges"] == 1


def test_it_still_refuses_to_buy_again_what_it_denies(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, rate = _quote(client)
    client.shipment.buy(shipment_id, **rate)
    sandbox.faults([{"on": "lookup", "action": "deny"}])
    assert client.shipment.retrieve(shipment_id).postage_label is None
    with pytest.raises(InvalidRequestError):
        client.shipment.buy(shipment_id, **rate)
    assert sandbox.stats()["charges"] == 1


def test_it_answers_with_the_tracking_number_of_the_purchase_before(
    client: EasyPostClient, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"on": ["buy", "lookup"], "action": "earlier_tracking"}])
    told = []
    for reference in ("R1", "R2"):
        shipment_id, rate = _quote(client, reference)
        told.append(client.shipment.buy(shipment_id, **rate).tracking_code)
    first, second = (charge["tracking_code"] for charge in sandbox.ledger())
    assert told == [first, first]
    assert client.shipment.retrieve("R2").tracking_code == first
    sandbox.faults([])
    assert client.shipment.retrieve("R2").tracking_code == second
    assert second != first


def test_it_rejects_a_refund_that_may_be_asked_for_again(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, rate = _quote(client)
    client.shipment.buy(shipment_id, **rate)
    sandbox.faults([{"on": "refund", "action": "reject_refund", "count": 1}])
    assert client.shipment.refund(shipment_id).refund_status == "rejected"
    assert sandbox.stats()["refunded"] == 0
    assert client.shipment.refund(shipment_id).refund_status == "submitted"
    assert sandbox.stats()["refunded"] == 1


def test_a_fault_skips_then_counts_and_says_how_often_it_struck(
    client: EasyPostClient, sandbox: SandboxProcess
) -> None:
    sandbox.faults([{"on": "create", "action": "error", "after": 1, "count": 2, "match": "AB"}])
    outcomes = []
    for reference in ("AB1", "CD1", "AB2", "CD2", "AB3", "AB4"):
        try:
            _quote(client, reference)
        except InternalServerError:
            outcomes.append(reference)
    assert outcomes == ["AB2", "AB3"]
    (fault,) = sandbox.faults()
    assert (fault["seen"], fault["hits"]) == (4, 2)


def test_of_two_faults_that_end_an_answer_one_strikes_at_a_time(
    client: EasyPostClient, sandbox: SandboxProcess
) -> None:
    sandbox.faults(
        [
            {"on": "create", "action": "error", "status": 500, "count": 1},
            {"on": "create", "action": "error", "status": 503, "count": 1},
        ]
    )
    with pytest.raises(InternalServerError):
        _quote(client)
    with pytest.raises(ServiceUnavailableError):
        _quote(client)
    assert _quote(client)


def test_chance_falls_the_same_way_for_the_same_seed(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    def outcomes() -> list[bool]:
        sandbox.faults([{"on": "create", "action": "error", "probability": 0.5, "seed": 11}])
        struck = []
        for _ in range(20):
            try:
                _quote(client)
                struck.append(False)
            except InternalServerError:
                struck.append(True)
        return struck

    first = outcomes()
    assert 0 < sum(first) < 20
    assert outcomes() == first


def test_a_label_can_be_out_of_reach(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    shipment_id, rate = _quote(client, "AB1")
    url = client.shipment.buy(shipment_id, **rate).postage_label.label_url
    sandbox.faults([{"on": "label", "action": "error", "status": 503, "match": "AB1", "count": 1}])
    assert requests.get(url, timeout=5).status_code == 503
    assert requests.get(url, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"on": "buy"}, "'action' must be one of"),
        ({"on": "bye", "action": "drop"}, "'on' must be one of"),
        ({"on": [], "action": "drop"}, "'on' names no endpoint"),
        ({"on": "buy", "action": "delay"}, "'delay' needs 'seconds'"),
        ({"on": "buy", "action": "delay", "seconds": [2, 1]}, "[shortest, longest]"),
        ({"on": "buy", "action": "delay", "seconds": -1}, "'seconds' must be"),
        ({"on": "buy", "action": "drop", "seconds": 1}, "'seconds' means nothing for 'drop'"),
        ({"on": "buy", "action": "malformed", "when": "before"}, "'when' means nothing"),
        ({"on": "buy", "action": "drop", "count": 0}, "'count' must be a whole number"),
        ({"on": "buy", "action": "error", "status": 200}, "'status' must be"),
        ({"on": "create", "action": "charge_again"}, "for buy alone"),
        ({"on": "buy", "action": "deny"}, "for lookup alone"),
        ({"on": "lookup", "action": "deny", "when": "after"}, "'when' means nothing for 'deny'"),
        ({"on": "refund", "action": "earlier_tracking"}, "for buy, lookup alone"),
        ({"on": "label", "action": "other_reference", "reference": "X"}, "for buy, create, lookup, refund alone"),
        ("drop", "must be an object"),
    ],
)
def test_it_refuses_faults_that_would_do_nothing(sandbox: SandboxProcess, fault: Any, complaint: str) -> None:
    sandbox.faults([{"on": "buy", "action": "drop"}])
    with pytest.raises(urllib.error.HTTPError) as refused:
        sandbox.faults([fault])
    with refused.value:
        assert refused.value.status == 422
        assert complaint in refused.value.read().decode()
    assert [held["action"] for held in sandbox.faults()] == ["drop"]
