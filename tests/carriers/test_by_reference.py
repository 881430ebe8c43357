"""The tests' own carrier of the guarantee *adopt or ask*, against the sandbox: it has to be what it stands for."""

from dataclasses import replace

import pytest

from shipping.carriers.port import Carrier, Guarantee, Rejected, Unavailable, Unknown
from shipping.carriers.registry import get_carrier
from tests.carriers.shipments import order
from tests.support.by_reference import ASKS_A_PERSON, SENDS_AGAIN
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db


@pytest.fixture
def carrier(adopting: SandboxProcess) -> Carrier:
    return get_carrier(ASKS_A_PERSON)


def test_it_declares_its_guarantee_and_both_policies(adopting: SandboxProcess) -> None:
    policies = {name: get_carrier(name).send_again_when_not_found for name in (ASKS_A_PERSON, SENDS_AGAIN)}
    assert policies == {ASKS_A_PERSON: False, SENDS_AGAIN: True}
    assert {get_carrier(name).guarantee for name in policies} == {Guarantee.adopt_or_ask}


def test_the_handle_is_our_reference_and_preparing_asks_nobody(adopting: SandboxProcess, carrier: Carrier) -> None:
    wanted = order()
    assert carrier.prepare(wanted, timeout=10).handle == wanted.reference
    assert adopting.stats()["shipments"] == 0


def test_a_purchase_is_found_by_its_reference_beside_shipments_that_were_never_bought(
    adopting: SandboxProcess, carrier: Carrier
) -> None:
    wanted = order()
    assert carrier.lookup(wanted.reference, wanted.reference, timeout=10) is None
    carrier.quote(wanted, timeout=10)
    bought = carrier.buy(wanted, wanted.reference, {}, timeout=10)
    carrier.quote(wanted, timeout=10)
    (charge,) = adopting.ledger()
    assert (bought.purchase_id, bought.tracking_number) == (charge["shipment_id"], charge["tracking_code"])
    assert carrier.lookup(wanted.reference, wanted.reference, timeout=10) == bought
    assert carrier.lookup("other", "other", timeout=10) is None


def test_nothing_at_the_carrier_prevents_a_second_charge_and_the_newest_is_found(
    adopting: SandboxProcess, carrier: Carrier
) -> None:
    wanted = order()
    first = carrier.buy(wanted, wanted.reference, {}, timeout=10)
    second = carrier.buy(wanted, wanted.reference, {}, timeout=10)
    assert first.purchase_id != second.purchase_id
    assert adopting.stats()["duplicates"] == 1
    assert carrier.lookup(wanted.reference, wanted.reference, timeout=10) == second


def test_an_order_that_the_carrier_does_not_take_is_rejected_by_the_purchase(
    adopting: SandboxProcess, carrier: Carrier
) -> None:
    wanted = order()
    refused = replace(wanted, recipient=replace(wanted.recipient, street1="1 REJECT Street"))
    assert carrier.prepare(refused, timeout=10).handle == refused.reference
    with pytest.raises(Rejected):
        carrier.buy(refused, refused.reference, {}, timeout=10)
    assert adopting.stats()["charges"] == 0


def test_a_lost_answer_is_unknown_and_one_that_never_left_is_not(adopting: SandboxProcess, carrier: Carrier) -> None:
    wanted = order()
    adopting.faults([{"on": "buy", "action": "drop", "when": "after"}])
    with pytest.raises(Unknown):
        carrier.buy(wanted, wanted.reference, {}, timeout=10)
    adopting.faults([{"on": "create", "action": "drop", "when": "after"}])
    with pytest.raises(Unavailable):
        carrier.buy(wanted, wanted.reference, {}, timeout=10)
    assert adopting.stats()["charges"] == 1


def test_a_purchase_is_not_sent_when_its_shipment_has_taken_the_time(
    adopting: SandboxProcess, carrier: Carrier
) -> None:
    wanted = order()
    adopting.faults([{"on": "create", "action": "delay", "seconds": 1.6}])
    with pytest.raises(Unavailable):
        carrier.buy(wanted, wanted.reference, {}, timeout=2)
    assert adopting.stats()["charges"] == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "error", "status": 503},
        {"action": "malformed"},
        {"action": "drop"},
        {"action": "other_reference", "reference": "THEIRS"},
    ],
    ids=lambda fault: str(fault["action"]),
)
def test_a_question_that_is_not_answered_is_never_a_no(
    adopting: SandboxProcess, carrier: Carrier, fault: dict[str, object]
) -> None:
    wanted = order()
    carrier.buy(wanted, wanted.reference, {}, timeout=10)
    adopting.faults([{"on": "lookup", "match": wanted.reference, **fault}])
    with pytest.raises((Unavailable, Unknown)):
        carrier.lookup(wanted.reference, wanted.reference, timeout=10)
