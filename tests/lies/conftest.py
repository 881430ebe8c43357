"""The carrier that lies, and this process with the waits of the workers."""

from typing import Any

import pytest

from tests.lies.scene import WAITS
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def liar(adopting: SandboxProcess, settings: Any) -> SandboxProcess:
    """The sandbox, known as a carrier of each guarantee."""
    for name, value in WAITS.items():
        setattr(settings, name, value)
    return adopting
