"""What can be wrong with a file of orders."""

from dataclasses import dataclass


class OrderFileError(ValueError):
    """The file as a whole can't be taken; no job was made. The message is a sentence for the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """One thing wrong with one order.

    `row` counts orders from 1, `line` counts lines of the file from 1 (the header included). `column` is the
    file's own header, or our name of a column that the file lacks, or empty when the whole row is meant.
    `value` is what stood there, cut to `SHOWN_LENGTH`.
    """

    row: int
    line: int
    column: str
    message: str
    value: str = ""

    def __str__(self) -> str:
        column = f", {self.column}" if self.column else ""
        value = f" “{self.value}”" if self.value else ""
        return f"Row {self.row} (line {self.line}){column}{value}: {self.message}"


# Longer values are cut in reports: a report is read by people and kept in memory.
SHOWN_LENGTH = 80


def shown(value: str) -> str:
    """A value as reports show it: short, on one line, without characters that a terminal would act on."""
    visible = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in value)
    return visible if len(visible) <= SHOWN_LENGTH else visible[: SHOWN_LENGTH - 1] + "…"
