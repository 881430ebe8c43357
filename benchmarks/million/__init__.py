"""One job of a million rows and ten thousand small jobs: how long pages and choices take, and how much memory.

    python -m benchmarks.million [--rows 1000000] [--jobs 10000] [--database URL] [--steps build,pages,...]

The table goes to stdout, the same as JSON to `benchmarks/results/`. Without a database it makes a SQLite file in a
directory of its own; a database that is named must be empty, or hold what an earlier run with `--keep` has built.
"""
