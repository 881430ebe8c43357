"""The table of what caught each broken build, on the terminal and in docs/promise.md."""

from collections.abc import Sequence

from tests.sabotage.builds import what_is_broken
from tests.sabotage.playing import Control

BEGIN, END = "<!-- sabotage: begin -->", "<!-- sabotage: end -->"


def caught_by(control: Control) -> str:
    """The rule and the check that caught a build, in words."""
    if control.sound.breach is not None:
        return f"NOTHING TO BE SAID: its scene breaks the sound product ({control.sound.breach})"
    breach = control.broken.breach
    return str(breach) if breach is not None else "NOT CAUGHT"


def as_text(controls: Sequence[Control]) -> str:
    """For the terminal: the build, what is broken, what caught it, and after how many moves."""
    lines = []
    for each in controls:
        lines.append(f"{each.name}: {what_is_broken(each.build)}")
        lines.append(f"    {caught_by(each)} (move {len(each.broken.story)})")
    caught = sum(each.is_caught for each in controls)
    lines.append(f"{caught} of {len(controls)} broken builds were caught.")
    return "\n".join(lines) + "\n"


def as_markdown(controls: Sequence[Control]) -> str:
    """The table of docs/promise.md, without the two comments that it stands between."""
    lines = ["| broken build | what is broken | caught by | moves |", "|---|---|---|---|"]
    lines += [
        f"| `{each.name}` | {what_is_broken(each.build)} | {caught_by(each)} | {len(each.broken.story)} |"
        for each in controls
    ]
    return "\n".join(lines) + "\n"


def table_in(page: str) -> str:
    """The table that stands between the two comments of a page. Raises ValueError where they are missing."""
    _before, begin, rest = page.partition(f"{BEGIN}\n")
    table, end, _after = rest.partition(END)
    if not begin or not end:
        raise ValueError("The page has no place for the table.")
    return table
