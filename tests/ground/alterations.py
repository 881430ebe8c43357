"""What is altered in a worker so that its database goes away at one exact place of the product's code."""

import functools
import itertools
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper


def lose_commit(*, point: str, committed: bool, nth: int = 1) -> None:
    """The transaction in which the nth call of `point` had a result ends with an error of its COMMIT: after it took
    place (`committed`), or instead. `point` is `package.module:name`, as its caller finds it.
    """
    module_name, _colon, name = point.partition(":")
    module = import_module(module_name)
    lost = threading.local()

    def lose() -> None:
        lost.next = True

    setattr(module, name, _after_nth_result(getattr(module, name), nth, lose))
    commit = BaseDatabaseWrapper.commit

    def losing(self: BaseDatabaseWrapper) -> None:
        if not getattr(lost, "next", False):
            commit(self)
            return
        lost.next = False
        if committed:
            commit(self)
        raise OperationalError("server closed the connection unexpectedly")

    BaseDatabaseWrapper.commit = losing  # type: ignore[method-assign]


def terminate_own_backend(*, point: str, nth: int = 1) -> None:
    """On PostgreSQL: once the nth call of `point` had a result, and before the transaction's next statement, the
    server ends the very connection that it was made on.
    """
    module_name, _colon, name = point.partition(":")
    module = import_module(module_name)
    setattr(module, name, _after_nth_result(getattr(module, name), nth, _terminate))


def _terminate() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        mine = cursor.fetchone()[0]
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            # Waits until it is gone, so that the next statement finds it so.
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])
    finally:
        other.close()


def _after_nth_result(function: Callable[..., Any], nth: int, do: Callable[[], None]) -> Callable[..., Any]:
    calls = itertools.count(1)

    @functools.wraps(function)
    def altered(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if (result or result is None) and next(calls) == nth:
            do()
        return result

    return altered
