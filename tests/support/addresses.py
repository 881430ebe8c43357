"""Every address of the site, read from its URL patterns, so that a new one is tried without being asked for."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")

# What people and programs put in the place of a number or a word.
ODD = ("0", "-1", "999", "9" * 26, "x", "%00", "1%2F2", "%EF%BC%91", "..")


def patterns() -> dict[str, str]:
    """The route of each of our pages by its full name, as `{"shipping:job": "/jobs/<int:job_id>/"}`."""
    return dict(_patterns(get_resolver().url_patterns, "/", ""))


def _patterns(found: list[Any], prefix: str, namespace: str) -> Iterator[tuple[str, str]]:
    for pattern in found:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                inner = f"{pattern.namespace}:" if pattern.namespace else namespace
                yield from _patterns(pattern.url_patterns, route, inner)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", route


def addresses(examples: Mapping[str, Iterable[Any]], *, odd: bool = False) -> Iterator[str]:
    """Every address with each of the examples for its arguments, or with `odd` with ones that make no sense; one
    argument at a time, the others being their first example.

    Raises AssertionError for an argument that has no examples.
    """
    for name, route in patterns().items():
        arguments = _ARGUMENT.findall(route)
        missing = [argument for argument in arguments if argument not in examples]
        assert not missing, f"{name} ({route}) needs examples for {missing}"
        first = [next(iter(examples[argument])) for argument in arguments]
        yield _filled(route, first)
        for place, argument in enumerate(arguments):
            others = ODD if odd else list(examples[argument])[1:]
            for value in others:
                yield _filled(route, [*first[:place], value, *first[place + 1 :]])


def _filled(route: str, values: Iterable[Any]) -> str:
    left = iter(values)
    return _ARGUMENT.sub(lambda _match: str(next(left)), route)
