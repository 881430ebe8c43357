"""The wire: bounded, with a total deadline of its own, and every error an answer."""

import threading
import time
from typing import Any

import pytest

from shipping.carriers import registry
from shipping.carriers.port import Purchase, Rejected, Unavailable, Unknown, Unsent, VoidAnswer, VoidState
from shipping.engine.letters import Claim, FileOrder, VoidLetter
from shipping.engine.trouble import Trouble
from shipping.engine.wire import Wire
from shipping.models.clock import local_seconds
from tests.engine.letters import claim_letter, purchase
from tests.factories import claim_row, make_job, row_of

pytestmark = pytest.mark.django_db


class SlowCarrier:
    """Answers a purchase when it is let go; counts how many are under way."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.under_way = 0
        self.most = 0
        self.lock = threading.Lock()

    def buy(self, order: Any, handle: str, _details: Any, *, timeout: float) -> Purchase:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.gate.wait(timeout + 10)
        with self.lock:
            self.under_way -= 1
        return Purchase(
            purchase_id=handle,
            reference=order.reference,
            tracking_number="94",
            carrier="USPS",
            service="Priority",
            cost_cents=1,
            currency="USD",
            label_url="",
        )


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> SlowCarrier:
    slow = SlowCarrier()
    monkeypatch.setattr("shipping.engine.wire.get_carrier", lambda _name: slow)
    return slow


def letters(count: int, *, seconds: float = 5.0) -> list[Claim]:
    job = make_job(rows=count)
    found = [claim_letter(claim_row(row_of(job, number))) for number in range(1, count + 1)]
    for letter in found:
        object.__setattr__(letter, "deadline", local_seconds() + seconds)
    return found


def collect(wire: Wire, count: int) -> list[Any]:
    replies: list[Any] = []
    deadline = time.monotonic() + 10
    while len(replies) < count and time.monotonic() < deadline:
        replies += wire.collect(0.1)
    return replies


def test_it_sends_as_many_at_once_as_it_is_wide(carrier: SlowCarrier) -> None:
    wire = Wire(3)
    for letter in letters(3):
        wire.send(letter)
    assert wire.purchases.free == 0
    carrier.gate.set()
    assert len(collect(wire, 3)) == 3
    assert carrier.most <= 3
    assert wire.purchases.free == 3


def test_what_is_overdue_is_unknown_once_and_its_late_answer_still_comes(carrier: SlowCarrier, settings: Any) -> None:
    settings.REQUEST_TIMEOUT_SECONDS = 0.5
    wire = Wire(2)
    (letter,) = letters(1, seconds=0.3)
    wire.send(letter)
    (overdue,) = collect(wire, 1)
    assert isinstance(overdue.outcome, Unknown)
    assert wire.collect(0.2) == []
    assert wire.purchases.free == 2, "a stuck thread does not hold up other purchases"
    carrier.gate.set()
    (late,) = collect(wire, 1)
    assert late.letter is letter
    assert isinstance(late.outcome, Purchase)


def test_stuck_threads_are_replaced_only_up_to_as_many_again(carrier: SlowCarrier, settings: Any) -> None:
    settings.REQUEST_TIMEOUT_SECONDS = 0.5
    wire = Wire(2)
    four = letters(4, seconds=0.4)
    for letter in four[:2]:
        wire.send(letter)
    collect(wire, 2)
    for letter in four[2:]:
        object.__setattr__(letter, "deadline", local_seconds() + 0.4)
        wire.send(letter)
    collect(wire, 2)
    assert wire.purchases.free == 0
    carrier.gate.set()
    collect(wire, 4)
    assert wire.purchases.free == 2


def test_a_claim_with_too_little_time_left_is_returned_unsent(carrier: SlowCarrier) -> None:
    wire = Wire(1)
    (letter,) = letters(1, seconds=-1)
    wire.send(letter)
    replies = collect(wire, 1)
    if isinstance(replies[0].outcome, Unknown):  # noticed as overdue a moment before its thread took it up
        replies = collect(wire, 1)
    assert isinstance(replies[0].outcome, Unsent)
    assert carrier.most == 0


def test_any_error_of_an_adapter_after_the_send_is_unknown_and_told_in_plain_words(
    carrier: SlowCarrier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: Any, **_options: Any) -> Purchase:
        raise KeyError("surprise")

    monkeypatch.setattr(carrier, "buy", broken)
    wire = Wire(1)
    wire.send(letters(1)[0])
    (reply,) = collect(wire, 1)
    assert isinstance(reply.outcome, Unknown)
    assert "the log of the worker tells what" in reply.outcome.message
    assert "KeyError: 'surprise'" in caplog.text


def test_a_carrier_that_is_not_configured_any_more_is_unavailable(settings: Any) -> None:
    registry.get_carrier.cache_clear()
    (letter,) = letters(1)
    settings.CARRIERS = {}
    wire = Wire(1)
    wire.send(letter)
    (reply,) = collect(wire, 1)
    registry.get_carrier.cache_clear()
    assert isinstance(reply.outcome, Unavailable)


def test_trouble_backs_off_obeys_the_carrier_and_ends_with_a_definite_answer(settings: Any) -> None:
    settings.HALT_AFTER_SECONDS = 0.2
    trouble = Trouble()
    trouble.note(Unavailable("429", "Slow down.", retry_after=0.15))
    assert 0.1 < trouble.wait_until - local_seconds() <= 0.15
    assert trouble.lasting
    assert not trouble.too_long()
    trouble.note(Unknown("X", "?"))
    assert trouble.failures == 1, "sent before the wait began: the same trouble"
    time.sleep(0.21)
    assert trouble.too_long()
    trouble.note(Unsent("S", "not sent"))
    assert trouble.lasting
    trouble.note(Rejected("R", "no"))
    assert not trouble.lasting
    assert not trouble.waiting


def test_the_answer_of_a_purchase_belongs_to_its_letter(carrier: SlowCarrier) -> None:
    carrier.gate.set()
    wire = Wire(2)
    two = letters(2)
    for letter in two:
        wire.send(letter)
    for reply in collect(wire, 2):
        assert reply.outcome.purchase_id == reply.letter.handle == purchase(reply.letter).purchase_id


def test_what_waits_in_line_is_sent_when_a_thread_is_free_and_can_be_taken_back_before(carrier: SlowCarrier) -> None:
    wire = Wire(1)
    three = letters(3)
    assert wire.purchases.room(in_line=2) == 3
    for letter in three:
        wire.send(letter)
    assert wire.purchases.room(in_line=2) == 0
    while not carrier.under_way:
        time.sleep(0.01)
    wire.purchases.recall()
    assert {reply.letter.number: type(reply.outcome) for reply in collect(wire, 2)} == {2: Unsent, 3: Unsent}
    wire.send(three[1])
    carrier.gate.set()
    assert [reply.letter for reply in collect(wire, 2)] == three[:2]
    assert carrier.most == 1
    assert wire.purchases.free == 1


def test_what_is_overdue_in_line_was_not_sent(carrier: SlowCarrier, settings: Any) -> None:
    settings.REQUEST_TIMEOUT_SECONDS = 0.5
    wire = Wire(1)
    first, second = letters(2, seconds=5.0)
    object.__setattr__(second, "deadline", local_seconds() + 0.2)
    wire.send(first)
    while not carrier.under_way:
        time.sleep(0.01)
    wire.send(second)
    (reply,) = collect(wire, 1)
    assert (reply.letter, type(reply.outcome)) == (second, Unsent)
    carrier.gate.set()
    assert [reply.letter for reply in collect(wire, 1)] == [first]
    assert carrier.most == 1


def test_after_any_answer_but_a_good_one_nothing_is_sent_until_it_was_collected(
    carrier: SlowCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def busy(_order: Any, handle: str, _details: Any, *, timeout: float) -> Purchase:
        asked.append(handle)
        carrier.gate.wait(10)
        raise Unavailable("429", "Slow down.", retry_after=3.0)

    monkeypatch.setattr(carrier, "buy", busy)
    wire = Wire(1)
    three = letters(3)
    for letter in three[:2]:
        wire.send(letter)
    while not asked:
        time.sleep(0.01)
    carrier.gate.set()
    while wire.purchases.waiting:
        time.sleep(0.01)
    wire.send(three[2])
    outcomes = {reply.letter.number: type(reply.outcome) for reply in collect(wire, 3)}
    assert outcomes == {1: Unavailable, 2: Unsent, 3: Unsent}
    assert asked == [three[0].handle]
    wire.send(three[1])
    collect(wire, 1)
    assert asked == [three[0].handle, three[1].handle]


def test_an_errand_that_fails_takes_no_other_errand_back(carrier: SlowCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_purchase_id: str, *_told: Any, timeout: float) -> Any:
        carrier.gate.wait(timeout)
        raise Rejected("no_file", "There is no such file.")

    voided = VoidAnswer(state=VoidState.submitted)
    monkeypatch.setattr(carrier, "fetch_label", refused, raising=False)
    monkeypatch.setattr(carrier, "void", lambda *_told, **_more: voided, raising=False)
    wire = Wire(1, errands=1)
    order = FileOrder(job_id=1, carrier="slow", label_id=1, purchase_id="lbl_1", label_url="", file_name="x.pdf")
    void = VoidLetter(job_id=1, carrier="slow", label_id=2, purchase_id="lbl_2")
    wire.send(order)
    wire.send(void)
    carrier.gate.set()
    outcomes = {type(reply.letter): reply.outcome for reply in collect(wire, 2)}
    assert isinstance(outcomes[FileOrder], Rejected)
    assert outcomes[VoidLetter] == voided
