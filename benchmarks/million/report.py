"""The results as JSON and as a table."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

GOAL_MS = 100.0
GOAL_MB = 200.0


def write(results: dict[str, Any], directory: Path) -> Path:
    """Write the results of one run down, named by its database and date; returns the file."""
    directory.mkdir(parents=True, exist_ok=True)
    about = results["machine"]
    name = f"million-{about['database'].split()[0]}-{about['date'][:10]}.json"
    path = directory / name
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return path


def table(results: dict[str, Any]) -> str:
    """What was measured, a line for each, the slowest pages by name."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: dict[str, Any]) -> Iterator[str]:
    about = results["machine"]
    machine = f"{about['processor']} × {about['processors']}"
    yield f"{about['date']}  {machine}, {about['database']}, Python {about['python']}"
    for scene, lines in results.get("pages", {}).items():
        if isinstance(lines, list) and scene != "small":
            yield from _pages(scene, lines)
    yield from _different_queries(results.get("pages", {}))
    for name in ("choices", "files", "constants"):
        yield from _values(name, results.get(name, {}))
    if "web_server" in results.get("pages", {}):
        yield from _values("web server", results["pages"]["web_server"])


def _pages(title: str, lines: list[dict[str, Any]]) -> Iterator[str]:
    slow = [line for line in lines if line["p95_ms"] > GOAL_MS]
    worst = max(lines, key=lambda line: line["p95_ms"])
    yield (
        f"\n{title}: {len(lines)} pages, slowest p95 {worst['p95_ms']} ms ({worst['page']}), most queries "
        f"{max(line['queries'] for line in lines)}, over {GOAL_MS:g} ms: {len(slow)}"
    )
    for line in sorted(slow, key=lambda line: -line["p95_ms"]):
        yield f"  {line['p50_ms']:8.1f} {line['p95_ms']:8.1f} ms  {line['queries']:3d} queries  {line['page']}"


def _different_queries(found: dict[str, Any]) -> Iterator[str]:
    """Pages of the big job that make more queries than the same page of a small one."""
    small = {line["page"].split("?")[0]: line["queries"] for line in found.get("small", [])}
    for line in found.get("interrupted", []):
        few = small.get(line["page"].split("?")[0])
        if few is not None and line["queries"] > few:
            yield f"  {line['page']}: {line['queries']} queries, {few} for a small job"


def _values(title: str, found: dict[str, Any]) -> Iterator[str]:
    if found:
        yield f"\n{title}:"
    for name, value in found.items():
        yield f"  {name}: {_short(value)}"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(each)}" for name, each in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "; ".join(_short(each) for each in value)
    return str(value)
