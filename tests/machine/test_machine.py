"""No moves that Hypothesis draws break the promise; and it finds broken builds by itself, where scenes were not written
for it. How many examples, for each kind of carrier: MACHINE_EXAMPLES.
"""

import os

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.promise import Breach
from tests.machine.rules import CARRIERS, EXACTLY_ONCE, machine_for, play_settings
from tests.sabotage import choosing, claiming, settling
from tests.sabotage.altering import Build, broken

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "10"))


@pytest.mark.parametrize("carrier", CARRIERS)
def test_no_drawn_moves_break_the_promise(carrier: str) -> None:
    # Always the same examples; `python -m tests.machine` plays others, and more.
    machine = machine_for(CARRIERS[carrier])
    run_state_machine_as_test(machine, settings=play_settings(EXAMPLES, 40, derandomize=True))
    # It has gone somewhere.
    assert machine.tally.charges > machine.tally.examples / 2
    assert machine.tally.moves > 10 * machine.tally.examples


@pytest.mark.parametrize(
    "build",
    [
        claiming.claim_after_money,
        claiming.resend_when_unanswered,
        settling.doubt_means_no,
        settling.lost_answer_means_no,
        choosing.choice_without_a_fence,
    ],
)
def test_drawn_moves_find_a_broken_build(build: Build) -> None:
    with broken(build), pytest.raises(Breach):
        run_state_machine_as_test(
            machine_for(EXACTLY_ONCE), settings=play_settings(60, 40, derandomize=True, shrink=False)
        )
