"""What happens to a purchase on a wire that fails: it arrives once at most, and is judged rightly."""

import threading
import time
import traceback
from pathlib import Path

import pytest
import requests

from shipping.carriers.easypost import EasyPost
from shipping.carriers.port import CarrierError, Prepared, Unavailable, Unknown
from tests.carriers.scripted import (
    Act,
    Drop,
    Hang,
    Reply,
    ScriptedCarrier,
    answer,
    refusal,
    refused_port,
    silent_listener,
)
from tests.carriers.shipments import HANDLE, KEY, REFERENCE, adapter, bought, created, order

DETAILS = {"rate_id": "rate_1"}
AFTER_THE_SEND: dict[str, Act] = {
    "a dropped reply": Drop(),
    "a hang": Hang(),
    "a 500": refusal(500, "INTERNAL_SERVER_ERROR"),
    "a 502 page of a gateway": Reply(b"<html>Bad gateway</html>", 502),
    "a 503": refusal(503, "SERVICE_UNAVAILABLE"),
    "a 504": refusal(504, "GATEWAY_TIMEOUT"),
    "a 408": refusal(408, "REQUEST_TIMEOUT"),
    "a 409": refusal(409, "CONFLICT"),
    "a 422 that is no JSON": Reply(b"<html>Unprocessable</html>", 422),
    "a 422 without an error": answer({"message": "no"}, 422),
    "JSON that is cut off": Reply(b'{"id": "shp_0123', 200),
    "an empty body": Reply(b"", 200),
    "no content": Reply(b"", 204),
    "a list": answer([1, 2]),
    "a word": answer("bought"),
    "an id that is a number": answer(bought(id=5)),
    "a body shorter than it claims": Reply(b'{"id":', 200, claims=500),
    "a redirect that repeats the purchase": Reply(b"", 307, ("Location: /v2/shipments/other/buy",)),
    "a redirect": Reply(b"", 302, ("Location: /v2/shipments/other",)),
    "a deep nest": Reply(b"[" * 20000, 200),
    "nonsense instead of a number": Reply(b'{"id": ' + b"9" * 5000 + b"}", 200),
}


@pytest.mark.parametrize("act", AFTER_THE_SEND.values(), ids=AFTER_THE_SEND.keys())
def test_a_purchase_that_may_have_arrived_is_unknown_and_arrives_once(carrier: ScriptedCarrier, act: Act) -> None:
    carrier.on("POST /buy", act)
    with pytest.raises(Unknown):
        adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=0.5)
    time.sleep(0.1)
    assert [(each.method, each.path) for each in carrier.requests] == [("POST", f"/v2/shipments/{HANDLE}/buy")]


def test_a_failure_nobody_foresaw_is_unknown_and_told_without_the_names_of_classes(
    carrier: ScriptedCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_args: object, **_kwargs: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(requests.Session, "send", break_down)
    with pytest.raises(Unknown) as raised:
        adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=0.5)
    assert raised.value.code == "REQUEST_FAILED"
    assert "the log of the worker tells what" in raised.value.message
    assert "Error" not in raised.value.message


def test_a_refused_connection_is_known_to_have_bought_nothing() -> None:
    nobody = EasyPost(api_key=KEY, api_base=f"http://127.0.0.1:{refused_port()}/v2")
    with pytest.raises(Unavailable) as caught:
        nobody.buy(order(), HANDLE, DETAILS, timeout=2)
    assert caught.value.code == "CONNECTION_REFUSED"


def test_a_host_that_does_not_exist_is_known_to_have_bought_nothing() -> None:
    nowhere = EasyPost(api_key=KEY, api_base="http://nowhere.invalid/v2")
    with pytest.raises(Unavailable) as caught:
        nowhere.buy(order(), HANDLE, DETAILS, timeout=5)
    assert caught.value.code == "CONNECTION_REFUSED"


def test_a_connection_that_was_never_made_is_known_to_have_bought_nothing() -> None:
    with silent_listener() as port:
        full = EasyPost(api_key=KEY, api_base=f"http://127.0.0.1:{port}/v2")
        with pytest.raises(Unavailable) as caught:
            full.buy(order(), HANDLE, DETAILS, timeout=0.5)
    assert caught.value.code == "CONNECT_TIMEOUT"


def test_a_dropped_reply_and_a_refused_connection_differ_though_the_sdk_raises_the_same(
    carrier: ScriptedCarrier,
) -> None:
    carrier.on("POST /buy", Drop())
    with pytest.raises(Unknown) as caught:
        adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=2)
    assert caught.value.code == "CONNECTION_LOST"


def test_a_slow_drip_is_waited_for_and_what_it_says_is_believed(carrier: ScriptedCarrier) -> None:
    whole = answer(bought())
    carrier.on("POST /buy", Reply(whole.body, drip=0.002))
    purchase = adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=0.3)
    assert purchase.tracking_number == "9400100000000000000000"
    assert carrier.count("POST /buy") == 1


def test_connections_are_kept_alive_for_the_next_request_of_the_same_thread(carrier: ScriptedCarrier) -> None:
    carrier.on("POST /shipments", answer(created()))
    carrier.on("POST /buy", answer(bought()))
    easypost = adapter(carrier)
    prepared = easypost.prepare(order(), timeout=5)
    easypost.buy(order(), prepared.handle, prepared.details, timeout=5)
    assert carrier.connections == 1


def test_a_kept_connection_that_the_carrier_has_closed_is_replaced_before_the_send(carrier: ScriptedCarrier) -> None:
    carrier.on("POST /shipments", Reply(answer(created()).body, then_close=True))
    carrier.on("POST /buy", answer(bought()))
    easypost = adapter(carrier)
    prepared = easypost.prepare(order(), timeout=5)
    time.sleep(0.2)
    assert easypost.buy(order(), prepared.handle, prepared.details, timeout=5).purchase_id == HANDLE
    assert (carrier.connections, carrier.count("POST /buy")) == (2, 1)


def test_a_kept_connection_that_closes_under_the_purchase_leaves_it_unknown_and_sent_once(
    carrier: ScriptedCarrier,
) -> None:
    carrier.on("POST /shipments", answer(created()))
    carrier.on("POST /buy", Drop())
    easypost = adapter(carrier)
    prepared = easypost.prepare(order(), timeout=5)
    with pytest.raises(Unknown):
        easypost.buy(order(), prepared.handle, prepared.details, timeout=5)
    assert (carrier.connections, carrier.count("POST /buy")) == (1, 1)


def test_no_prefix_keeps_an_adapter_that_retries() -> None:
    easypost = EasyPost(api_key=KEY, api_base="http://127.0.0.1:9/v2")
    client = easypost._wire._new_client()
    session: requests.Session = client._requests_session
    adapters = [session.get_adapter(f"{client.api_base}/shipments"), *session.adapters.values()]
    assert [each.max_retries.total for each in adapters] == [0] * len(adapters)  # type: ignore[attr-defined]
    assert all(each.max_retries.read is False for each in adapters)  # type: ignore[attr-defined]


def test_many_threads_share_one_adapter_and_each_gets_its_own_answer(carrier: ScriptedCarrier) -> None:
    carrier.on("POST /buy", refusal(422, "SHIPMENT.POSTAGE.FAILURE"))
    carrier.on("POST /shipments", answer(created()))
    easypost = adapter(carrier)
    start = threading.Barrier(8)
    answers: list[object] = []

    def ask(number: int) -> None:
        start.wait(timeout=10)
        for _ in range(10):
            try:
                if number % 2:
                    answers.append(easypost.prepare(order(), timeout=10))
                else:
                    easypost.buy(order(), HANDLE, DETAILS, timeout=10)
            except CarrierError as error:
                answers.append((number % 2, type(error).__name__))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sum(isinstance(each, Prepared) for each in answers) == 40
    assert answers.count((0, "Rejected")) == 40
    assert carrier.connections == 8


def test_each_call_has_its_own_timeout(carrier: ScriptedCarrier) -> None:
    carrier.on("GET /" + HANDLE, Hang(), answer(created()))
    easypost = adapter(carrier)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        easypost.lookup(HANDLE, REFERENCE, timeout=0.3)
    assert time.monotonic() - started < 3
    assert easypost.lookup(HANDLE, REFERENCE, timeout=10) is None


def test_a_proxy_of_the_environment_does_not_stand_before_a_carrier_on_this_machine(
    carrier: ScriptedCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{refused_port()}")
    carrier.on("GET /" + HANDLE, answer(created()))
    assert adapter(carrier).lookup(HANDLE, REFERENCE, timeout=5) is None


def test_a_netrc_entry_does_not_replace_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine carrier.example login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    client = EasyPost(api_key=KEY, api_base="https://carrier.example/v2")._wire._new_client()
    asked = requests.Request("GET", f"{client.api_base}/shipments", headers={"Authorization": f"Bearer {KEY}"})
    prepared = client._requests_session.prepare_request(asked)
    assert prepared.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "act",
    [
        refusal(401, "UNAUTHORIZED", f"The key {KEY} is not valid.", [KEY, {"field": "key", "message": KEY}]),
        refusal(422, KEY, KEY),
        Reply(KEY.encode(), 500),
        Drop(),
    ],
    ids=["401", "422", "500", "drop"],
)
def test_the_key_is_in_no_error_and_in_no_traceback(carrier: ScriptedCarrier, act: Act) -> None:
    carrier.on("POST /buy", act)
    easypost = adapter(carrier)
    with pytest.raises(CarrierError) as caught:
        easypost.buy(order(), HANDLE, DETAILS, timeout=2)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.message
    assert caught.value.message
    assert KEY not in told
    assert KEY not in repr(easypost)


@pytest.mark.parametrize("key", ["", "EZAK two", "EZAK\r\nX-Other: 1", "EZAKé"])
def test_it_refuses_a_key_that_can_not_be_one_without_telling_it(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        EasyPost(api_key=key, api_base="https://api.easypost.com/v2")
    assert not key or key not in str(caught.value)


def test_it_refuses_to_send_a_live_key_in_clear_text() -> None:
    with pytest.raises(ValueError, match="only ever sent over https"):
        EasyPost(api_key="EZAK123", api_base="http://carrier.example/v2")


@pytest.mark.parametrize("base", ["", "api.easypost.com/v2", "ftp://api.easypost.com", "https://"])
def test_it_refuses_a_base_that_is_no_http_address(base: str) -> None:
    with pytest.raises(ValueError, match="API base"):
        EasyPost(api_key=KEY, api_base=base)
