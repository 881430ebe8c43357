"""Writing text that came from people into files that spreadsheets open, and reading it back."""

import re

# What makes a spreadsheet take a cell for a formula, also as full-width forms; line ends and tabs in front of them
# are passed over by some (OWASP, “CSV Injection”).
_BEGINS_A_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def safe_cell(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula: with an apostrophe in front where it might. Plain
    numbers, negative ones too, stay as they are.
    """
    if _BEGINS_A_FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def plain_text(cell: str) -> str:
    """What `safe_cell` was given: results that come back as orders have lost nothing."""
    return cell[1:] if cell.startswith("'") and safe_cell(cell[1:]) == cell else cell
