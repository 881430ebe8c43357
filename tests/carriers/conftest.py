from collections.abc import Iterator

import pytest

from tests.carriers.scripted import ScriptedCarrier, scripted_carrier


@pytest.fixture
def carrier() -> Iterator[ScriptedCarrier]:
    with scripted_carrier() as running:
        yield running
