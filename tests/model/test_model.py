"""No state that the model can reach breaks the promise; and each way to break the model is found."""

import pytest

from tests.model.explore import Bounds, explore
from tests.model.moves import Rules
from tests.model.sabotage import SABOTAGES, Sabotage

EXACTLY_ONCE = Rules(exactly_once=True)
SEND_AGAIN = Rules(exactly_once=False)
ASK_A_PERSON = Rules(exactly_once=False, ask_a_person=True)
CARRIERS = pytest.mark.parametrize(
    "rules", [EXACTLY_ONCE, SEND_AGAIN, ASK_A_PERSON], ids=["exactly once", "adopt or send again", "adopt or ask"]
)


@CARRIERS
@pytest.mark.parametrize("bounds", [Bounds(1, 1, 1, 1), Bounds(2, 1, 0, 0)], ids=str)
def test_no_state_breaks_the_promise(rules: Rules, bounds: Bounds) -> None:
    found = explore(rules, bounds)
    told = explore(rules, bounds, trace=True).trace if found.breach else []
    assert not found.breach, "\n".join([found.breach, *told])
    # It has gone somewhere: to rows bought, and back after doubts.
    assert found.states > 10_000
    assert found.transitions > found.states


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: f"{sabotage.name}, {sabotage.rules.exactly_once}")
def test_a_broken_model_is_caught(sabotage: Sabotage) -> None:
    found = explore(sabotage.rules, sabotage.bounds, trace=True)
    assert found.breach, f"Nobody noticed: {sabotage.name}"
    assert 0 < len(found.trace) <= 30
