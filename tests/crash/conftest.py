"""The stage of the tests in which a web server, a command or the carrier dies."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from tests.crash.web_stage import Stage
from tests.support.nursery import Nursery
from tests.support.sandbox import SandboxProcess


@pytest.fixture(scope="session")
def nursery(
    django_db_setup: None, sandbox_process: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nursery]:
    """What forks the processes of this package: all on the test's database, with the test's carrier."""
    log = tmp_path_factory.mktemp("nursery") / "processes.log"
    settings = {"DJANGO_SETTINGS_MODULE": "tests.settings", "LOG_LEVEL": "WARNING"}
    with Nursery(log, SANDBOX_URL=sandbox_process.url, **settings) as started:
        yield started


@pytest.fixture
def stage(transactional_db: None, nursery: Nursery, sandbox: SandboxProcess, clerk: User) -> Stage:
    """The clerk's browser, and the processes that die under it."""
    return Stage(nursery, sandbox, clerk.username)
