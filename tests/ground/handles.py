"""Taking the file handles of a running process."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes import ChildProcess


@contextmanager
def no_file_handles(process: ChildProcess) -> Iterator[None]:
    """Whatever the process has open stays open, and it can't open anything more (setrlimit(2), RLIMIT_NOFILE)."""
    assert process.process is not None
    pid = process.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # No new descriptor may be this high, and each lower one is taken or soon will be.
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
