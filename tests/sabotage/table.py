"""The table of what caught each broken build, on the terminal and in docs/promise.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.sabotage.builds import what_is_broken
from tests.sabotage.playing import Control, Finding, controls
from tests.support.sandbox import SandboxProcess

BEGIN, END = "<!-- sabotage: begin -->", "<!-- sabotage: end -->"


@dataclass(frozen=True, slots=True)
class Played:
    """A control with what its scene came to: for the broken build, and for the sound product."""

    control: Control
    broken: Finding
    sound: Finding

    @property
    def name(self) -> str:
        return self.control.build.__name__

    @property
    def is_caught(self) -> bool:
        """Whether the rule that is broken was found broken, and nothing of the sound product."""
        breach = self.broken.breach
        return breach is not None and breach.rule == self.control.rule and self.sound.breach is None

    @property
    def caught_by(self) -> str:
        """The rule and the check that caught it, in words."""
        if self.sound.breach is not None:
            return f"NOTHING TO BE SAID: its scene breaks the sound product ({self.sound.breach})"
        breach = self.broken.breach
        return str(breach) if breach is not None else "NOT CAUGHT"


def play_all(sandbox: SandboxProcess) -> list[Played]:
    """Every broken build and the sound product, each in every scene."""
    return [
        Played(control, broken=control.play(control.build), sound=control.play(None)) for control in controls(sandbox)
    ]


def as_text(played: Sequence[Played]) -> str:
    """For the terminal: the build, what is broken, what caught it, and after how many moves."""
    lines = []
    for each in played:
        lines.append(f"{each.name}: {what_is_broken(each.control.build)}")
        lines.append(f"    {each.caught_by} (move {len(each.broken.story)})")
    caught = sum(each.is_caught for each in played)
    lines.append(f"{caught} of {len(played)} broken builds were caught.")
    return "\n".join(lines) + "\n"


def as_markdown(played: Sequence[Played]) -> str:
    """The table of docs/promise.md, without the two comments that it stands between."""
    lines = ["| broken build | what is broken | caught by | moves |", "|---|---|---|---|"]
    lines += [
        f"| `{each.name}` | {what_is_broken(each.control.build)} | {each.caught_by} | {len(each.broken.story)} |"
        for each in played
    ]
    return "\n".join(lines) + "\n"


def table_in(page: str) -> str:
    """The table that stands between the two comments of a page. Raises ValueError where they are missing."""
    _before, begin, rest = page.partition(f"{BEGIN}\n")
    table, end, _after = rest.partition(END)
    if not begin or not end:
        raise ValueError("The page has no place for the table.")
    return table
