"""What a run of batches counted, and the table of it."""

import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from tests.support.ledger import Comparison


@dataclass(slots=True)
class Tally:
    """Counts over all batches. Times are in seconds, measured only where no other kill or choice came between."""

    began: float = field(default_factory=time.monotonic)
    kills: Counter[str] = field(default_factory=Counter)
    choices: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    forgetful: int = 0
    three_workers: int = 0
    by_reference: int = 0
    rows: int = 0
    bought_rows: int = 0
    comparisons: int = 0
    charges: int = 0
    bought_again: int = 0
    unknown: int = 0
    errors_on_pages: int = 0
    breaches: Counter[str] = field(default_factory=Counter)
    to_interrupted: list[float] = field(default_factory=list)
    to_first_row: list[float] = field(default_factory=list)

    def add(self, found: Comparison) -> None:
        """Count what the comparison at the end of a batch found."""
        self.batches += 1
        self.charges += found.charges
        self.bought_again += found.bought_again
        self.unknown += found.unknown

    def note_breaches(self, found: Comparison) -> None:
        """Count breaches by their kind."""
        for kind, each in found.breaches.items():
            self.breaches[kind] += len(each)

    @property
    def kills_a_minute(self) -> float:
        return self.kills.total() / max(1.0, time.monotonic() - self.began) * 60

    def table(self) -> str:
        """All of it, a line each."""
        kills = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kills.items())) or "none"
        choices = ", ".join(f"{choice} {count}" for choice, count in self.choices.most_common()) or "none"
        lines = {
            "kills (SIGKILL)": f"{self.kills.total()} ({kills})",
            "kills a minute": f"{self.kills_a_minute:.1f}",
            "batches": f"{self.batches} ({self.three_workers} with three workers, {self.forgetful} with a carrier"
            f" that forgets to be idempotent, {self.by_reference} with one that only knows our references)",
            "choices": choices,
            "rows": f"{self.rows} ({self.bought_rows} bought)",
            "charges": str(self.charges),
            "bought again on purpose": f"{self.bought_again} (labels that a confirmed restart named)",
            "comparisons with the ledger": str(self.comparisons),
            "duplicates not confirmed": str(self.breaches["duplicate"]),
            "lost charges": str(self.breaches["lost"]),
            "bought rows without their charge": str(self.breaches["without charge"] + self.breaches["not one charge"]),
            "other breaches": _others(self.breaches),
            "unknown and shown at the end": str(self.unknown),
            "server errors on pages": str(self.errors_on_pages),
            "kill to “interrupted”": _times(self.to_interrupted),
            "choice to the first row shipped": _times(self.to_first_row),
        }
        width = max(map(len, lines))
        return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def _others(breaches: Counter[str]) -> str:
    named = ("duplicate", "lost", "without charge", "not one charge")
    others = [f"{kind} {count}" for kind, count in breaches.items() if kind not in named and count]
    return ", ".join(others) or "0"


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "not measured"
    return f"median {median(seconds):.2f} s, longest {max(seconds):.2f} s ({len(seconds)} measured)"
