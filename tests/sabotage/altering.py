"""Putting something else in the place of a part of the product, for as long as a block lasts or for good."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Build = Callable[[], None]

# What stood where, since the innermost `broken` began.
_taken_out: list[tuple[Any, str, Any]] = []


def alter(owner: Any, name: str, value: Any) -> Any:
    """Put a value in the place of an attribute of a module or class; returns what stood there."""
    was = getattr(owner, name)
    _taken_out.append((owner, name, was))
    setattr(owner, name, value)
    return was


@contextmanager
def broken(build: Build) -> Iterator[None]:
    """The product with a fault built in, while the block lasts."""
    began = len(_taken_out)
    try:
        build()
        yield
    finally:
        while len(_taken_out) > began:
            owner, name, was = _taken_out.pop()
            setattr(owner, name, was)
