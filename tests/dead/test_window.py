"""The measurement of the window measures what it says."""

import pytest

from tests.dead.window import Stopwatch, told


def test_it_counts_only_what_costs_money_and_only_once() -> None:
    stopwatch = Stopwatch()
    create, buy = (b"POST /v2/%s HTTP/1.1\r\n" % path for path in (b"shipments", b"shipments/shp_1/buy"))
    for piece in (buy, b"{}"):
        stopwatch.sent(piece)
    stopwatch.begin()
    for piece in (create, b"{}", buy):
        stopwatch.sent(piece)
    assert stopwatch.microseconds == []
    for piece in (b"{}", buy, b"{}"):
        stopwatch.sent(piece)
    assert len(stopwatch.microseconds) == 1
    assert stopwatch.microseconds[0] > 0


def test_it_tells_median_percentile_and_longest() -> None:
    assert told([float(each) for each in range(1, 102)]) == (
        "101 purchases: median 51 µs, 99th percentile 100 µs, longest 101 µs"
    )


@pytest.mark.parametrize("carrier", ["sandbox", "by_reference_sends_again"])
def test_it_measures_each_purchase(carrier: str, monkeypatch: pytest.MonkeyPatch, adopting: object) -> None:
    from http.client import HTTPConnection

    from shipping.engine import wire
    from tests.dead.window import measure

    # What it attaches to this process goes with the test.
    monkeypatch.setattr(wire, "_deliver", wire._deliver)
    monkeypatch.setattr(HTTPConnection, "send", HTTPConnection.send)
    assert len(measure(carrier, 3)) == 3
