"""From measurements to a table and a JSON file, with the machine, the versions and the date."""

import json
import os
import platform
import sqlite3
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

RESULTS = Path(__file__).parent / "results"


@dataclass
class Line:
    """One line of the table: what was measured, in which unit, once for each round."""

    benchmark: str
    contender: str
    unit: str
    values: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def told(self) -> str:
        digits = 0 if self.median >= 100 else 2
        low, high = min(self.values), max(self.values)
        return f"{self.median:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


@dataclass(frozen=True)
class Goal:
    """A goal of the project, and what came out."""

    words: str
    reached: bool
    found: str


def machine(cluster: str) -> dict[str, str]:
    """What the numbers were measured on, and with."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    system = next((line.partition("=")[2] for line in _lines("/etc/os-release") if line.startswith("PRETTY")), "?")
    with psycopg.connect(cluster) as connection:
        server, fsync = connection.execute(
            "SELECT current_setting('server_version'), current_setting('fsync')"
        ).fetchone() or ("?", "?")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": f"{os.cpu_count()} × {model}",
        "memory": f"{int(memory) / 1024**2:.1f} GiB",
        "system": f"{system.strip().strip(chr(34))}, Linux {platform.release()}",
        "load at the start": f"{os.getloadavg()[0]:.2f}",
        "Python": platform.python_version(),
        "Django": version("django"),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": f"{server}, fsync {fsync}",
        "psycopg": version("psycopg"),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def table(told: dict[str, str], lines: Sequence[Line], goals: Sequence[Goal]) -> str:
    """The whole report as Markdown."""
    words = [f"{name}: {value}  " for name, value in told.items()]
    words += ["", "| benchmark | contender | median (range) | unit | note |", "|---|---|--:|---|---|"]
    words += [f"| {x.benchmark} | {x.contender} | {x.told} | {x.unit} | {x.note} |" for x in lines if x.values]
    words += ["", "| goal | found | |", "|---|---|---|"]
    words += [f"| {each.words} | {each.found} | {'reached' if each.reached else 'missed'} |" for each in goals]
    return "\n".join(words) + "\n"


def write(name: str, told: dict[str, str], lines: Sequence[Line], goals: Sequence[Goal]) -> str:
    """Write both files under `results/`; returns the table."""
    RESULTS.mkdir(exist_ok=True)
    measured: list[dict[str, Any]] = [{**asdict(line), "median": line.median} for line in lines if line.values]
    whole = {"machine": told, "measured": measured, "goals": [asdict(goal) for goal in goals]}
    (RESULTS / f"{name}.json").write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    words = table(told, lines, goals)
    (RESULTS / f"{name}.md").write_text(words)
    return words
