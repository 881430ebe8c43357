"""A carrier that a test may kill: one with a file of its own."""

from pathlib import Path

import pytest


@pytest.fixture
def sandbox_file(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.sqlite3"
