"""Explore and print: `python -m tests.model [ROWS CRASHES FREEZES CHOICES]`. Ends with 1 when a rule is broken.

First every sabotaged variant, with the trace that caught it; then the sound model for each guarantee.
"""

import sys
import time

from tests.model.explore import Bounds, explore
from tests.model.moves import Rules
from tests.model.sabotage import SABOTAGES

CARRIERS = {
    "exactly once": Rules(exactly_once=True),
    "adopt, else send again": Rules(exactly_once=False),
    "adopt, else ask a person": Rules(exactly_once=False, ask_a_person=True),
}


def say(line: str) -> None:
    """Print a line now, whoever reads it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(bounds: Bounds) -> int:
    """Explore everything within the bounds; returns how many promises were broken, or sabotages not caught."""
    wrong = 0
    for sabotage in SABOTAGES:
        found = explore(sabotage.rules, sabotage.bounds, trace=True)
        wrong += not found.breach
        caught = f"caught by rule {found.breach}" if found.breach else "NOT CAUGHT"
        say(f"sabotaged: {sabotage.name}: {caught}; {len(found.trace)} steps")
        for number, words in enumerate(found.trace, 1):
            say(f"  {number:2} {words}")
    say(f"\n2 workers; at most {bounds}")
    for name, rules in CARRIERS.items():
        began = time.process_time()
        found = explore(rules, bounds)
        wrong += bool(found.breach)
        seconds = time.process_time() - began
        say(
            f"{name}: {found.states:,} states, {found.transitions:,} transitions, depth {found.depth},"
            f" {seconds:.0f} s: {found.breach or 'no rule is broken'}"
        )
        for number, words in enumerate(explore(rules, bounds, trace=True).trace if found.breach else [], 1):
            say(f"  {number:2} {words}")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(Bounds(*map(int, sys.argv[1:])))))
