"""Play for as long as one likes: `python -m tests.machine [--examples 300] [--steps 60] [--seed 1] [--no-shrink]
[--broken BUILD]`.

Ends with 1 when a rule is broken, after the shortest moves that Hypothesis found for it. With --broken, a build of
`tests.sabotage` is played instead, and has to be caught with one kind of carrier at least.
"""

import argparse
import sys
import time
from contextlib import nullcontext
from typing import Any

from tests.support.own_database import own_database


def main() -> int:
    """What the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.machine", description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="examples for each kind of carrier (300)")
    parser.add_argument("--steps", type=int, default=60, help="steps of each example, at most (60)")
    parser.add_argument("--seed", type=int, default=1, help="what chance is drawn from (1)")
    parser.add_argument("--no-shrink", action="store_true", help="tell of a breach as it was found, at once")
    parser.add_argument("--broken", help="the name of a broken build, which has to be caught")
    arguments = parser.parse_args()
    with own_database("machine"):
        from tests.machine.rules import CARRIERS

        broken = [_play(name, carrier, number, arguments) for number, (name, carrier) in enumerate(CARRIERS.items())]
    return int(not any(broken) if arguments.broken else any(broken))


def _play(name: str, carrier: dict[str, bool], number: int, arguments: argparse.Namespace) -> bool:
    """Play with one kind of carrier, which is drawn for by its number, too; true when a rule was broken."""
    from hypothesis.errors import FlakyFailure
    from hypothesis.stateful import run_state_machine_as_test

    from tests.machine.promise import Breach
    from tests.machine.rules import CARRIERS, machine_for, play_settings
    from tests.sabotage.altering import broken
    from tests.sabotage.builds import BUILDS

    machine: Any = machine_for(carrier, chance=len(CARRIERS) * arguments.seed + number)
    shrink = not (arguments.broken or arguments.no_shrink)
    chosen = play_settings(arguments.examples, arguments.steps, derandomize=False, shrink=shrink)
    began = time.monotonic()
    found: Breach | None = None
    with broken(BUILDS[arguments.broken]) if arguments.broken else nullcontext():
        try:
            run_state_machine_as_test(machine, settings=chosen)
        except Breach as breach:
            found = breach
        except FlakyFailure as failures:
            # A build that counts something is not broken in the same way twice.
            found = next(each for each in failures.exceptions if isinstance(each, Breach))
    tally, seconds = machine.tally, time.monotonic() - began
    _say(
        f"{name}: {tally.examples:,} examples, {tally.moves:,} moves, {tally.charges:,} charges ({tally.late_charges:,}"
        f" of them through the window of frozen processes), {tally.moves / seconds:.0f} moves a second:"
        f" {found or 'no rule is broken'}"
    )
    for place, words in enumerate(tally.last_broken_story if found else [], 1):
        _say(f"  {place:2} {words}")
    return found is not None


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
