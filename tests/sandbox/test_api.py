"""The sandbox speaks EasyPost's API so that the vendor's own SDK can't tell."""

import base64
import http.client
import json
import sqlite3
import threading
from contextlib import closing
from typing import Any
from urllib.error import HTTPError

import pytest
from easypost.easypost_client import EasyPostClient
from easypost.errors.api.forbidden_error import ForbiddenError
from easypost.errors.api.invalid_request_error import InvalidRequestError
from easypost.errors.api.not_found_error import NotFoundError
from easypost.errors.api.unauthorized_error import UnauthorizedError

from shipping.sandbox.values import moment
from tests.sandbox.shipments import RECIPIENT, SENDER, shipment
from tests.support.sandbox import SandboxProcess


def _request(
    sandbox: SandboxProcess, method: str, path: str, body: bytes | None = None, authorization: str | None = "Bearer k"
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    try:
        headers = {} if authorization is None else {"Authorization": authorization}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_it_quotes_a_shipment_for_free(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    made = client.shipment.create(**shipment("AB12CD-000001-1"))
    assert made.id.startswith("shp_")
    assert made.reference == "AB12CD-000001-1"
    assert {rate.service for rate in made.rates} == {"Priority", "GroundAdvantage", "Express"}
    assert made.lowest_rate().service == "GroundAdvantage"
    assert made.postage_label is None
    assert made.tracking_code is None
    assert sandbox.stats() == {"shipments": 1, "charges": 0, "references": 0, "duplicates": 0, "refunded": 0}


def test_it_asks_the_same_price_for_the_same_parcel(client: EasyPostClient) -> None:
    prices = [{rate.service: rate.rate for rate in client.shipment.create(**shipment()).rates} for _ in range(2)]
    heavier = {rate.service: rate.rate for rate in client.shipment.create(**shipment(weight=100)).rates}
    assert prices[0] == prices[1]
    assert float(heavier["Priority"]) > float(prices[0]["Priority"])


def test_it_sells_a_label_and_notes_the_charge(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    made = client.shipment.create(**shipment("AB12CD-000007-1"))
    rate = made.lowest_rate()
    bought = client.shipment.buy(made.id, rate=rate)
    assert bought.selected_rate.id == rate.id
    assert bought.postage_label.label_url.endswith(f"/labels/{bought.tracking_code}.pdf")
    assert bought.refund_status is None
    (charge,) = sandbox.ledger()
    assert charge["shipment_id"] == made.id
    assert charge["reference"] == "AB12CD-000007-1"
    assert charge["tracking_code"] == bought.tracking_code
    assert charge["cost_cents"] == round(float(rate.rate) * 100)
    assert (charge["currency"], charge["carrier"], charge["service"]) == ("USD", "USPS", "GroundAdvantage")
    assert (charge["refund_status"], charge["refunded_at"]) == (None, None)


def test_it_sells_a_shipment_once_only(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    made = client.shipment.create(**shipment())
    client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    with pytest.raises(InvalidRequestError) as refused:
        client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    assert refused.value.code == "SHIPMENT.POSTAGE.EXISTS"
    assert sandbox.stats()["charges"] == 1


def test_it_charges_once_for_purchases_of_one_shipment_at_the_same_instant(sandbox: SandboxProcess) -> None:
    made = sandbox.ask("POST", "/v2/shipments", {"shipment": shipment()})
    body = json.dumps({"rate": {"id": made["rates"][0]["id"]}}).encode()
    gate = threading.Barrier(8)
    statuses: list[int] = []

    def buy() -> None:
        gate.wait(10)
        statuses.append(_request(sandbox, "POST", f"/v2/shipments/{made['id']}/buy", body)[0])

    threads = [threading.Thread(target=buy) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200] + [422] * 7
    assert sandbox.stats()["charges"] == 1


@pytest.mark.parametrize("rate", [{"id": "rate_unknown"}, {}, "rate_1", None])
def test_it_refuses_a_rate_that_is_not_the_shipments(client: EasyPostClient, rate: Any) -> None:
    made = client.shipment.create(**shipment())
    with pytest.raises(InvalidRequestError) as refused:
        client.shipment.buy(made.id, rate=rate)
    assert refused.value.code == "SHIPMENT.MISSING_RATE"


def test_new_rates_take_the_place_of_the_old(client: EasyPostClient) -> None:
    made = client.shipment.create(**shipment())
    answer: Any = client.shipment.regenerate_rates(made.id)
    rates = answer.rates
    assert {rate.rate for rate in rates} == {rate.rate for rate in made.rates}
    with pytest.raises(InvalidRequestError):
        client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    assert client.shipment.buy(made.id, rate={"id": rates[0].id}).tracking_code


def test_it_gives_no_new_rates_for_a_bought_shipment(client: EasyPostClient) -> None:
    made = client.shipment.create(**shipment())
    client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    with pytest.raises(InvalidRequestError) as refused:
        client.shipment.regenerate_rates(made.id)
    assert refused.value.code == "SHIPMENT.POSTAGE.EXISTS"


def test_it_lists_what_has_a_reference(client: EasyPostClient) -> None:
    for reference in ("R1", "R2", "R1", "R1"):
        made = client.shipment.create(**shipment(reference))
        client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    unbought = client.shipment.create(**shipment("R1")).id
    bought = client.shipment.all(reference="R1", page_size=2)
    assert [one.reference for one in bought["shipments"]] == ["R1", "R1"]
    assert bought["has_more"]
    everything = client.shipment.all(reference="R1", purchased=False)["shipments"]
    assert len(everything) == 4
    assert everything[0].id == unbought
    assert client.shipment.all(reference="R")["shipments"] == []


def test_it_finds_a_shipment_by_id_and_the_newest_by_reference(client: EasyPostClient) -> None:
    older = client.shipment.create(**shipment("R/1 ä"))
    newer = client.shipment.create(**shipment("R/1 ä"))
    assert client.shipment.retrieve(older.id).id == older.id
    assert client.shipment.retrieve("R%2F1%20%C3%A4").id == newer.id
    with pytest.raises(NotFoundError) as missing:
        client.shipment.retrieve("R2")
    assert missing.value.code == "NOT_FOUND"


def test_it_lists_bought_shipments_newest_first_page_by_page(client: EasyPostClient) -> None:
    made = [client.shipment.create(**shipment(f"R{number}")) for number in range(5)]
    for one in made[:4]:
        client.shipment.buy(one.id, rate={"id": one.rates[0].id})
    first = client.shipment.all(purchased=True, page_size=3)
    assert [one.reference for one in first["shipments"]] == ["R3", "R2", "R1"]
    assert first["has_more"]
    second = client.shipment.get_next_page(first, page_size=3)
    assert [one.reference for one in second["shipments"]] == ["R0"]
    assert not second["has_more"]
    everything = client.shipment.all(purchased=False)
    assert [one.reference for one in everything["shipments"]] == ["R4", "R3", "R2", "R1", "R0"]


def test_it_lists_what_was_created_between_two_moments(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    """With one moment alone the other is a month away, and without any the last month is listed."""
    for days in (0, 20, 40):
        client.shipment.create(**shipment(f"{days} days"))
    ago = [_move_back(sandbox, f"{days} days", days) for days in (0, 20, 40)]

    def listed(**moments: str) -> list[str]:
        return [one.reference for one in client.shipment.all(purchased=False, **moments)["shipments"]]

    def on(day: int) -> str:
        return moment(ago[0] - day * 86_400)

    assert listed() == ["20 days", "0 days"]
    assert listed(start_datetime=on(45)) == ["40 days", "20 days"]
    assert listed(end_datetime=on(15)) == ["40 days", "20 days"]
    assert listed(start_datetime=on(45), end_datetime=on(-1)) == ["40 days", "20 days", "0 days"]
    assert listed(start_datetime=on(30), end_datetime=on(15)) == ["20 days"]


def _move_back(sandbox: SandboxProcess, reference: str, days: int) -> float:
    """Let a shipment be older than it is; returns when it was created, in seconds since 1970."""
    with closing(sqlite3.connect(sandbox.database, timeout=10)) as books, books:
        found = books.execute(
            "UPDATE shipments SET created_at = created_at - ? WHERE reference = ? RETURNING created_at",
            (days * 86_400, reference),
        ).fetchone()
        return float(found[0])


def test_it_takes_a_bought_label_back_and_stays_with_that(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    made = client.shipment.create(**shipment())
    with pytest.raises(InvalidRequestError) as refused:
        client.shipment.refund(made.id)
    assert refused.value.code == "SHIPMENT.REFUND.UNAVAILABLE"
    client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    assert client.shipment.refund(made.id).refund_status == "submitted"
    first = sandbox.ledger()
    assert client.shipment.refund(made.id).refund_status == "submitted"
    assert sandbox.ledger() == first
    assert first[0]["refund_status"] == "submitted"
    assert first[0]["refunded_at"]
    assert sandbox.stats()["refunded"] == 1


def test_a_refund_is_decided_later_for_one_shipment_or_for_all(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    ids = []
    for _ in range(3):
        made = client.shipment.create(**shipment())
        client.shipment.buy(made.id, rate={"id": made.rates[0].id})
        ids.append(made.id)
        client.shipment.refund(made.id)
    assert sandbox.decide_refunds("rejected", ids[0]) == 1
    assert sandbox.decide_refunds("refunded") == 2
    assert sandbox.decide_refunds("rejected") == 0
    assert [charge["refund_status"] for charge in sandbox.ledger()] == ["rejected", "refunded", "refunded"]
    assert [bool(charge["refunded_at"]) for charge in sandbox.ledger()] == [False, True, True]
    assert client.shipment.refund(ids[1]).refund_status == "refunded"
    assert client.shipment.refund(ids[0]).refund_status == "submitted"


@pytest.mark.parametrize(
    "body", [{}, {"status": "lost"}, {"status": "refunded", "shipment": 3}, {"status": "refunded", "all": True}]
)
def test_a_decision_about_refunds_that_makes_no_sense_is_refused(sandbox: SandboxProcess, body: dict[str, Any]) -> None:
    with pytest.raises(HTTPError) as refused:
        sandbox.ask("POST", "/__sandbox/refunds", body)
    assert refused.value.code == 422
    refused.value.close()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "to_address.name"),
        ({"street1": "  "}, "to_address.street1"),
        ({"city": None}, "to_address.city"),
        ({"state": "ZZ"}, "to_address.state"),
        ({"zip": "787"}, "to_address.zip"),
        ({"country": "Texas"}, "to_address.country"),
        ({"street1": "12 Reject Lane"}, "to_address.street1"),
    ],
)
def test_it_refuses_an_address_and_says_which_field(
    client: EasyPostClient, sandbox: SandboxProcess, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.shipment.create(**shipment(**change))
    assert refused.value.code == "ADDRESS.VERIFY.FAILURE"
    errors = json.loads(refused.value.http_body or "")["error"]["errors"]
    assert [error["field"] for error in errors] == [field]
    assert sandbox.stats()["shipments"] == 0


@pytest.mark.parametrize("weight", [0, -1, "heavy", None, True, float("inf")])
def test_it_refuses_a_weight_that_is_no_positive_number(sandbox: SandboxProcess, weight: Any) -> None:
    body = json.dumps({"shipment": {**shipment(), "parcel": {"weight": weight}}}).encode()
    status, answer = _request(sandbox, "POST", "/v2/shipments", body)
    assert (status, answer["error"]["code"]) == (422, "PARCEL.PARAMETERS.INVALID")
    assert answer["error"]["errors"][0]["field"] == "parcel.weight"


@pytest.mark.parametrize(
    "change", [{"street1": "1 Norate Road"}, {"country": "CA", "state": "ON", "zip": "K1A 0B1"}, {"weight": 1121}]
)
def test_it_has_no_rates_for_some_parcels_and_says_why(client: EasyPostClient, change: dict[str, Any]) -> None:
    made = client.shipment.create(**shipment(**change))
    assert made.rates == []
    assert [message.type for message in made.messages] == ["rate_error"]


def test_it_refuses_some_addresses_when_they_are_bought(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    made = client.shipment.create(**shipment(street1="9 Refuse at Buy Street"))
    with pytest.raises(InvalidRequestError) as refused:
        client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    assert refused.value.code == "SHIPMENT.POSTAGE.FAILURE"
    assert sandbox.stats()["charges"] == 0


def test_it_never_takes_a_live_key(sandbox: SandboxProcess) -> None:
    client = EasyPostClient("EZAK0123456789abcdef", api_base=sandbox.api_base)
    with pytest.raises(ForbiddenError, match="never takes live keys"):
        client.shipment.create(**shipment())
    client._requests_session.close()
    basic = base64.b64encode(b"EZAK0123:").decode()
    status, answer = _request(sandbox, "GET", "/v2/shipments", authorization=f"Basic {basic}")
    assert (status, answer["error"]["code"]) == (403, "SANDBOX.LIVE_KEY")
    assert sandbox.stats()["shipments"] == 0


def test_it_wants_a_key(sandbox: SandboxProcess) -> None:
    client = EasyPostClient("", api_base=sandbox.api_base)
    with pytest.raises(UnauthorizedError):
        client.shipment.retrieve("shp_1")
    client._requests_session.close()
    for authorization in (None, "Basic %%%", "Digest x"):
        assert _request(sandbox, "GET", "/v2/shipments", authorization=authorization)[0] == 401


def test_it_takes_a_key_as_basic_user_name(sandbox: SandboxProcess) -> None:
    basic = base64.b64encode(b"EZTK0123:").decode()
    assert _request(sandbox, "GET", "/v2/shipments", authorization=f"Basic {basic}")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v2/shipments", b"{not json", 400),
        ("POST", "/v2/shipments", b"[1]", 400),
        ("POST", "/v2/shipments", b"[" * 100_000, 400),
        ("POST", "/v2/shipments", b"\xff\xfe", 400),
        ("POST", "/v2/shipments", b"{}", 422),
        ("POST", "/v2/shipments", b'{"shipment": {"to_address": 5}}', 422),
        ("GET", "/v2/shipments?page_size=lots", None, 422),
        ("GET", "/v2/shipments?before_id=shp_unknown", None, 404),
        ("GET", "/v2/shipments?start_datetime=soon", None, 422),
        ("GET", "/v2/shipments/", None, 404),
        ("GET", "/v2/orders", None, 404),
        ("GET", "/", None, 404),
        ("GET", "/labels/..%2F..%2Fetc.pdf", None, 404),
        ("GET", "/labels/123.pdf", None, 404),
        ("POST", "/v2/shipments/shp_unknown/buy", b'{"rate": {"id": "x"}}', 404),
        ("DELETE", "/v2/shipments", None, 405),
        ("GET", "/v2/shipments/shp_1/buy", None, 405),
        ("POST", "/__sandbox/ledger", None, 405),
        ("GET", "/__sandbox/else", None, 404),
    ],
)
def test_it_answers_nonsense_with_an_error_in_its_form(
    sandbox: SandboxProcess, method: str, path: str, body: bytes | None, status: int
) -> None:
    answered, answer = _request(sandbox, method, path, body)
    assert answered == status
    assert set(answer["error"]) == {"code", "message", "errors"}


def test_it_answers_even_what_is_not_http(sandbox: SandboxProcess) -> None:
    status, answer = _request(sandbox, "NONSENSE", "/v2/shipments")
    assert status == 501
    assert set(answer["error"]) == {"code", "message", "errors"}


def test_the_ledger_comes_in_pages_in_the_order_of_the_charges(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    for number in range(5):
        made = client.shipment.create(**shipment(f"R{number}"))
        client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    page = sandbox.ask("GET", "/__sandbox/ledger?limit=2")
    assert [charge["reference"] for charge in page["charges"]] == ["R0", "R1"]
    assert page["has_more"]
    rest = sandbox.ask("GET", f"/__sandbox/ledger?after={page['charges'][-1]['id']}")
    assert [charge["reference"] for charge in rest["charges"]] == ["R2", "R3", "R4"]
    assert not rest["has_more"]


def test_two_charges_of_one_reference_are_a_duplicate(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    for _ in range(2):
        made = client.shipment.create(**shipment("R1"))
        client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    assert sandbox.stats() == {"shipments": 2, "charges": 2, "references": 1, "duplicates": 1, "refunded": 0}


def test_a_reset_forgets_everything(client: EasyPostClient, sandbox: SandboxProcess) -> None:
    made = client.shipment.create(**shipment())
    client.shipment.buy(made.id, rate={"id": made.rates[0].id})
    sandbox.faults([{"on": "label", "action": "drop"}])
    sandbox.reset()
    assert sandbox.ledger() == []
    assert sandbox.faults() == []
    with pytest.raises(NotFoundError):
        client.shipment.retrieve(made.id)


def test_its_addresses_come_back_as_they_were_sent(client: EasyPostClient) -> None:
    made = client.shipment.create(**shipment(name="Łukasz Żółć 李"))
    assert made.to_address.name == "Łukasz Żółć 李"
    assert {field: made.from_address[field] for field in SENDER} == SENDER
    assert made.to_address.zip == RECIPIENT["zip"]
