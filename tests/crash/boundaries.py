"""The register of boundaries at which a worker dies: every flow that a worker works, from its first step to its last.

`Flow` and what it is made of are here; `boundaries_run` has the flows of a run, `boundaries_errands` those that go on
beside one or without it, `boundaries_uploads` the work on files. `test_register` holds them against the code.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from shipping.liveness import Condition
from tests.crash.arming import Boundary, Moment
from tests.crash.scenes import Scene

INTERRUPTED = Condition.interrupted
WAITING = Condition.waiting_for_worker
COMPLETED = Condition.completed
CANCELLED = Condition.cancelled

# The transaction of nearly everything that workers write.
TICK = "shipping.engine.books.tick"


@dataclass(frozen=True, slots=True)
class Place:
    """A boundary, and how the job stands for a person once its only worker died there; None while there is only a file.
    `within`: the function whose transaction it is, where it is one.
    """

    boundary: Boundary
    shown: Condition | None = INTERRUPTED
    within: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """Steps of the workers that belong together: what was there before, and where they are cut off."""

    name: str
    scene: Scene
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One boundary of a flow."""

    flow: str
    scene: Scene
    place: Place

    @property
    def boundary(self) -> Boundary:
        """Where the worker dies."""
        return self.place.boundary

    def __str__(self) -> str:
        return f"{self.flow}: {self.boundary}"


def cases(flows: tuple[Flow, ...]) -> Iterator[Case]:
    """All boundaries of these flows."""
    for flow in flows:
        for place in flow.places:
            yield Case(flow.name, flow.scene, place)


def before(name: str, point: str, shown: Condition | None = INTERRUPTED, *, nth: int = 1) -> Place:
    """Just before a call."""
    return Place(Boundary(name, point, Moment.before, nth=nth), shown)


def after(name: str, point: str, shown: Condition | None = INTERRUPTED, *, nth: int = 1) -> Place:
    """Just after a call."""
    return Place(Boundary(name, point, Moment.after, nth=nth), shown)


def during(name: str, point: str, shown: Condition = INTERRUPTED) -> Place:
    """While a call lasts that a fault of the carrier makes last for a second."""
    return Place(Boundary(name, point, Moment.during, seconds=0.3), shown)


def around_commit(
    what: str,
    point: str,
    shown: Condition | None = INTERRUPTED,
    then: Condition | None = None,
    *,
    nth: int = 1,
    within: str = TICK,
) -> tuple[Place, Place]:
    """On either side of the commit of the transaction that a call is part of, which the function `within` opened;
    `then`: shown after it, where that is another condition than before.
    """
    boundaries = (
        Boundary(f"{what}: before the commit", point, Moment.before_commit, nth=nth),
        Boundary(f"{what}: after the commit", point, Moment.after_commit, nth=nth),
    )
    return Place(boundaries[0], shown, within), Place(boundaries[1], then or shown, within)
