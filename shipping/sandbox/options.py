"""The options that both ways to start the sandbox carrier share."""

import argparse
from pathlib import Path

RATES_EXPIRE_AFTER_SECONDS = 86_400.0


def add_options(parser: argparse.ArgumentParser, *, default_database: Path) -> None:
    """Add the options to a parser; `default_database` is the file used when none is named."""
    parser.add_argument("--port", type=int, default=8001, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="127.0.0.1; anything else is refused")
    parser.add_argument("--database", type=Path, default=default_database, help="the SQLite file of its books")
    parser.add_argument(
        "--rates-expire-after",
        type=float,
        default=RATES_EXPIRE_AFTER_SECONDS,
        metavar="SECONDS",
        help="for how long a rate can be bought",
    )
