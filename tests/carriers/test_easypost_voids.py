"""Refunds: asked for again without harm, and never believed on a guess."""

import pytest

from shipping.carriers.port import CarrierError, Unavailable, Unknown, VoidState
from tests.carriers.scripted import Act, Drop, Hang, Reply, ScriptedCarrier, answer, refusal
from tests.carriers.shipments import HANDLE, adapter, bought

UNAVAILABLE = refusal(422, "SHIPMENT.REFUND.UNAVAILABLE", "The parcel has been shipped.")


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [
        ("submitted", VoidState.submitted, ""),
        ("refunded", VoidState.refunded, ""),
        ("rejected", VoidState.refused, "rejected the refund"),
        ("not_applicable", VoidState.refused, "only when it is scanned"),
    ],
)
def test_it_tells_how_the_refund_stands(carrier: ScriptedCarrier, status: str, state: VoidState, says: str) -> None:
    carrier.on("POST /refund", answer(bought(refund_status=status)))
    told = adapter(carrier).void(HANDLE, timeout=5)
    assert told.state is state
    assert says in told.message
    assert bool(says) == bool(told.message)
    assert [each.path for each in carrier.requests] == [f"/v2/shipments/{HANDLE}/refund"]


def test_a_definite_refusal_is_told_with_the_carriers_words(carrier: ScriptedCarrier) -> None:
    carrier.on("POST /refund", UNAVAILABLE)
    carrier.on("GET /" + HANDLE, answer(bought()))
    told = adapter(carrier).void(HANDLE, timeout=5)
    assert (told.state, told.message) == (VoidState.refused, "The parcel has been shipped.")


@pytest.mark.parametrize("status", ["submitted", "refunded"])
def test_a_void_that_is_repeated_after_its_answer_was_lost_is_not_taken_for_refused(
    carrier: ScriptedCarrier, status: str
) -> None:
    carrier.on("POST /refund", refusal(422, "SHIPMENT.REFUND.UNAVAILABLE", "Already requested."))
    carrier.on("GET /" + HANDLE, answer(bought(refund_status=status)))
    assert adapter(carrier).void(HANDLE, timeout=5).state is VoidState(status)


def test_a_refusal_that_can_not_be_checked_is_unknown(carrier: ScriptedCarrier) -> None:
    carrier.on("POST /refund", UNAVAILABLE)
    carrier.on("GET /" + HANDLE, Drop())
    with pytest.raises(Unknown):
        adapter(carrier).void(HANDLE, timeout=5)


def test_a_shipment_that_the_carrier_denies_can_not_be_voided(carrier: ScriptedCarrier) -> None:
    carrier.on("POST /refund", refusal(404, "NOT_FOUND", "Not found."))
    assert adapter(carrier).void(HANDLE, timeout=5).state is VoidState.refused


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (Drop(), Unknown),
        (Hang(), Unknown),
        (refusal(500, "ERROR"), Unknown),
        (refusal(422, "REFUND.NO_RESPONSE"), Unknown),
        (Reply(b"{"), Unknown),
        (answer(bought(refund_status=None)), Unknown),
        (answer(bought(refund_status="thinking")), Unknown),
        (answer(bought(id="shp_other", refund_status="refunded")), Unknown),
        (refusal(429, "RATE_LIMITED"), Unavailable),
    ],
    ids=["drop", "hang", "500", "no response", "cut off", "no status", "odd status", "other shipment", "429"],
)
def test_a_refund_without_a_definite_answer_is_not_guessed(
    carrier: ScriptedCarrier, act: Act, kind: type[CarrierError]
) -> None:
    carrier.on("POST /refund", act)
    with pytest.raises(kind):
        adapter(carrier).void(HANDLE, timeout=0.5)
    assert len(carrier.requests) == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("submitted", VoidState.submitted),
        ("refunded", VoidState.refunded),
        ("rejected", VoidState.refused),
        ("not_applicable", VoidState.refused),
    ],
)
def test_a_refund_is_looked_up_without_asking_for_it_again(
    carrier: ScriptedCarrier, status: str, state: VoidState
) -> None:
    carrier.on("GET /" + HANDLE, answer(bought(refund_status=status)))
    assert adapter(carrier).refund_state(HANDLE, timeout=5).state is state
    assert [each.path for each in carrier.requests] == [f"/v2/shipments/{HANDLE}"]


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (Drop(), Unavailable),
        (refusal(503, "SERVICE_UNAVAILABLE"), Unavailable),
        (refusal(404, "NOT_FOUND"), Unknown),
        (answer(bought(refund_status=None)), Unknown),
        (answer(bought(id="shp_other", refund_status="refunded")), Unknown),
    ],
    ids=["drop", "503", "404", "no status", "other shipment"],
)
def test_a_refund_that_can_not_be_looked_up_is_not_guessed(
    carrier: ScriptedCarrier, act: Act, kind: type[CarrierError]
) -> None:
    carrier.on("GET /" + HANDLE, act)
    with pytest.raises(kind):
        adapter(carrier).refund_state(HANDLE, timeout=5)


@pytest.mark.parametrize(
    ("name", "days"), [("USPS", 30), ("UPS", 90), ("UPSDAP", 90), ("FedEx", 90), ("DHLExpress", None)]
)
def test_it_tells_for_how_long_a_label_may_be_voided(carrier: ScriptedCarrier, name: str, days: int | None) -> None:
    assert adapter(carrier).void_days(name) == days
    assert carrier.requests == []
