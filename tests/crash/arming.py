"""Arming a place in the product's code: the process that comes by kills itself there with SIGKILL."""

import functools
import itertools
import os
import signal
import threading
import time
import traceback
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any, NoReturn

from django.db.backends.base.base import BaseDatabaseWrapper

from tests.support.altered import Alteration

# What an armed process writes to its standard error when it comes by, before the names of the product's functions.
SAYING = "dies in: "
PRODUCT = ("shipping.", "recovery.")


class Moment(StrEnum):
    """When, seen from a call of the function that is armed."""

    before = "before"  # it is about to be called
    after = "after"  # it has returned
    during = "during"  # so many seconds after its call, which must last longer
    before_commit = "before_commit"  # it has been called in a transaction that is about to be committed
    after_commit = "after_commit"  # that transaction is committed, and nothing has been done since


@dataclass(frozen=True, slots=True)
class Boundary:
    """A named place to die. `point` is the function as the caller finds it, `package.module:name` or
    `package.module:Class.name`; for a function that another module imports by name that is the importing module.
    `nth`: the call that it happens at, or the return, counted from 1 in one process; `seconds` is for `during` alone.
    """

    name: str
    point: str
    moment: Moment
    nth: int = 1
    seconds: float = 0.0

    def __str__(self) -> str:
        return self.name

    @property
    def alteration(self) -> Alteration:
        """What arms a process that `tests.support.altered` starts."""
        values = asdict(self)
        del values["name"]
        return "tests.crash.arming:arm", values


def die() -> NoReturn:
    """SIGKILL to this very process. Nothing is flushed, closed, rolled back or said."""
    os.kill(os.getpid(), signal.SIGKILL)
    while True:  # the signal may be a moment on its way, and nothing more is to happen
        time.sleep(1)


def arm(*, point: str, moment: str, nth: int = 1, seconds: float = 0.0) -> None:
    """Have this process die at a boundary. Raises AttributeError for a point that is not there."""
    owner, name = find(point)
    function = getattr(owner, name)
    when = Moment(moment)
    first = when in (Moment.before, Moment.during)
    calls = itertools.count(1)

    @functools.wraps(function)
    def armed(*args: Any, **kwargs: Any) -> Any:
        if first and next(calls) == nth:
            _strike(when, seconds)
        result = function(*args, **kwargs)
        # A call that raised does not count.
        if not first and next(calls) == nth:
            _strike(when, seconds)
        return result

    if when in (Moment.before_commit, Moment.after_commit):
        BaseDatabaseWrapper.commit = _last_commit  # type: ignore[method-assign]
    setattr(owner, name, armed)


def _strike(moment: Moment, seconds: float) -> None:
    """The armed call is reached: say in which of the product's functions, innermost first, and die when it is time."""
    callers = (frame for frame, _line in traceback.walk_stack(None))
    named = (f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}" for frame in callers)
    inside = " < ".join(name for name in named if name.startswith(PRODUCT))
    os.write(2, f"{SAYING}{inside}\n".encode())
    match moment:
        case Moment.before | Moment.after:
            die()
        case Moment.during:
            threading.Timer(seconds, die).start()
        case Moment.before_commit | Moment.after_commit:
            # The next COMMIT of this thread is the last thing that this process does, or does not.
            _dying.moment = moment


def find(point: str) -> tuple[Any, str]:
    """The module or class that a point is in, and its name there."""
    module, _colon, path = point.partition(":")
    owner: Any = import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each)
    return owner, name


_dying = threading.local()

_commit = BaseDatabaseWrapper.commit


def _last_commit(self: BaseDatabaseWrapper) -> None:
    moment = getattr(_dying, "moment", None)
    if moment == Moment.before_commit:
        die()
    _commit(self)
    if moment == Moment.after_commit:
        die()
