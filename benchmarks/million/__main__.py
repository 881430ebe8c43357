"""`python -m benchmarks.million`: build the books, measure, write the results down."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.million import site

STEPS = ("constants", "pages", "choices", "files")


def main() -> None:
    """Read the options, build what is not there, and run the steps one after the other."""
    options = _options()
    kept = options.directory is not None
    directory = options.directory or Path(tempfile.mkdtemp(prefix="onceship-million-"))
    try:
        site.set_up(directory.resolve(), options.database)
        _run(options, directory.resolve())
    finally:
        if not kept:
            shutil.rmtree(directory, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the big job")
    parser.add_argument("--jobs", type=int, default=10_000, help="small jobs beside it")
    parser.add_argument("--shipped", type=int, default=20_000, help="rows that are bought from the sandbox")
    parser.add_argument("--database", default="", help="URL of an empty database; without, SQLite in --directory")
    parser.add_argument("--directory", type=Path, help="keep everything here; without, a temporary directory")
    parser.add_argument("--steps", default=",".join(STEPS), help="which of %(default)s, in this order")
    parser.add_argument("--results", type=Path, default=site.ROOT / "benchmarks" / "results")
    return parser.parse_args()


def _run(options: argparse.Namespace, directory: Path) -> None:
    from benchmarks.million import build, choices, constants, files, report, scenes
    from shipping.models import Job

    results: dict[str, Any] = {
        "machine": site.machine(),
        "rows": options.rows,
        "jobs": options.jobs,
        "load": os.getloadavg(),
    }
    if not Job.objects.exists():
        sys.stdout.write("Building the books ...\n")
        sys.stdout.flush()
        build.build(options.rows, options.jobs)
    books = build.find()
    steps: dict[str, Callable[[], Any]] = {
        "pages": lambda: scenes.pages_in_all_states(books),
        "constants": lambda: constants.measure(books),
        "choices": lambda: choices.measure(books),
        "files": lambda: files.measure(directory, options.rows, options.shipped),
    }
    for name in options.steps.split(","):
        sys.stdout.write(f"Measuring {name} ...\n")
        sys.stdout.flush()
        results[name] = steps[name]()
        report.write(results, options.results)
    sys.stdout.write(report.table(results))


main()
