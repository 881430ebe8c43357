"""What else is altered in a process that is to die, so that it comes by its boundary: functions for
`tests.support.altered`. None of them changes what the product promises.
"""

import functools
import itertools
import os
import signal
from typing import Any, NoReturn

from tests.crash.arming import find


def set_number(*, point: str, number: int) -> None:
    """Give a constant of the product another value, such as fewer rows to a chunk."""
    owner, name = find(point)
    if not isinstance(getattr(owner, name), int):
        raise TypeError(f"{point} is no number.")
    setattr(owner, name, number)


def tell_to_end(*, point: str) -> None:
    """Have the process told to end (SIGTERM) at the first call of a function, which then goes on."""
    owner, name = find(point)
    function = getattr(owner, name)
    calls = itertools.count(1)

    @functools.wraps(function)
    def told(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return function(*args, **kwargs)

    setattr(owner, name, told)


def refuse(*, point: str) -> None:
    """Have a function that writes an answer into the books fail, as a defect of ours would."""
    owner, name = find(point)

    @functools.wraps(getattr(owner, name))
    def refused(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise ValueError("The books don't take this answer.")

    setattr(owner, name, refused)
