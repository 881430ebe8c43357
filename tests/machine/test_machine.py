"""No moves that Hypothesis draws break the promise. How many: MACHINE_EXAMPLES, for each kind of carrier."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.rules import CARRIERS, machine_for

# Always the same examples; `python -m tests.machine` plays others, and more.
PLAYED = settings(
    max_examples=int(os.environ.get("MACHINE_EXAMPLES", "12")),
    stateful_step_count=40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.django_db
@pytest.mark.parametrize("carrier", CARRIERS)
def test_no_drawn_moves_break_the_promise(carrier: str) -> None:
    machine = machine_for(CARRIERS[carrier])
    run_state_machine_as_test(machine, settings=PLAYED)
    # It has gone somewhere.
    assert machine.tally.charges > machine.tally.examples / 2
    assert machine.tally.moves > 10 * machine.tally.examples
