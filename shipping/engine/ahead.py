"""How many purchases a run claims beyond those in the air, so that no thread of the wire waits for a commit."""

# No more rows than so many times the width: the last of them would wait so long in line that a carrier which has become
# slow could not answer in time.
WIDTHS_AHEAD = 3
# What all runs of a job together may have claimed; they reserve as many again. If they die at once, one transaction
# notes it on all these rows.
CLAIMED_BY_ALL_RUNS = 500


class Ahead:
    """One run's purchases that may wait in line. `width`: how many it keeps in the air; `runs`: how many may work on
    its job at once.
    """

    def __init__(self, width: int, runs: int) -> None:
        self.rows = 0
        self._width = width
        self._most = max(0, min(WIDTHS_AHEAD * width, CLAIMED_BY_ALL_RUNS // runs - width))

    def note(self, answered: int, bought: int) -> None:
        """Take the answers of one transaction into account, of which so many were good: up to twice as many will be
        wanted during the next one, step by step. Any other answer takes back all that wait, so then none do.
        """
        if bought < answered:
            self.rows = 0
        elif answered:
            self.rows = min(2 * bought, self.rows + self._width, self._most)
