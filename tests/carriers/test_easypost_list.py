"""EasyPost's list of purchases: windows, pages, and answers that are not a list."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shipping.carriers.easypost import EasyPost
from shipping.carriers.port import CarrierError, Order, Parcel, Unavailable, Unknown, VoidState
from tests.carriers.scripted import Reply, Request, ScriptedCarrier, answer, refusal
from tests.carriers.shipments import KEY, RECIPIENT, SENDER, adapter, bought, created
from tests.support.sandbox import SandboxProcess

NOW = datetime.now(tz=UTC)
SINCE = NOW - timedelta(days=5)


class Listing(ScriptedCarrier):
    """A scripted carrier that answers whatever is asked of it, and keeps what was asked for."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self._replies = list(replies)

    def _act_for(self, request: Request) -> Reply:  # noqa: ARG002  # whatever is asked
        return self._replies.pop(0)


def entry(number: int, made: datetime, **changes: Any) -> dict[str, Any]:
    return bought(id=f"shp_{number}", created_at=made.isoformat().replace("+00:00", "Z"), **changes)


def page(*entries: dict[str, Any], more: bool = False) -> Reply:
    return answer({"shipments": list(entries), "has_more": more})


def everything(carrier: ScriptedCarrier, since: datetime = SINCE) -> list[str]:
    """The ids of the whole list, part by part."""
    easypost, ids, at = adapter(carrier), [], ""
    while True:
        part = easypost.list_purchases(since, at, timeout=5)
        ids += [purchase.purchase_id for purchase in part.purchases]
        at = part.next_page
        if not at:
            return ids


def listing(*replies: Reply, since: datetime = SINCE) -> tuple[list[str], list[str]]:
    """The ids that a carrier lists, and the addresses that were asked for."""
    carrier = Listing(*replies)
    try:
        return everything(carrier, since), [request.path for request in carrier.requests]
    finally:
        carrier.close()


def refused(*replies: Reply) -> CarrierError:
    """The error with which a list ends."""
    with pytest.raises(CarrierError) as caught:
        listing(*replies)
    return caught.value


def test_an_entry_is_told_in_full() -> None:
    carrier = Listing(page(entry(1, NOW, refund_status="submitted")))
    try:
        (purchase,) = adapter(carrier).list_purchases(SINCE, timeout=5).purchases
    finally:
        carrier.close()
    assert (purchase.purchase_id, purchase.reference) == ("shp_1", bought()["reference"])
    assert (purchase.tracking_number, purchase.cost_cents, purchase.currency) == ("9400100000000000000000", 546, "USD")
    assert (purchase.refund, purchase.is_taken_back, purchase.readable) == (VoidState.submitted, True, True)


def test_both_ends_of_the_list_are_always_named() -> None:
    _ids, (path,) = listing(page())
    assert "purchased=" in path
    assert "page_size=100" in path
    assert "start_datetime=" in path
    assert "end_datetime=" in path


def test_pages_follow_each_other_to_the_end() -> None:
    ids, paths = listing(page(entry(3, NOW), entry(2, NOW), more=True), page(entry(1, NOW)))
    assert ids == ["shp_3", "shp_2", "shp_1"]
    assert "before_id=" not in paths[0]
    assert "before_id=shp_2" in paths[1]


def test_a_long_time_is_asked_for_in_windows_that_leave_out_nothing_and_repeat_nothing() -> None:
    border = NOW + timedelta(days=1) - timedelta(days=27)
    around = [entry(2, border + timedelta(minutes=1)), entry(1, border - timedelta(minutes=1))]
    ids, paths = listing(page(entry(3, NOW), *around), page(*around), page(), since=NOW - timedelta(days=60))
    assert ids == ["shp_3", "shp_2", "shp_1"]
    assert len(paths) == 3


def test_a_carrier_that_ignores_the_dates_is_not_read_to_the_beginning_of_time() -> None:
    ids, paths = listing(page(entry(2, NOW), entry(1, NOW - timedelta(days=400)), more=True))
    assert ids == ["shp_2"]
    assert len(paths) == 1


def test_what_was_not_bought_is_left_out() -> None:
    assert listing(page(created(id="shp_2", created_at=NOW.isoformat()), entry(1, NOW)))[0] == ["shp_1"]


@pytest.mark.parametrize(
    "changes",
    [{"selected_rate": None}, {"tracking_code": None}, {"refund_status": "odd"}, {"refund_status": 7}],
)
def test_an_entry_that_says_too_little_is_listed_as_unreadable(changes: dict[str, Any]) -> None:
    carrier = Listing(page(entry(1, NOW, **changes)))
    try:
        (purchase,) = adapter(carrier).list_purchases(SINCE, timeout=5).purchases
    finally:
        carrier.close()
    assert not purchase.readable


@pytest.mark.parametrize(
    "reply",
    [
        answer({}),
        answer({"shipments": []}),
        answer({"shipments": {}, "has_more": False}),
        answer({"shipments": ["shp_1"], "has_more": False}),
        page(more=True),
        page(bought()),
        page(bought(id=None, created_at=NOW.isoformat())),
        answer([]),
    ],
)
def test_what_is_not_wholly_a_list_is_none(reply: Reply) -> None:
    error = refused(reply)
    assert isinstance(error, Unavailable)
    assert error.code == "UNREADABLE_ANSWER"


def test_a_list_that_goes_in_circles_is_left() -> None:
    assert "circles" in refused(page(entry(1, NOW), more=True), page(entry(1, NOW), more=True)).message


def test_a_page_that_is_refused_says_when_to_come_back() -> None:
    error = refused(refusal(429, "RATE_LIMITED", "Slow down.", None, "Retry-After: 7"))
    assert isinstance(error, Unavailable)
    assert error.retry_after == 7
    assert isinstance(refused(refusal(404, "NOT_FOUND")), Unavailable)


def test_one_purchase_is_told_denied_or_not_found_out() -> None:
    replies = [answer(entry(1, NOW)), refusal(404, "NOT_FOUND"), answer(created(id="shp_1")), answer(entry(2, NOW))]
    carrier = Listing(*replies, refusal(503, "DOWN"), answer({}, 404))
    try:
        easypost = adapter(carrier)
        purchase = easypost.listed_purchase("shp_1", timeout=5)
        assert purchase is not None
        assert purchase.cost_cents == 546
        assert easypost.listed_purchase("shp_1", timeout=5) is None, "denied"
        assert easypost.listed_purchase("shp_1", timeout=5) is None, "not bought"
        with pytest.raises(Unknown, match="another shipment"):
            easypost.listed_purchase("shp_1", timeout=5)
        for _ in range(2):
            with pytest.raises((Unavailable, Unknown)):
                easypost.listed_purchase("shp_1", timeout=5)
    finally:
        carrier.close()


def test_the_sandbox_lists_what_was_bought(sandbox: SandboxProcess) -> None:
    easypost = EasyPost(api_key=KEY, api_base=sandbox.api_base)
    parcel = Parcel(weight=12)
    orders = [Order(reference=f"R{n}", sender=SENDER, recipient=RECIPIENT, parcel=parcel) for n in range(3)]
    prepared = [easypost.prepare(order, timeout=10) for order in orders]
    bought_now = [easypost.buy(orders[n], prepared[n].handle, prepared[n].details, timeout=10) for n in (0, 2)]
    part = easypost.list_purchases(SINCE, timeout=10)
    assert [each.reference for each in part.purchases] == ["R2", "R0"]
    assert part.next_page == ""
    for listed, purchase in zip(part.purchases, reversed(bought_now), strict=True):
        assert listed == easypost.listed_purchase(purchase.purchase_id, timeout=10)
        assert (listed.tracking_number, listed.cost_cents) == (purchase.tracking_number, purchase.cost_cents)
        assert (listed.refund, listed.readable) == (None, True)
    assert easypost.listed_purchase("shp_unknown", timeout=10) is None
    assert easypost.listed_purchase(prepared[1].handle, timeout=10) is None
