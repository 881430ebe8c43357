"""`python -m shipping.sandbox --port N --database PATH`: the sandbox carrier, without Django."""

import argparse
import sys
from pathlib import Path

from shipping.sandbox.options import add_options
from shipping.sandbox.server import StartError, serve


def main() -> None:
    """Read the options and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m shipping.sandbox", description="The sandbox carrier.")
    add_options(parser, default_database=Path("var") / "sandbox.sqlite3")
    options = parser.parse_args()
    try:
        serve(
            port=options.port,
            database=options.database,
            host=options.host,
            rates_expire_after=options.rates_expire_after,
        )
    except StartError as error:
        sys.exit(str(error))


main()
