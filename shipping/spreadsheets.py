"""Writing text that came from people into files that spreadsheets open."""

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
