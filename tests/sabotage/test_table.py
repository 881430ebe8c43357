"""What a table of broken builds says, and where it stands."""

import pytest

from tests.sabotage.claiming import claim_after_money
from tests.sabotage.playing import Control, Finding
from tests.sabotage.table import BEGIN, END, as_markdown, as_text, table_in


def test_a_build_that_nobody_notices_is_not_called_caught() -> None:
    control = Control(claim_after_money, "1", lambda _build: Finding(None, ("a move", "another")))
    assert not control.is_caught
    assert "NOT CAUGHT (move 2)" in as_text([control])
    assert "0 of 1 broken builds were caught." in as_text([control])
    assert "NOT CAUGHT" in as_markdown([control])


def test_a_table_without_its_place_is_missed() -> None:
    assert table_in(f"text\n{BEGIN}\n| a |\n{END}\ntext\n") == "| a |\n"
    with pytest.raises(ValueError, match="no place"):
        table_in(f"{BEGIN}\n| a |\n")
