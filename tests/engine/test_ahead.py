"""How many purchases wait in line: more while a carrier is quick, none after a bad answer, never too many."""

import pytest

from shipping.engine.ahead import Ahead

ROWS_OF_A_TRANSACTION = 1_000


def test_more_wait_step_by_step_while_answers_come_in_quickly() -> None:
    ahead = Ahead(width=16, runs=4)
    found = []
    for bought in (16, 32, 48, 64, 64):
        ahead.note(answered=bought, bought=bought)
        found.append(ahead.rows)
    assert found == [16, 32, 48, 48, 48]


def test_of_a_slow_carrier_only_a_few_wait() -> None:
    ahead = Ahead(width=16, runs=4)
    for _each in range(5):
        ahead.note(answered=1, bought=1)
    assert ahead.rows == 2


def test_any_other_answer_has_none_wait() -> None:
    ahead = Ahead(width=16, runs=4)
    ahead.note(answered=16, bought=16)
    ahead.note(answered=20, bought=19)
    assert ahead.rows == 0


def test_what_was_no_answer_to_a_purchase_changes_nothing() -> None:
    ahead = Ahead(width=16, runs=4)
    ahead.note(answered=16, bought=16)
    ahead.note(answered=0, bought=0)
    assert ahead.rows == 16


@pytest.mark.parametrize("width", [1, 2, 8, 16, 33, 64])
@pytest.mark.parametrize("runs", [1, 4, 15])
def test_the_deaths_of_all_runs_are_noted_in_one_transaction(width: int, runs: int) -> None:
    ahead = Ahead(width, runs)
    for _each in range(50):
        ahead.note(answered=1_000, bought=1_000)
    held = 2 * runs * (width + ahead.rows)
    alone = 2 * runs * width
    assert ahead.rows <= 3 * width
    # Where the width alone comes to more, nothing waits.
    assert held <= ROWS_OF_A_TRANSACTION or (ahead.rows == 0 and held == alone)
