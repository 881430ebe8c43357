"""What a scene of a POST is: the books before it, the form that a person sends, what it does, and where it can die."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.crash.arming import Boundary, Moment
from tests.crash.clerk import Clerk, Form
from tests.crash.web_stage import CLAIM, Stage
from tests.support.altered import Alteration


class Leaves(Enum):
    """What a death leaves in the books."""

    nothing = "nothing"  # all is as it was before
    all = "all"  # all that was ordered is done
    steps = "steps"  # whole steps of it; the person goes on with the rest
    work = "work"  # all is ordered; workers do the rest
    loss = "loss"  # what came in is lost, and shown as lost; the person brings it once more


@dataclass(frozen=True, slots=True)
class Death:
    """A boundary in a POST, and what a death there leaves."""

    boundary: Boundary
    leaves: Leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One POST. `change` is by how much it moves the facts of the books (`web_books.facts`) when nothing dies, the
    work that it orders included where that is done in the request. With `repeats`, the page offers it once more
    afterwards; `repeated` is by how much the facts move when it is sent again, offered or not. `worker_death` is where
    the worker dies that finishes it; with `goes_on`, once the person has carried the job on.
    """

    name: str
    address: str
    prepare: Callable[[Stage], Any]
    fill: Callable[[Clerk, Any], Form | None]
    change: Mapping[str, int]
    deaths: Sequence[Death]
    repeats: bool = False
    repeated: Mapping[str, int] = field(default_factory=dict)
    finish: Callable[[Stage, Any], None]
    worker_death: Boundary | None = CLAIM
    goes_on: bool = False
    alterations: Sequence[Alteration] = ()

    def __str__(self) -> str:
        return self.name


def around_commit(point: str, *, after: Leaves = Leaves.all) -> list[Death]:
    """Deaths before and after the commit of the first transaction in which a function is called."""
    return [
        Death(Boundary("before its commit", point, Moment.before_commit), Leaves.nothing),
        Death(Boundary("after its commit", point, Moment.after_commit), after),
    ]


# A choice that issues runs: the ticket is in the queue, and nobody has been answered.
QUEUED = Death(Boundary("after its ticket is queued", "shipping.runs:enqueue", Moment.after), Leaves.all)


def put(place: str, value: Any) -> Alteration:
    """Another value for a constant of the product: a smaller chunk, say."""
    return "tests.support.altered:put", {"place": place, "value": value}


def see_through(stage: Stage, job: Any) -> None:
    """Have a job carried on until nothing moves any more."""
    stage.see_through(job)


def nothing_left(_stage: Stage, _subject: Any) -> None:
    """What a scene needs whose order no worker carries out."""
