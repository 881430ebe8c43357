"""The adapter and the sandbox carrier together: the vendor's SDK over HTTP, and the ledger as the truth."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipping.carriers.easypost import EasyPost
from shipping.carriers.port import Order, Parcel, Rejected, Unavailable, Unknown, VoidState
from tests.carriers.shipments import KEY, RECIPIENT, SENDER, order
from tests.support.sandbox import SandboxProcess


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite3") as running:
        yield running


@pytest.fixture
def sandbox(_running: SandboxProcess) -> SandboxProcess:
    _running.reset()
    return _running


@pytest.fixture
def easypost(sandbox: SandboxProcess) -> EasyPost:
    return EasyPost(api_key=KEY, api_base=sandbox.api_base)


def test_a_label_is_prepared_bought_looked_up_fetched_and_voided(sandbox: SandboxProcess, easypost: EasyPost) -> None:
    wanted = order(service="Priority")
    prepared = easypost.prepare(wanted, timeout=10)
    assert easypost.lookup(prepared.handle, wanted.reference, timeout=10) is None
    assert sandbox.stats()["charges"] == 0

    purchase = easypost.buy(wanted, prepared.handle, prepared.details, timeout=10)
    (charge,) = sandbox.ledger()
    assert (purchase.purchase_id, purchase.reference) == (prepared.handle, wanted.reference)
    assert (purchase.service, purchase.currency) == ("Priority", "USD")
    assert purchase.tracking_number == charge["tracking_code"]
    assert purchase.cost_cents == charge["cost_cents"]
    assert purchase.bought_at is not None

    assert easypost.lookup(prepared.handle, wanted.reference, timeout=10) == purchase
    label = easypost.fetch_label(purchase.purchase_id, purchase.label_url, timeout=10)
    assert label.content_type == "application/pdf"
    assert label == easypost.fetch_label(purchase.purchase_id, "", timeout=10)
    for _ in range(2):
        assert easypost.void(purchase.purchase_id, timeout=10).state in {VoidState.submitted, VoidState.refunded}
    assert sandbox.stats()["refunded"] == 1


def test_a_quote_is_what_the_purchase_costs_and_buys_nothing(sandbox: SandboxProcess, easypost: EasyPost) -> None:
    wanted = order(service="Priority")
    quote = easypost.quote(wanted, timeout=10)
    assert sandbox.stats()["charges"] == 0
    prepared = easypost.prepare(wanted, timeout=10)
    purchase = easypost.buy(wanted, prepared.handle, prepared.details, timeout=10)
    assert (quote.carrier, quote.service) == (purchase.carrier, purchase.service)
    assert (quote.cost_cents, quote.currency) == (purchase.cost_cents, purchase.currency)


def test_what_is_refused_is_refused_in_a_quote_too(sandbox: SandboxProcess, easypost: EasyPost) -> None:
    with pytest.raises(Rejected, match="not offered"):
        easypost.quote(order(service="Nope"), timeout=10)
    sandbox.faults([{"on": "create", "action": "error", "status": 503}])
    with pytest.raises(Unavailable):
        easypost.quote(order(), timeout=10)


def test_a_second_purchase_of_one_handle_adopts_the_first(sandbox: SandboxProcess, easypost: EasyPost) -> None:
    prepared = easypost.prepare(order(), timeout=10)
    first = easypost.buy(order(), prepared.handle, prepared.details, timeout=10)
    assert easypost.buy(order(), prepared.handle, prepared.details, timeout=10) == first
    assert easypost.buy(order(), prepared.handle, {}, timeout=10) == first
    assert sandbox.stats()["charges"] == 1


def test_a_purchase_whose_reply_is_lost_is_found_by_asking(sandbox: SandboxProcess, easypost: EasyPost) -> None:
    prepared = easypost.prepare(order(), timeout=10)
    sandbox.faults([{"on": "buy", "action": "drop", "when": "after", "count": 1}])
    with pytest.raises(Unknown):
        easypost.buy(order(), prepared.handle, prepared.details, timeout=10)
    (fault,) = sandbox.faults()
    assert fault["seen"] == 1
    found = easypost.lookup(prepared.handle, order().reference, timeout=10)
    assert found is not None
    assert found.tracking_number == sandbox.ledger()[0]["tracking_code"]


def test_a_carrier_that_was_killed_is_unavailable_and_goes_on_after_its_restart(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "sandbox.sqlite3") as sandbox:
        easypost = EasyPost(api_key=KEY, api_base=sandbox.api_base)
        prepared = easypost.prepare(order(), timeout=10)
        sandbox.kill()
        with pytest.raises(Unavailable):
            easypost.buy(order(), prepared.handle, prepared.details, timeout=10)
        sandbox.restart()
        easypost.buy(order(), prepared.handle, prepared.details, timeout=10)
        assert sandbox.stats()["charges"] == 1


def test_rates_that_expired_are_made_anew_with_and_without_details(tmp_path: Path) -> None:
    arguments = ("--rates-expire-after", "2")
    with SandboxProcess(tmp_path / "sandbox.sqlite3", arguments=arguments) as sandbox:
        easypost = EasyPost(api_key=KEY, api_base=sandbox.api_base)
        orders = [order(reference=f"K7Q2M4-00000{number}-1") for number in (1, 2)]
        prepared = [easypost.prepare(each, timeout=10) for each in orders]
        time.sleep(2.1)
        easypost.buy(orders[0], prepared[0].handle, prepared[0].details, timeout=10)
        easypost.buy(orders[1], prepared[1].handle, {}, timeout=10)
        charges = sandbox.ledger()
        assert [each["shipment_id"] for each in charges] == [each.handle for each in prepared]
        assert charges[0]["rate_id"] != prepared[0].details["rate_id"]
        assert charges[1]["rate_id"] != prepared[1].details["rate_id"]


def test_too_many_requests_carry_the_carriers_waiting_time(sandbox: SandboxProcess, easypost: EasyPost) -> None:
    prepared = easypost.prepare(order(), timeout=10)
    sandbox.faults([{"on": "buy", "action": "error", "status": 429, "retry_after": 7}])
    with pytest.raises(Unavailable) as caught:
        easypost.buy(order(), prepared.handle, prepared.details, timeout=10)
    assert caught.value.retry_after == 7
    assert sandbox.stats()["charges"] == 0


@pytest.mark.parametrize(
    ("street", "says"),
    [("1 REJECT St", "Address not found"), ("1 NORATE St", "No service is available to this address")],
)
def test_rows_that_the_carrier_can_not_ship_are_rejected_before_any_money(
    easypost: EasyPost, street: str, says: str
) -> None:
    recipient = {field: getattr(RECIPIENT, field) for field in ("name", "city", "state", "zip", "country")}
    bad = Order(
        reference="K7Q2M4-000003-1",
        sender=SENDER,
        recipient=type(RECIPIENT)(street1=street, **recipient),
        parcel=Parcel(weight=10),
    )
    with pytest.raises(Rejected, match=says):
        easypost.prepare(bad, timeout=10)


def test_a_refund_that_the_carrier_rejects_is_refused(sandbox: SandboxProcess, easypost: EasyPost) -> None:
    prepared = easypost.prepare(order(), timeout=10)
    easypost.buy(order(), prepared.handle, prepared.details, timeout=10)
    sandbox.faults([{"on": "refund", "action": "reject_refund"}])
    assert easypost.void(prepared.handle, timeout=10).state is VoidState.refused


@pytest.mark.parametrize(
    ("decision", "state", "refunded"), [("refunded", VoidState.refunded, 1), ("rejected", VoidState.refused, 0)]
)
def test_a_refund_that_is_decided_later_is_told_when_it_is_looked_up(
    sandbox: SandboxProcess, easypost: EasyPost, decision: str, state: VoidState, refunded: int
) -> None:
    prepared = easypost.prepare(order(), timeout=10)
    easypost.buy(order(), prepared.handle, prepared.details, timeout=10)
    easypost.void(prepared.handle, timeout=10)
    assert easypost.refund_state(prepared.handle, timeout=10).state is VoidState.submitted
    assert sandbox.decide_refunds(decision) == 1
    assert easypost.refund_state(prepared.handle, timeout=10).state is state
    assert sandbox.stats()["refunded"] == refunded
