"""The five benchmarks: what is compared with what, and what counts as reached."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks import kills, peers
from benchmarks.report import Goal, Line
from benchmarks.stage import Stage

CONCURRENCY = 16
LATENCY_SECONDS = 0.05
IDEAL_ROWS_PER_SECOND = CONCURRENCY / LATENCY_SECONDS
NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
ROWS_PER_SECOND = "rows/s"


@dataclass
class Measure:
    """One thing that is measured in every round, or only in the first (`once`): its line of the table, and what gives
    the next value (None where another measure fills this line in).
    """

    line: Line
    take: Callable[[Stage], float] | None
    once: bool = False


@dataclass(frozen=True)
class Size:
    """How large the batches are."""

    rows: int
    peer_rows: int
    growth: tuple[int, ...]
    kills: int


def _ours(  # noqa: PLR0917 (the stage comes last: all else is bound before)
    module: str, kind: str, carrier: str, rows: int, latency: float, stage: Stage
) -> float:
    """Rows per second of the engine or the bare loop. Through HTTP, the label server's own clock tells."""
    stage.ledger.reset(latency)
    with stage.database(kind) as database:
        told = stage.tell(["-m", f"benchmarks.{module}", "--rows", str(rows), "--carrier", carrier], database)
    return stage.ledger.rows_per_second() if carrier == "label_server" else float(told["rows_per_second"])


def _pairs(benchmark: str, carrier: str, rows: int, latency: float = 0.0) -> Iterator[Measure]:
    for kind, name in NAMES.items():
        for module, contender in (("bare_loop", "bare loop"), ("batch", "Onceship")):
            line = Line(benchmark, f"{contender}, {name}", ROWS_PER_SECOND)
            yield Measure(line, partial(_ours, module, kind, carrier, rows, latency))


def overhead(size: Size) -> list[Measure]:
    """1. A carrier that answers at once in the same process."""
    return list(_pairs("1. engine overhead", "instant", size.rows))


def http(size: Size) -> list[Measure]:
    """2. The minimal label server, one POST for each row, and the peers at the same server."""
    found = list(_pairs("2. through HTTP", "label_server", size.rows))
    for peer in peers.available():
        line = Line("2. through HTTP", peer.title, ROWS_PER_SECOND)
        found.append(Measure(line, partial(peers.rows_per_second, peer, size.peer_rows)))
    return found


def latency(size: Size) -> list[Measure]:
    """3. The same with answers that take 50 ms."""
    pairs = _pairs("3. at 50 ms latency", "label_server", size.rows, LATENCY_SECONDS)
    return [measure for measure in pairs if "Onceship" in measure.line.contender]


def recovery(size: Size) -> list[Measure]:
    """4. After a SIGKILL."""
    found = []
    for kind, name in NAMES.items():
        both: dict[str, Any] = {}

        def shown(stage: Stage, kind: str = kind, both: dict[str, Any] = both) -> float:
            stage.ledger.reset(LATENCY_SECONDS)
            with stage.database(kind) as database:
                both.update(stage.tell(["-m", "benchmarks.recovery", "--rows", "3000"], database))
            return float(both["interrupted"])

        def first_row(_stage: Stage, both: dict[str, Any] = both) -> float:
            return float(both["first_row"])

        def reconciled(stage: Stage, kind: str = kind) -> float:
            stage.ledger.reset()
            with stage.database(kind) as database:
                return float(stage.tell(["-m", "benchmarks.recovery", "--in-doubt", "1000"], database)["reconciled"])

        benchmark = "4. recovery"
        found += [
            Measure(Line(benchmark, f"from SIGKILL to “interrupted”, {name}", "s"), shown),
            Measure(Line(benchmark, f"from resume to the first row, {name}", "s"), first_row),
            Measure(Line(benchmark, f"1,000 rows in doubt, {name}", "s"), reconciled),
        ]
    return found + kills.measures(size.kills)


def growth(size: Size) -> list[Measure]:
    """5. The cost of a row in batches of any size, with the carrier that answers at once."""
    return [
        Measure(
            Line("5. growth", f"{rows:,} rows, {name}", ROWS_PER_SECOND),
            partial(_ours, "batch", kind, "instant", rows, 0.0),
        )
        for rows in size.growth
        for kind, name in NAMES.items()
    ]


BENCHMARKS = {"overhead": overhead, "http": http, "latency": latency, "recovery": recovery, "growth": growth}


def goals(lines: list[Line]) -> Iterator[Goal]:
    """What the project set itself, as far as it was measured."""
    medians = {(line.benchmark[0], line.contender): line.median for line in lines if line.values}
    fastest = max((x for (b, c), x in medians.items() if b == "2" and c in peers.TITLES), default=0.0)
    for name in NAMES.values():
        ours, limit = medians.get(("1", f"Onceship, {name}")), medians.get(("1", f"bare loop, {name}"))
        if ours and limit:
            words = f"{ours / limit:.0%}"
            yield Goal(f"overhead, {name}: at least 50 % of the bare loop", ours >= limit / 2, words)
        ours = medians.get(("2", f"Onceship, {name}"))
        if ours and fastest:
            words = f"{ours / fastest:.1f} times"
            yield Goal(f"HTTP, {name}: at least 5 times the fastest peer", ours >= 5 * fastest, words)
        ours = medians.get(("3", f"Onceship, {name}"))
        if ours:
            share = ours / IDEAL_ROWS_PER_SECOND
            yield Goal(
                f"50 ms, {name}: at least 95 % of {IDEAL_ROWS_PER_SECOND:.0f} rows/s", share >= 0.95, f"{share:.0%}"
            )
        for what, seconds in (("from SIGKILL to “interrupted”", 1.0), ("from resume to the first row", 2.0)):
            ours = medians.get(("4", f"{what}, {name}"))
            if ours is not None:
                yield Goal(f"{what}, {name}: under {seconds:g} s", ours < seconds, f"{ours:.2f} s")
        sizes = [x for (b, c), x in medians.items() if b == "5" and c.endswith(name)]
        if len(sizes) > 1:
            share = sizes[-1] / sizes[0]
            yield Goal(f"growth, {name}: the largest batch at least 80 % as fast", share >= 0.8, f"{share:.0%}")
