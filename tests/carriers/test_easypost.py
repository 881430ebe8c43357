"""What the adapter asks EasyPost for, and what it makes of the answers."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from shipping.carriers.easypost import EasyPost
from shipping.carriers.port import Carrier, CarrierError, Guarantee, Purchase, Rejected, Unavailable, Unknown
from tests.carriers.scripted import Act, Drop, Hang, Reply, ScriptedCarrier, answer, refusal
from tests.carriers.shipments import HANDLE, KEY, RATES, REFERENCE, adapter, bought, created, order, rate

DETAILS = {"rate_id": "rate_1"}
PURCHASE = Purchase(
    purchase_id=HANDLE,
    reference=REFERENCE,
    tracking_number="9400100000000000000000",
    carrier="USPS",
    service="GroundAdvantage",
    cost_cents=546,
    currency="USD",
    label_url="https://labels.example/1.pdf",
    bought_at=datetime(2026, 1, 24, 0, 36, 23, tzinfo=UTC),
)
EXPIRED = refusal(422, "SHIPMENT.RATE.EXPIRED", "The rate has expired.")


def test_it_fits_the_port_and_promises_exactly_once() -> None:
    easypost: Carrier = EasyPost(api_key=KEY, api_base="https://api.easypost.com/v2/")
    assert easypost.guarantee is Guarantee.exactly_once
    assert repr(easypost) == "EasyPost(api_base='https://api.easypost.com/v2')"


class TestPrepare:
    def test_it_creates_the_shipment_with_our_reference_and_asks_for_a_pdf(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /shipments", answer(created(), 201))
        prepared = adapter(carrier).prepare(order(), timeout=5)
        assert prepared.handle == HANDLE
        sent = carrier.requests[0].json["shipment"]
        assert sent["reference"] == REFERENCE
        assert sent["options"] == {"label_format": "PDF"}
        assert sent["parcel"] == {"length": 9, "width": 6, "height": 2, "weight": 12.5}
        assert sent["to_address"] == {
            "name": "Ana Gómez",
            "street1": "10 Main St",
            "street2": "Apt 4",
            "city": "Austin",
            "state": "TX",
            "zip": "78701",
            "country": "US",
        }
        assert sent["from_address"]["city"] == "San Francisco"

    def test_it_takes_the_cheapest_rate_when_no_service_is_wanted(self, carrier: ScriptedCarrier) -> None:
        carrier.on(
            "POST /shipments", answer(created(rates=[rate("A", "10.00"), rate("B", "9.99"), rate("C", "9.990")]))
        )
        assert adapter(carrier).prepare(order(), timeout=5).details == {
            "rate_id": "rate_B_9.99",
            "carrier": "USPS",
            "service": "B",
            "rate": "9.99",
            "currency": "USD",
        }

    @pytest.mark.parametrize(
        "wanted", ["Ground Advantage", "groundadvantage", "GROUND_ADVANTAGE", "usps Ground-Advantage"]
    )
    def test_it_finds_the_wanted_service_however_it_is_written(self, carrier: ScriptedCarrier, wanted: str) -> None:
        rates = [rate("Priority", "1.00"), *RATES]
        carrier.on("POST /shipments", answer(created(rates=rates)))
        prepared = adapter(carrier).prepare(order(service=wanted), timeout=5)
        assert prepared.details["service"] == "GroundAdvantage"

    def test_a_service_that_is_not_offered_is_rejected_with_the_offers(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /shipments", answer(created()))
        with pytest.raises(Rejected) as caught:
            adapter(carrier).prepare(order(service="Overnight"), timeout=5)
        assert caught.value.message == (
            "The service “Overnight” is not offered for this parcel; offered: USPS GroundAdvantage (5.46 USD),"
            " USPS Priority (9.65 USD), USPS Express (31.00 USD)."
        )

    def test_no_rate_at_all_is_rejected_with_the_carriers_reasons(self, carrier: ScriptedCarrier) -> None:
        messages = [{"carrier": "UPS", "type": "rate_error", "message": "Too heavy."}]
        carrier.on("POST /shipments", answer(created(rates=[], messages=messages)))
        with pytest.raises(Rejected) as caught:
            adapter(carrier).prepare(order(), timeout=5)
        assert caught.value.message == "The carrier offers no service for this parcel. UPS: Too heavy."

    def test_rates_that_can_not_be_read_are_not_offered(self, carrier: ScriptedCarrier) -> None:
        prices: list[Any] = ["free", "NaN", "-1.00", None, True, "Infinity", ["1"], "99999999"]
        odd = [rate("A", "1") | {"rate": price} for price in prices] + [rate("", "1"), rate("B", "1", currency=""), "x"]
        carrier.on("POST /shipments", answer(created(rates=[*odd, rate("C", "7.00")])))
        assert adapter(carrier).prepare(order(), timeout=5).details["service"] == "C"

    def test_prices_in_several_currencies_are_not_compared(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /shipments", answer(created(rates=[rate("A", "7"), rate("B", "6", currency="CAD")])))
        with pytest.raises(Rejected, match="several currencies"):
            adapter(carrier).prepare(order(), timeout=5)
        assert adapter(carrier).prepare(order(service="b"), timeout=5).details["currency"] == "CAD"

    def test_an_invalid_address_is_rejected_in_the_carriers_words(self, carrier: ScriptedCarrier) -> None:
        fields = [{"field": "street1", "message": "House number is missing", "suggestion": None}, "Zip is odd"]
        carrier.on("POST /shipments", refusal(422, "ADDRESS.VERIFY.FAILURE", "Address not found.", fields))
        with pytest.raises(Rejected) as caught:
            adapter(carrier).prepare(order(), timeout=5)
        assert caught.value.code == "ADDRESS.VERIFY.FAILURE"
        assert caught.value.message == "Address not found; street1: House number is missing; Zip is odd."

    @pytest.mark.parametrize(
        "act",
        [
            Hang(),
            Drop(),
            refusal(500, "INTERNAL_SERVER_ERROR"),
            refusal(503, "SERVICE_UNAVAILABLE"),
            refusal(408, "REQUEST_TIMEOUT"),
            Reply(b'{"id"'),
            Reply(b"<html>", 422),
            answer(created(id=None)),
            answer(created(id="shp_../../users")),
            answer(created(reference="SOMEBODY-ELSES")),
        ],
        ids=["hang", "drop", "500", "503", "408", "cut off", "html", "no id", "odd id", "other reference"],
    )
    def test_a_create_without_a_good_answer_is_unavailable(self, carrier: ScriptedCarrier, act: Act) -> None:
        carrier.on("POST /shipments", act)
        with pytest.raises(Unavailable):
            adapter(carrier).prepare(order(), timeout=0.5)
        assert carrier.count("POST /shipments") == 1


ACCOUNT = [(401, "does not accept the API key"), (403, "does not accept the API key"), (402, "cannot pay")]


@pytest.mark.parametrize(("status", "says"), ACCOUNT)
@pytest.mark.parametrize("page", [False, True], ids=["json", "page of a gateway"])
def test_what_refuses_every_row_alike_is_unavailable(
    carrier: ScriptedCarrier, status: int, says: str, page: bool
) -> None:
    act = Reply(b"<html>", status) if page else refusal(status, "UNAUTHORIZED", "Sorry.")
    for request in ("POST /shipments", "POST /buy", "POST /refund", "GET /" + HANDLE):
        carrier.on(request, act)
    easypost = adapter(carrier)
    for call in (
        lambda: easypost.prepare(order(), timeout=5),
        lambda: easypost.buy(order(), HANDLE, DETAILS, timeout=5),
        lambda: easypost.lookup(HANDLE, REFERENCE, timeout=5),
        lambda: easypost.void(HANDLE, timeout=5),
    ):
        with pytest.raises(Unavailable, match=says):
            call()


@pytest.mark.parametrize("page", [False, True], ids=["json", "page of a gateway"])
def test_too_many_requests_is_unavailable_for_as_long_as_the_carrier_says(carrier: ScriptedCarrier, page: bool) -> None:
    header = "Retry-After: 17"
    act = Reply(b"<html>", 429, (header,)) if page else refusal(429, "RATE_LIMITED", "Slow down.", [], header)
    for request in ("POST /shipments", "POST /buy", "GET /" + HANDLE):
        carrier.on(request, act)
    for call in (
        lambda: adapter(carrier).prepare(order(), timeout=5),
        lambda: adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5),
        lambda: adapter(carrier).lookup(HANDLE, REFERENCE, timeout=5),
    ):
        with pytest.raises(Unavailable) as caught:
            call()
        assert caught.value.retry_after == 17
    assert carrier.count("POST /buy") == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("999999999", 3600), ("0", 0), ("soon", None), ("-5", None)],
    ids=["a date gone by", "for ever", "at once", "a word", "negative"],
)
def test_it_reads_retry_after_whatever_it_holds(carrier: ScriptedCarrier, header: str, seconds: float | None) -> None:
    carrier.on("POST /shipments", refusal(429, "RATE_LIMITED", "No.", [], f"Retry-After: {header}"))
    with pytest.raises(Unavailable) as caught:
        adapter(carrier).prepare(order(), timeout=5)
    assert caught.value.retry_after == seconds


def test_it_reads_a_retry_after_that_is_a_date(carrier: ScriptedCarrier) -> None:
    date = format_datetime(datetime.now(tz=UTC) + timedelta(seconds=600), usegmt=True)
    carrier.on("POST /shipments", refusal(429, "RATE_LIMITED", "No.", [], f"Retry-After: {date}"))
    with pytest.raises(Unavailable) as caught:
        adapter(carrier).prepare(order(), timeout=5)
    assert caught.value.retry_after is not None
    assert 500 < caught.value.retry_after <= 600


def test_a_retry_after_that_is_a_date_is_counted_from_the_carriers_own_clock(carrier: ScriptedCarrier) -> None:
    dates = ["Date: Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2015 07:28:40 GMT"]
    carrier.on("POST /shipments", refusal(429, "RATE_LIMITED", "No.", [], *dates))
    with pytest.raises(Unavailable) as caught:
        adapter(carrier).prepare(order(), timeout=5)
    assert caught.value.retry_after == 40


class TestBuy:
    def test_it_buys_the_prepared_rate_with_one_request(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /buy", answer(bought()))
        assert adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5) == PURCHASE
        assert [each.path for each in carrier.requests] == [f"/v2/shipments/{HANDLE}/buy"]
        assert carrier.requests[0].json == {"rate": {"id": "rate_1"}}

    @pytest.mark.parametrize(
        ("price", "cents"), [("5.455", 546), ("5.445", 545), ("5.4449", 544), ("0", 0), ("10", 1000), (7.1, 710)]
    )
    def test_the_cost_is_in_whole_cents_halves_rounded_up(
        self, carrier: ScriptedCarrier, price: object, cents: int
    ) -> None:
        carrier.on("POST /buy", answer(bought(selected_rate=rate("A", "1") | {"rate": price})))
        assert adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5).cost_cents == cents

    @pytest.mark.parametrize("code", ["SHIPMENT.POSTAGE.FAILURE", "", "PAYMENT_GATEWAY.ERROR"])
    def test_a_definite_refusal_is_rejected(self, carrier: ScriptedCarrier, code: str) -> None:
        carrier.on("POST /buy", refusal(422, code, "The carrier refused."))
        with pytest.raises(Rejected, match="The carrier refused") as caught:
            adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5)
        assert caught.value.code == (code or "HTTP_422")
        assert len(carrier.requests) == 1

    @pytest.mark.parametrize(
        "code",
        ["SHIPMENT.POSTAGE.TIMED_OUT", "SHIPMENT.POSTAGE.NO_RESPONSE", "SHIPMENT.PURCHASE.IN_PROGRESS"],
    )
    @pytest.mark.parametrize("status", [402, 422, 503])
    def test_codes_that_leave_the_purchase_open_are_unknown(
        self, carrier: ScriptedCarrier, code: str, status: int
    ) -> None:
        carrier.on("POST /buy", refusal(status, code))
        with pytest.raises(Unknown) as caught:
            adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5)
        assert caught.value.code == code
        assert len(carrier.requests) == 1

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"id": "shp_another"}, "OTHER_SHIPMENT"),
            ({"reference": "K7Q2M4-000049-1"}, "REFERENCE_MISMATCH"),
            ({"reference": None}, "REFERENCE_MISMATCH"),
            ({"tracking_code": None}, "NO_TRACKING_NUMBER"),
            ({"tracking_code": ""}, "NO_TRACKING_NUMBER"),
            ({"tracking_code": 94001}, "NO_TRACKING_NUMBER"),
            ({"tracking_code": "9" * 101}, "NO_TRACKING_NUMBER"),
            ({"tracking_code": "94\u000001"}, "NO_TRACKING_NUMBER"),
            ({"selected_rate": None}, "UNREADABLE_PRICE"),
            ({"selected_rate": "5.45"}, "UNREADABLE_PRICE"),
            ({"selected_rate": RATES[0] | {"rate": "about 5"}}, "UNREADABLE_PRICE"),
            ({"selected_rate": RATES[0] | {"currency": None}}, "UNREADABLE_PRICE"),
            ({"postage_label": None}, "NO_LABEL"),
            ({"postage_label": None, "tracking_code": None, "selected_rate": None}, "NO_LABEL"),
        ],
    )
    def test_an_answer_that_is_not_this_purchase_in_full_is_unknown(
        self, carrier: ScriptedCarrier, changes: dict[str, Any], code: str
    ) -> None:
        carrier.on("POST /buy", answer(bought(**changes)))
        with pytest.raises(Unknown) as caught:
            adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5)
        assert caught.value.code == code
        assert len(carrier.requests) == 1

    def test_a_label_without_address_or_date_is_still_a_purchase(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /buy", answer(bought(postage_label={"created_at": "yesterday"})))
        purchase = adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5)
        assert (purchase.label_url, purchase.bought_at) == ("", None)

    def test_a_shipment_that_was_bought_already_is_looked_up(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /buy", refusal(422, "SHIPMENT.POSTAGE.EXISTS"))
        carrier.on("GET /" + HANDLE, answer(bought()))
        assert adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5) == PURCHASE
        assert [each.method for each in carrier.requests] == ["POST", "GET"]

    @pytest.mark.parametrize(
        "act",
        [
            Drop(),
            refusal(500, "ERROR"),
            refusal(404, "NOT_FOUND"),
            refusal(429, "RATE_LIMITED"),
            answer(created()),
            answer(bought(reference="ANOTHER")),
        ],
        ids=["drop", "500", "404", "429", "not bought", "other reference"],
    )
    def test_one_that_was_bought_already_but_can_not_be_seen_is_unknown(
        self, carrier: ScriptedCarrier, act: Act
    ) -> None:
        carrier.on("POST /buy", refusal(422, "SHIPMENT.POSTAGE.EXISTS"))
        carrier.on("GET /" + HANDLE, act)
        with pytest.raises(Unknown):
            adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5)
        assert carrier.count("POST /buy") == 1


class TestBuyAgainAfterACrash:
    """Without `details`, the shipment is asked for first."""

    def test_what_was_bought_already_is_adopted_and_nothing_is_sent(self, carrier: ScriptedCarrier) -> None:
        carrier.on("GET /" + HANDLE, answer(bought()))
        assert adapter(carrier).buy(order(), HANDLE, {}, timeout=5) == PURCHASE
        assert [each.method for each in carrier.requests] == ["GET"]

    def test_the_wanted_service_is_chosen_again(self, carrier: ScriptedCarrier) -> None:
        carrier.on("GET /" + HANDLE, answer(created()))
        carrier.on("POST /buy", answer(bought()))
        adapter(carrier).buy(order(service="priority"), HANDLE, {}, timeout=5)
        assert carrier.requests[-1].json == {"rate": {"id": "rate_Priority_9.65"}}

    def test_missing_rates_are_made_anew_on_the_same_shipment(self, carrier: ScriptedCarrier) -> None:
        carrier.on("GET /" + HANDLE, answer(created(rates=[])))
        carrier.on("POST /rerate", answer({"rates": RATES}))
        carrier.on("POST /buy", answer(bought()))
        assert adapter(carrier).buy(order(), HANDLE, {}, timeout=5) == PURCHASE
        assert [each.path.rpartition("/")[2] for each in carrier.requests] == [HANDLE, "rerate", "buy"]

    def test_a_shipment_that_the_carrier_denies_is_rejected(self, carrier: ScriptedCarrier) -> None:
        carrier.on("GET /" + HANDLE, refusal(404, "NOT_FOUND"))
        with pytest.raises(Rejected, match="does not know this shipment"):
            adapter(carrier).buy(order(), HANDLE, {}, timeout=5)
        assert carrier.count("POST /buy") == 0

    @pytest.mark.parametrize("request_", ["GET /" + HANDLE, "POST /rerate"])
    @pytest.mark.parametrize(
        "act",
        [Drop(), refusal(500, "ERROR"), Reply(b"{"), refusal(401, "UNAUTHORIZED"), refusal(429, "RATE_LIMITED")],
        ids=["drop", "500", "cut off", "401", "429"],
    )
    def test_what_fails_before_the_purchase_is_sent_is_unavailable(
        self, carrier: ScriptedCarrier, request_: str, act: Act
    ) -> None:
        carrier.on("GET /" + HANDLE, answer(created(rates=[])))
        carrier.on("POST /buy", answer(bought()))
        carrier.on(request_, act)
        with pytest.raises(Unavailable):
            adapter(carrier).buy(order(), HANDLE, {}, timeout=1)
        assert carrier.count("POST /buy") == 0

    def test_a_shipment_under_another_reference_is_unknown_and_not_bought(self, carrier: ScriptedCarrier) -> None:
        carrier.on("GET /" + HANDLE, answer(created(reference="K7Q2M4-000049-1")))
        with pytest.raises(Unknown, match="REFERENCE_MISMATCH"):
            adapter(carrier).buy(order(), HANDLE, {}, timeout=5)
        assert carrier.count("POST /buy") == 0

    def test_with_too_little_time_left_the_purchase_is_not_sent(self, carrier: ScriptedCarrier) -> None:
        carrier.on("GET /" + HANDLE, Reply(answer(created()).body, wait=1.7))
        carrier.on("POST /buy", answer(bought()))
        with pytest.raises(Unavailable) as caught:
            adapter(carrier).buy(order(), HANDLE, {}, timeout=2)
        assert caught.value.code == "NO_TIME_LEFT"
        assert carrier.count("POST /buy") == 0


class TestExpiredRates:
    @pytest.mark.parametrize("code", ["SHIPMENT.RATE.EXPIRED", "SHIPMENT.MISSING_RATE"])
    def test_the_rate_is_made_anew_on_the_same_shipment_and_bought(self, carrier: ScriptedCarrier, code: str) -> None:
        carrier.on("POST /buy", refusal(422, code), answer(bought()))
        carrier.on("POST /rerate", answer({"rates": RATES}))
        assert adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5) == PURCHASE
        ends = [each.path.rpartition("/")[2] for each in carrier.requests]
        assert ends == ["buy", "rerate", "buy"]
        assert carrier.requests[-1].json == {"rate": {"id": "rate_GroundAdvantage_5.455"}}

    def test_that_is_done_once_only(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /buy", EXPIRED)
        carrier.on("POST /rerate", answer({"rates": RATES}))
        with pytest.raises(Rejected, match="expired"):
            adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5)
        assert (carrier.count("POST /buy"), carrier.count("POST /rerate")) == (2, 1)

    @pytest.mark.parametrize("act", [refusal(503, "SHIPMENT.RATE.EXPIRED"), Reply(b"SHIPMENT.RATE.EXPIRED", 422)])
    def test_only_a_definite_refusal_is_followed_by_a_second_purchase(self, carrier: ScriptedCarrier, act: Act) -> None:
        carrier.on("POST /buy", act)
        carrier.on("POST /rerate", answer({"rates": RATES}))
        with pytest.raises(Unknown):
            adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5)
        assert [each.path.rpartition("/")[2] for each in carrier.requests] == ["buy"]

    def test_a_second_purchase_without_an_answer_is_unknown(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /buy", EXPIRED, Drop())
        carrier.on("POST /rerate", answer({"rates": RATES}))
        with pytest.raises(Unknown):
            adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5)
        assert carrier.count("POST /buy") == 2

    def test_a_rerate_without_an_answer_is_unavailable(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /buy", EXPIRED)
        carrier.on("POST /rerate", Drop())
        with pytest.raises(Unavailable):
            adapter(carrier).buy(order(), HANDLE, DETAILS, timeout=5)
        assert carrier.count("POST /buy") == 1

    def test_a_service_that_is_gone_is_rejected(self, carrier: ScriptedCarrier) -> None:
        carrier.on("POST /buy", EXPIRED)
        carrier.on("POST /rerate", answer({"rates": RATES}))
        with pytest.raises(Rejected, match="not offered"):
            adapter(carrier).buy(order(service="Overnight"), HANDLE, DETAILS, timeout=5)
        assert carrier.count("POST /buy") == 1


class TestLookup:
    def test_it_returns_the_purchase(self, carrier: ScriptedCarrier) -> None:
        carrier.on("GET /" + HANDLE, answer(bought(refund_status="submitted")))
        assert adapter(carrier).lookup(HANDLE, REFERENCE, timeout=5) == PURCHASE

    def test_a_shipment_without_postage_is_not_bought(self, carrier: ScriptedCarrier) -> None:
        carrier.on("GET /" + HANDLE, answer(created()))
        assert adapter(carrier).lookup(HANDLE, REFERENCE, timeout=5) is None

    @pytest.mark.parametrize(
        "changes",
        [{"selected_rate": RATES[0]}, {"tracking_code": "94001"}, {"postage_label": {"label_url": "https://x/1"}}],
    )
    def test_half_a_purchase_is_unknown(self, carrier: ScriptedCarrier, changes: dict[str, Any]) -> None:
        carrier.on("GET /" + HANDLE, answer(created(**changes)))
        with pytest.raises(Unknown):
            adapter(carrier).lookup(HANDLE, REFERENCE, timeout=5)

    @pytest.mark.parametrize("shipment", [bought(reference="ANOTHER"), created(reference="ANOTHER")])
    def test_another_reference_is_unknown(self, carrier: ScriptedCarrier, shipment: dict[str, Any]) -> None:
        carrier.on("GET /" + HANDLE, answer(shipment))
        with pytest.raises(Unknown) as caught:
            adapter(carrier).lookup(HANDLE, REFERENCE, timeout=5)
        assert caught.value.code == "REFERENCE_MISMATCH"

    @pytest.mark.parametrize(
        ("act", "kind"),
        [
            (refusal(404, "NOT_FOUND"), Unknown),
            (Reply(b"<html>Not found</html>", 404), Unknown),
            (refusal(422, "SHIPMENT.INVALID"), Unknown),
            (answer({}), Unknown),
            (answer({"id": HANDLE}), Unknown),
            (refusal(500, "ERROR"), Unavailable),
            (Drop(), Unavailable),
            (Hang(), Unavailable),
            (Reply(b'{"id": "shp'), Unavailable),
        ],
        ids=["404", "404 page", "422", "empty", "bare id", "500", "drop", "hang", "cut off"],
    )
    def test_what_could_not_be_found_out_is_never_not_bought(
        self, carrier: ScriptedCarrier, act: Act, kind: type[CarrierError]
    ) -> None:
        carrier.on("GET /" + HANDLE, act)
        with pytest.raises(kind):
            adapter(carrier).lookup(HANDLE, REFERENCE, timeout=0.5)
        assert len(carrier.requests) == 1
