"""The pace that all processes share, in the books."""

import itertools
import threading
from typing import Any

import pytest
from django.db import connection, connections

from shipping import pace
from shipping.carriers.gate import Permit
from shipping.carriers.registry import get_carrier
from shipping.engine.books import Wishes
from shipping.engine.pacing import Pacer
from shipping.models import Pace
from shipping.models.clock import book_now, local_seconds

pytestmark = pytest.mark.django_db

LIMIT = 20.0


@pytest.fixture(autouse=True)
def anew(settings: Any) -> Any:
    """Carriers with gates of their own, and a limit for one of them."""
    entry = settings.CARRIERS["sandbox"]
    settings.CARRIERS = {
        "sandbox": {**entry, "MAX_REQUESTS_PER_SECOND": 0.0},
        "limited": {**entry, "MAX_REQUESTS_PER_SECOND": LIMIT},
    }
    get_carrier.cache_clear()
    yield
    get_carrier.cache_clear()


def draw(wanted: int, carrier: str = "limited") -> list[Permit]:
    return pace._draw(carrier, LIMIT, wanted)[0]


def most_in_a_second(times: list[float]) -> int:
    return max(sum(1 for each in times if start <= each < start + 1.0) for start in times)


def test_permits_lie_as_far_apart_as_the_limit_says_whoever_draws_them() -> None:
    permits = [permit for _each in range(30) for permit in draw(3)]
    opens = [permit.opens for permit in permits]
    assert len(permits) > 5
    assert most_in_a_second(opens) <= LIMIT
    # The latest moment of each, followed by the earliest of the next ones, is the worst that can come about.
    for index, permit in enumerate(permits):
        within = [each for each in permits[index + 1 :] if each.opens < permit.closes + 1.0]
        assert len(within) + 1 <= LIMIT + 1


def test_permits_are_given_no_further_ahead_than_the_horizon() -> None:
    before = local_seconds()
    last = draw(1000)[-1]
    assert last.opens <= local_seconds() + pace.HORIZON_SECONDS
    assert last.opens >= before
    assert len(draw(1000)) <= 2


def test_two_processes_that_draw_at_once_get_different_moments() -> None:
    first, second = draw(3), draw(3)
    apart = (1.0 + pace.PERMIT_SECONDS) / LIMIT
    assert second[0].opens - first[-1].opens == pytest.approx(apart, abs=apart / 2)


def test_after_a_pause_nobody_has_saved_up_permits() -> None:
    draw(1)
    Pace.objects.update(next_send=book_now() - 3600.0)
    before = local_seconds()
    assert draw(2)[0].opens >= before


def test_a_clock_that_began_anew_blocks_nobody() -> None:
    Pace.objects.create(carrier="limited", next_send=book_now() + 86_400.0, wait_until=book_now() + 86_400.0)
    assert draw(1)
    assert pace.attend("sandbox").paused_for == 0


def test_a_retry_after_is_passed_on_and_heard_by_others() -> None:
    gate = pace.gate_or_open("sandbox")
    gate.tell(30.0)
    pace.attend("sandbox")
    assert gate.told is None
    get_carrier.cache_clear()
    elsewhere = pace.attend("sandbox")
    assert elsewhere is not gate
    assert 0 < elsewhere.paused_for <= 30.0
    assert pace.resting() == ["sandbox"]


def test_a_shorter_retry_after_does_not_cut_a_longer_one_short() -> None:
    for seconds in (30.0, 1.0):
        pace._pass_on("sandbox", seconds)
    assert pace.paused_for("sandbox") > 1.0


def test_a_pause_concerns_its_own_carrier_alone() -> None:
    pace._pass_on("sandbox", 30.0)
    assert pace.attend("limited", 1).paused_for == 0
    assert pace.paused_for("limited") == 0
    assert draw(1)


def test_no_permits_are_given_during_a_pause() -> None:
    pace._pass_on("limited", 30.0)
    assert draw(5) == []
    assert pace.attend("limited", 5).paused_for > 0


def test_whoever_asks_for_days_is_asked_again_after_an_hour() -> None:
    pace._pass_on("sandbox", 7 * 86_400.0)
    assert 0 < pace.paused_for("sandbox") <= pace.LONGEST_WAIT_SECONDS


def test_a_person_may_have_the_carrier_asked_now() -> None:
    pace._pass_on("sandbox", 30.0)
    pace.attend("sandbox")
    pace.lift("sandbox")
    assert pace.attend("sandbox").paused_for == 0


def test_without_a_limit_it_is_one_indexed_read(django_assert_num_queries: Any) -> None:
    pace.attend("sandbox")
    with django_assert_num_queries(1):
        pace.attend("sandbox", 8)


def test_the_engine_sends_no_more_than_there_are_permits_for() -> None:
    pacer = Pacer("limited")
    allowed = pacer.allow(Wishes(preparations=64, errands=8))
    sent = allowed.preparations + allowed.errands
    assert 0 < sent <= LIMIT * pace.HORIZON_SECONDS + 1
    assert min(allowed.preparations, allowed.errands) > 0
    assert pacer.again_at > local_seconds() - 60.0


def test_the_engine_sends_nothing_during_a_pause_and_looks_again_when_it_is_over() -> None:
    pace._pass_on("sandbox", 30.0)
    pacer = Pacer("sandbox")
    assert pacer.allow(Wishes(preparations=8, errands=8, turn_over=True)) == Wishes(turn_over=True)
    assert pacer.again_at > local_seconds()
    assert pacer.pause_of(1.0) is not None
    assert pacer.pause_of(3600.0) is None


def test_with_the_sandboxs_limit_away_nothing_is_held_back() -> None:
    wishes = Wishes(preparations=8, errands=8)
    assert Pacer("sandbox").allow(wishes) is wishes


@pytest.mark.django_db(transaction=True)
def test_threads_that_draw_at_the_same_time_never_get_the_same_moment() -> None:
    found: list[float] = []

    def many() -> None:
        try:
            for _each in range(5):
                found.extend(permit.opens for permit in draw(1))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=many) for _each in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) >= 3
    apart = (1.0 + pace.PERMIT_SECONDS) / LIMIT
    ordered = sorted(found)
    # The books' clock is read a moment before a thread's own.
    assert all(b - a > apart / 2 for a, b in itertools.pairwise(ordered)), connection.vendor
