"""The engine against the real sandbox carrier over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipping.carriers.registry import get_carrier
from tests.support.processes import SHORT_WAITS
from tests.support.sandbox import SandboxProcess


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite3") as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess, settings: Any) -> Iterator[SandboxProcess]:
    """The sandbox with an empty ledger and no faults; this process's own adapter talks to it, with short waits."""
    sandbox_process.reset()
    for name, value in SHORT_WAITS.items():
        setattr(settings, name, float(value))
    settings.CARRIERS = {
        "sandbox": {
            **settings.CARRIERS["sandbox"],
            "OPTIONS": {"api_key": "EZTK-sandbox", "api_base": sandbox_process.api_base},
        }
    }
    get_carrier.cache_clear()
    yield sandbox_process
    get_carrier.cache_clear()


@pytest.fixture
def sandbox_file(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.sqlite3"
