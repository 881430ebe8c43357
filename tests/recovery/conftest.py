"""The job service."""

import pytest

from shipping.services import JobService


@pytest.fixture
def service() -> JobService:
    return JobService()
