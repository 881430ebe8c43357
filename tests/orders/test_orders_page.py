"""What docs/orders.md says, held against the code."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management.base import BaseCommand

from shipping.management.commands.import_orders import Command
from shipping.orders.checking import KEPT_ERRORS
from shipping.orders.columns import COLUMNS, recognise
from shipping.orders.importer import CHUNK_ROWS

PAGE = (Path(settings.BASE_DIR) / "docs" / "orders.md").read_text("utf-8")
COLUMN_TABLE = re.findall(r"^\| ((?:`[a-z_0-9]+` ?)+)\| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE)


def documented_names() -> list[tuple[str, str]]:
    """Each other name of a column that the page gives, with the column."""
    return [
        (columns.strip().strip("`"), name.strip())
        for columns, names in COLUMN_TABLE
        if " " not in columns.strip()
        for name in names.split(", ")
    ]


def test_every_column_is_documented() -> None:
    documented = [name for columns, _names in COLUMN_TABLE for name in re.findall(r"[a-z_0-9]+", columns)]
    assert sorted(documented) == sorted(COLUMNS)
    assert len(documented_names()) > 50


@pytest.mark.parametrize(("column", "name"), documented_names())
def test_every_documented_name_is_known(column: str, name: str) -> None:
    recognised = recognise(name)
    assert recognised is not None
    assert recognised.column == column


def test_every_option_is_documented() -> None:
    """Options of the command itself; those that Django gives every command are not on the page."""
    every = set(BaseCommand().create_parser("manage.py", "any").format_help().split())
    ours = set(re.findall(r"--[a-z-]+", Command().create_parser("manage.py", "import_orders").format_help()))
    ours = {option for option in ours if not any(option in word for word in every)}
    assert {"--name", "--skip-bad"} < ours
    assert ours == set(re.findall(r"--[a-z][a-z-]+", PAGE.partition("## `import_orders`")[2].partition("**Killed")[0]))


def test_the_documented_numbers_are_the_real_ones() -> None:
    assert f"the first {KEPT_ERRORS:,} in\nfull" in PAGE
    assert f"Rows go in by {CHUNK_ROWS} at most per transaction" in PAGE
