"""`python -m benchmarks`; see `benchmarks/README.md`. DATABASE_URL names a PostgreSQL cluster; `make bench` has one."""

import argparse
import os
import sys
import time

from benchmarks.measures import BENCHMARKS, Size, goals
from benchmarks.report import machine, write
from benchmarks.stage import Stage


def main() -> int:
    """Measure what the command line asks for, in rounds; everything once in each round, in turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(BENCHMARKS), default=list(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--rows", type=int, default=6_000, help="rows of a batch of Onceship (6000)")
    parser.add_argument("--peer-rows", type=int, default=600, help="rows of a batch of a peer (600)")
    parser.add_argument("--kills", type=int, default=10, help="SIGKILLs in a batch of 1,000 rows (10)")
    parser.add_argument("--largest", type=int, default=10_000, help="the largest batch of the growth (10000)")
    parser.add_argument("--minutes", type=float, default=15.0, help="begin no further round after so many (15)")
    parser.add_argument("--name", default="latest", help="the names of the files under benchmarks/results")
    told = parser.parse_args()
    growth = tuple(rows for rows in (1_000, 10_000, 100_000, 1_000_000) if rows <= told.largest)
    size = Size(rows=told.rows, peer_rows=told.peer_rows, growth=growth, kills=told.kills)
    measures = [measure for name in told.only for measure in BENCHMARKS[name](size)]
    cluster = os.environ["DATABASE_URL"]
    about, ends_at, length = machine(cluster), time.monotonic() + 60 * told.minutes, 0.0
    with Stage(cluster) as stage:
        for number in range(told.rounds):
            if time.monotonic() + length > ends_at:
                break
            length = 0.0
            for measure in measures if number % 2 == 0 else _turned(measures):
                if measure.take is None or (measure.once and measure.line.values):
                    continue
                began = time.monotonic()
                value = measure.take(stage)
                length += 0.0 if measure.once else time.monotonic() - began
                measure.line.values.append(value)
                _say(f"round {number + 1}: {measure.line.benchmark}, {measure.line.contender}: {value:,.2f}")
    lines = [measure.line for measure in measures]
    _say("\n" + write(told.name, about, lines, list(goals(lines))))
    return 0


def _turned(measures: list) -> list:  # type: ignore[type-arg]
    """Every other round begins at the half, so that no contender always follows the same one."""
    half = len(measures) // 2
    return measures[half:] + measures[:half]


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
