"""What all peers share: which rows there are, and how their books are told."""

import json
import os
import sys
from collections.abc import Iterable

CONCURRENCY = 16
# After so long without a sign a worker counts as dead, where a peer asks for such a time.
STALLED_SECONDS = 5


def references(rows: int) -> list[str]:
    """The rows of the batch; BATCH tells it from others."""
    return [f"{os.environ.get('BATCH', 'B')}-{number:06}" for number in range(1, rows + 1)]


def tell(done: Iterable[str]) -> None:
    """Say which rows the books have as bought."""
    sys.stdout.write(json.dumps(sorted(done)) + "\n")
