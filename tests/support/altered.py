"""A program of the product with something altered in its process first, which the product itself knows nothing of:

    python -m tests.support.altered '["tests.crash.arming:arm", {"point": "..."}]' -- worker
    python -m tests.support.altered '["tests.sabotage.builds:retry_blindly", {}]' -- waitress --listen=...

Each alteration is a function and its keyword arguments, called in order once Django is set up. Then the program runs in
this very process: `waitress` with its arguments, the carrier's `sandbox` (which has no Django), or a command of
`manage.py`.
"""

import json
import runpy
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import django
from django.core.management import execute_from_command_line

Alteration = tuple[str, Mapping[str, Any]]


def program(alterations: Sequence[Alteration], *arguments: str) -> list[str]:
    """What follows `python` to run a program altered."""
    return ["-m", "tests.support.altered", *told(alterations, *arguments)]


def told(alterations: Sequence[Alteration], *arguments: str) -> list[str]:
    """What `main` is told to run a program altered."""
    return [*(json.dumps(each) for each in alterations), "--", *arguments]


def put(*, place: str, value: Any) -> None:
    """An alteration: give a constant of the product, such as `shipping.bulk:CHUNK_JOBS`, another value."""
    module, _colon, name = place.partition(":")
    owner = import_module(module)
    if not hasattr(owner, name):
        raise AttributeError(f"There is no {place}.")
    setattr(owner, name, value)


def main(arguments: Sequence[str]) -> None:
    """Alter this process, then be the program."""
    place = list(arguments).index("--")
    be([json.loads(each) for each in arguments[:place]], arguments[place + 1 :])


def be(alterations: Sequence[Alteration], command: Sequence[str]) -> None:
    """Alter this process, then be the program, until it ends."""
    if command[0] != "sandbox":
        django.setup()
    for name, values in alterations:
        module, _colon, function = name.partition(":")
        getattr(import_module(module), function)(**values)
    if command[0] == "waitress":
        from waitress.runner import run

        run(argv=list(command))
    elif command[0] == "sandbox":
        sys.argv = ["shipping.sandbox", *command[1:]]
        runpy.run_module("shipping.sandbox", run_name="__main__")
    else:
        execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main(sys.argv[1:])
