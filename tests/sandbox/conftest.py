"""One sandbox process for each test file, empty at the start of each test; and the vendor's SDK to talk to it."""

from collections.abc import Iterator

import pytest
from easypost.easypost_client import EasyPostClient
from requests.adapters import HTTPAdapter

from tests.support.sandbox import SandboxProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The process that the tests of one file share."""
    with SandboxProcess(tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite3") as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> SandboxProcess:
    """A sandbox with empty books and no faults."""
    process.reset()
    return process


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[EasyPostClient]:
    """The vendor's SDK with a test key, a timeout of 5 s a read, and without its automatic retries."""
    yield from sdk_client(sandbox)


def sdk_client(sandbox: SandboxProcess, timeout: int = 5) -> Iterator[EasyPostClient]:
    """The vendor's SDK for a sandbox; its connections are closed in the end."""
    client = EasyPostClient("EZTK-test", api_base=sandbox.api_base, timeout=timeout)
    client._requests_session.mount(sandbox.url, HTTPAdapter(max_retries=0))
    yield client
    client._requests_session.close()
