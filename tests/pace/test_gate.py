"""The gate of one process: who may pass, and when."""

import threading
import time
from collections.abc import Callable

import pytest

from shipping.carriers.gate import Gate, Permit, now
from shipping.carriers.port import Unsent

SHORT = 0.2
LONG = 30.0


def enter_elsewhere(gate: Gate, at_most: float = LONG) -> tuple[threading.Thread, list[float]]:
    """Enter in a thread of its own; the list gets the moment at which it passed."""
    passed: list[float] = []

    def enter() -> None:
        gate.enter(at_most)
        passed.append(now())

    thread = threading.Thread(target=enter)
    thread.start()
    return thread, passed


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_without_a_limit_everybody_passes_at_once() -> None:
    assert Gate().enter(0.0) < LONG


def test_with_a_limit_nobody_passes_without_a_permit() -> None:
    with pytest.raises(Unsent, match="limit of requests per second") as caught:
        Gate(5).enter(SHORT)
    assert caught.value.code == "NO_PERMIT"


def test_a_permit_lets_one_pass_and_not_before_it_opens() -> None:
    gate = Gate(5)
    opens = now() + SHORT
    gate.stock([Permit(opens, opens + LONG)])
    gate.enter(LONG)
    assert now() >= opens
    with pytest.raises(Unsent):
        gate.enter(SHORT)


def test_a_permit_that_has_lapsed_lets_nobody_pass() -> None:
    gate = Gate(5)
    gate.stock([Permit(now() - 2, now() - 1)])
    assert gate.free == 0
    with pytest.raises(Unsent):
        gate.enter(SHORT)


def test_who_waits_passes_when_permits_come_and_is_counted_until_then() -> None:
    gate = Gate(5)
    threads = [enter_elsewhere(gate) for _each in range(3)]
    wait_for(lambda: gate.waiting == 3)
    assert gate.free == -3
    gate.stock([Permit(now(), now() + LONG) for _each in range(4)])
    for thread, passed in threads:
        thread.join(LONG)
        assert passed
    assert (gate.waiting, gate.free) == (0, 1)


def test_when_the_carrier_has_asked_to_be_left_alone_nobody_passes_before() -> None:
    gate = Gate()
    gate.tell(SHORT)
    until = gate.told
    assert until is not None
    gate.enter(LONG)
    assert now() >= until


def test_who_can_not_wait_for_so_long_is_told_at_once_how_long_it_takes() -> None:
    gate = Gate()
    gate.tell(LONG)
    with pytest.raises(Unsent, match="left alone for another") as caught:
        gate.enter(SHORT)
    assert caught.value.code == "CARRIER_PAUSED"
    assert caught.value.retry_after == pytest.approx(LONG, abs=LONG / 2)


def test_a_pause_holds_with_permits_in_hand_too() -> None:
    gate = Gate(5)
    gate.stock([Permit(now(), now() + LONG)])
    gate.hear(LONG)
    with pytest.raises(Unsent):
        gate.enter(SHORT)


def test_what_others_say_does_not_end_a_pause_that_they_have_not_heard_of() -> None:
    gate = Gate()
    gate.tell(LONG)
    gate.hear(0.0)
    assert gate.paused_for > 0
    told = gate.told
    assert told is not None
    gate.passed_on(told)
    gate.hear(0.0)
    assert gate.paused_for == 0
