"""Counting what was played."""

from tests.machine.people import Play


class Tally:
    """How much was played: examples, moves, and how often what was out of the ordinary came about."""

    def __init__(self) -> None:
        self.examples = 0
        self.moves = 0
        self.charges = 0
        self.late_charges = 0
        self.last_broken_story: list[str] = []

    def add(self, play: Play) -> None:
        """Count what a play came to."""
        self.examples += 1
        self.moves += len(play.story)
        self.charges += len(play.ledger.charges)
        self.late_charges += sum(charge.late for charge in play.ledger.charges)
        if play.is_broken:
            self.last_broken_story = play.story
