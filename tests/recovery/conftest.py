"""The job service, and the real sandbox carrier that the engine's tests start too."""

import pytest

from shipping.services import JobService
from tests.engine.conftest import sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]


@pytest.fixture
def service() -> JobService:
    return JobService()
