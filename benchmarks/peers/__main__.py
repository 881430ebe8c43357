"""`python -m benchmarks.peers MODULE COMMAND ROWS`: one step of a peer's batch."""

import sys
from importlib import import_module

if __name__ == "__main__":
    module, command, rows = sys.argv[1:]
    import_module(f"benchmarks.peers.{module}").main(command, int(rows))
