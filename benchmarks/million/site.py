"""The processes that are measured, their settings and their memory."""

import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


def set_up(directory: Path, database: str) -> None:
    """Make the settings those of a site of one's own in `directory`, and load Django."""
    from shipping.project.local import LocalSite, prepare_database_and_static_files, set_up_django

    directory.mkdir(parents=True, exist_ok=True)
    site = LocalSite(directory=directory, port=0, sandbox_port=free_port())
    url = database or f"sqlite:///{directory / 'onceship.sqlite3'}"
    set_up_django({**site.variables(), "DATABASE_URL": url, "LOG_LEVEL": "WARNING"})
    prepare_database_and_static_files()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(arguments: Sequence[str], **extra: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python program of the site (`arguments` follow `python`); ended by its id when the block ends."""
    child = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env={**os.environ, **extra})
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)


def memory_mb(pid: int) -> tuple[float, float]:
    """What a process holds in memory now, and the most that it ever held (VmRSS, VmHWM), in MB of 1,000,000 bytes."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _colon, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            found[name] = int(value.split()[0]) * 1024 / 1e6
    return round(found["VmRSS"], 1), round(found["VmHWM"], 1)


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait until the condition is true and return its value. Raises TimeoutError."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise TimeoutError(f"{what} did not come true within {seconds:g} s")


def machine() -> dict[str, Any]:
    """What a number was measured on."""
    import django
    from django.db import connection

    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
        version = cursor.fetchone()[0]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor,
        "processors": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "django": django.get_version(),
        "database": f"{connection.vendor} {version}",
        "own_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
    }
