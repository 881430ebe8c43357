"""Ways to break the model on purpose. Each must be caught, or the exploration proves nothing."""

from typing import NamedTuple

from tests.model.explore import Bounds
from tests.model.moves import Rules


class Sabotage(NamedTuple):
    """A broken variant: its name in `Rules.broken`, for which carrier, and how little has to happen to show it."""

    name: str
    bounds: Bounds
    exactly_once: bool = True

    @property
    def rules(self) -> Rules:
        return Rules(exactly_once=self.exactly_once, broken=frozenset({self.name}))


SABOTAGES = (
    Sabotage("claim after money", Bounds(1, 1, 0, 0)),
    Sabotage("epoch read without the lock", Bounds(2, 1, 1, 1)),
    Sabotage("believed before due and quiet", Bounds(1, 1, 0, 0)),
    Sabotage("sent after its due", Bounds(1, 1, 1, 1)),
    Sabotage("sent after its due", Bounds(1, 1, 1, 1), exactly_once=False),
    Sabotage("settle dropped when fenced", Bounds(1, 0, 0, 1)),
    Sabotage("late answer for a newer claim", Bounds(1, 1, 1, 1)),
    Sabotage("handle not pinned", Bounds(1, 1, 1, 1)),
    Sabotage("could not check means no", Bounds(1, 1, 0, 0)),
    Sabotage("cancelled jobs not asked", Bounds(1, 1, 0, 1)),
    Sabotage("restart by status", Bounds(2, 1, 0, 1)),
    Sabotage("restart waits for no answer", Bounds(1, 1, 1, 2), exactly_once=False),
    Sabotage("claims before the sweep is done", Bounds(2, 1, 0, 1)),
    Sabotage("decided before due and quiet", Bounds(1, 1, 0, 0)),
    Sabotage("blind retry", Bounds(1, 0, 0, 0)),
    Sabotage("choice without a trace", Bounds(1, 0, 0, 1)),
    # No broken build, but a promise that no software can keep: the model finds the window that is stated.
    Sabotage("window denied", Bounds(1, 1, 1, 1), exactly_once=False),
    Sabotage("queue brings the dead to life", Bounds(1, 1, 0, 0)),
)
