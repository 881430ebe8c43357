"""Play every broken build and say what caught it: `python -m tests.sabotage [--markdown]`. Ends with 1 when one was not
caught, or when a scene breaks a rule of the sound product.
"""

import argparse
import sys

from tests.support.own_database import own_database


def main() -> int:
    """What the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage", description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/promise.md")
    markdown = parser.parse_args().markdown
    with own_database("sabotage") as directory:
        from tests.sabotage.playing import controls
        from tests.sabotage.table import as_markdown, as_text

        with controls(directory) as played:
            sys.stdout.write(as_markdown(played) if markdown else as_text(played))
            return 0 if all(control.is_caught for control in played) else 1


if __name__ == "__main__":
    sys.exit(main())
