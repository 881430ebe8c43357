"""A PostgreSQL cluster of a test's own, which may be stopped, broken and started again."""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import pytest

from tests.support.processes import ROOT

HOST = "127.0.0.1"
USER = "onceship"
START_SECONDS = "120"


def programs() -> Path | None:
    """The folder of PostgreSQL's own programs, which Debian keeps out of PATH; the newest version's."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if places:
        return places[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def owner() -> int:
    """Who the server runs as: it refuses root. Raises KeyError when root has nobody else."""
    return os.geteuid() or pwd.getpwnam("postgres").pw_uid


def need_cluster() -> None:
    """Skip the test where PostgreSQL's programs are not there."""
    with contextlib.suppress(KeyError):
        if programs() is not None and owner():
            return
    pytest.skip("a cluster of one's own needs PostgreSQL's initdb and pg_ctl (and the user postgres for root)")


class Cluster:
    """A context manager; the server runs when the block begins, and is gone when it has ended."""

    def __init__(self, directory: Path) -> None:
        """`directory` is empty and belongs to `owner()`."""
        self.directory = directory
        self.port = 0
        self._password = secrets.token_hex(16)

    def __enter__(self) -> Self:
        password = self.directory / "password"
        password.write_text(f"{self._password}\n")
        shutil.chown(password, owner())
        self._run(
            "initdb", f"--username={USER}", f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale=C", "--no-sync", "--wal-segsize=1",
        )  # fmt: skip
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.is_running():
            self.stop("immediate")

    def start(self) -> None:
        """Start the server, on the port that it had; at first on a free one, which another program may take first."""
        for _try in range(5):
            port = self.port or _free_port()
            options = f"-c listen_addresses={HOST} -c port={port} -c unix_socket_directories= -c fsync=off"
            with contextlib.suppress(subprocess.CalledProcessError):
                log = str(self.directory / "server.log")
                self._run("pg_ctl", "start", "--wait", f"--timeout={START_SECONDS}", "-l", log, "-o", options)
                self.port = port
                return
        raise AssertionError(f"PostgreSQL did not start: {(self.directory / 'server.log').read_text()[-2000:]}")

    def stop(self, mode: str) -> None:
        """Stop it: `fast` says goodbye to its clients, `immediate` is a crash."""
        self._run("pg_ctl", "stop", f"--mode={mode}", f"--timeout={START_SECONDS}")

    def restart(self, mode: str) -> None:
        """Stop and start it."""
        self.stop(mode)
        self.start()

    def is_running(self) -> bool:
        """Whether a server is there, answering or not."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "status")
            return True
        return False

    def place(self, name: str) -> dict[str, Any]:
        """The settings of the database of that name, as Django takes them."""
        return {"HOST": HOST, "PORT": self.port, "USER": USER, "PASSWORD": self._password, "NAME": name}

    def execute(self, statement: str, *, database: str = "postgres") -> None:
        """Run one statement outside of any transaction. Raises psycopg.Error."""
        with psycopg.connect(self._conninfo(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def migrate(self, name: str) -> None:
        """Make a database of that name with our tables in it."""
        self.execute(f'CREATE DATABASE "{name}"')
        url = f"postgres://{USER}:{self._password}@{HOST}:{self.port}/{name}"
        variables = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"], cwd=ROOT, env=variables, check=True, timeout=300
        )

    def _conninfo(self, database: str) -> str:
        return f"host={HOST} port={self.port} user={USER} password={self._password} dbname={database}"

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        assert folder is not None
        # No pipe: the server that pg_ctl starts would keep it open. And not in our folder: its user may not look there.
        subprocess.run(
            [folder / program, "-D", self.directory / "cluster", *arguments],
            cwd=self.directory, user=owner(), group=_group(), extra_groups=[] if os.geteuid() == 0 else None,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=300,
        )  # fmt: skip


@contextmanager
def directory_of_owner() -> Iterator[Path]:
    """A temporary directory that the server's user may enter (pytest's are for their own user alone)."""
    with tempfile.TemporaryDirectory(prefix="onceship-ground-") as name:
        shutil.chown(name, owner())
        yield Path(name)


def _group() -> int | None:
    return pwd.getpwuid(owner()).pw_gid if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as free:
        port: int = free.getsockname()[1]
        return port
