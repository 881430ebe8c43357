"""The cast of three (the owner of a job, a colleague with the same rights, an outsider with none), and the carrier."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from shipping.carriers.registry import get_carrier
from tests.factories import make_clerk
from tests.support.by_reference import carriers
from tests.support.processes import SHORT_WAITS
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def clerk(db: None) -> User:
    """The clerk whose job it is; may do everything with jobs."""
    return make_clerk("clerk")


@pytest.fixture
def colleague(db: None) -> User:
    """Another clerk with the same rights."""
    return make_clerk("colleague")


@pytest.fixture
def outsider(db: None) -> User:
    """Somebody who may sign in and has no rights at all."""
    return User.objects.create_user("outsider", password="outsider")


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
def adopting(sandbox: SandboxProcess, settings: Any) -> SandboxProcess:
    """The sandbox, known to this process as carriers of the guarantee *adopt or ask*, too (`ASKS_A_PERSON` and
    `SENDS_AGAIN` of `tests.support.by_reference`, which also has what a child process needs).
    """
    settings.CARRIERS = {**settings.CARRIERS, **carriers(sandbox.api_base)}
    return sandbox
