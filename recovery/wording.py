"""How rows and texts of others are written for people at a terminal, in mails and in plans."""

import unicodedata


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 row", "3 rows"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def one_line(text: str) -> str:
    """The text without line breaks and control characters: names come from files and messages from carriers, and
    neither may forge lines or move the cursor of a terminal.
    """
    return " ".join("".join(" " if unicodedata.category(each) in {"Cc", "Zl", "Zp"} else each for each in text).split())
