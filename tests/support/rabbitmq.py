"""A RabbitMQ node of a test's own: own port, own data, own name service, no system service. It may be killed and
started again on the same port and data.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from kombu.connection import Connection

HOST = "127.0.0.1"
_PORTS = range(20_000, 32_000)
_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
_NO_RABBITMQ = "no RabbitMQ (on Debian: apt-get install rabbitmq-server)"


def programs() -> tuple[str, str] | None:
    """RabbitMQ's start script, and Erlang's epmd. What Debian puts into PATH serves only the system's node."""
    places = sorted(Path("/usr/lib/rabbitmq/lib").glob("*/sbin/rabbitmq-server"))
    server = str(places[-1]) if places else shutil.which("rabbitmq-server")
    epmd = shutil.which("epmd")
    return (server, epmd) if server and epmd else None


def need_rabbitmq() -> None:
    """Skip the test where RabbitMQ is not there; in CI it fails."""
    if programs() is None:
        if os.environ.get("CI"):
            pytest.fail(_NO_RABBITMQ)
        pytest.skip(_NO_RABBITMQ)


class RabbitMQ:
    """A context manager; the node takes connections when the block begins, and is gone when it has ended."""

    def __init__(self, directory: Path) -> None:
        """`directory` holds its data, log and cookie."""
        self.directory = directory
        self.port, self._distribution_port, self._names_port = _free_ports(3)
        self._names: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        found = programs()
        assert found is not None, _NO_RABBITMQ
        self._server, epmd = found
        (self.directory / "plugins").write_text("[].\n")
        (self.directory / "environment").write_text("")
        # In the foreground and ours: else the node would start one that outlives it.
        self._names = subprocess.Popen([epmd], env=self._environment(), stdout=subprocess.DEVNULL)
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._node is not None:
            self.kill()
        if self._names is not None:
            self._names.kill()
            self._names.wait(_STOP_SECONDS)

    @property
    def url(self) -> str:
        """Where workers find it."""
        return f"amqp://guest:guest@{HOST}:{self.port}//"

    def start(self) -> None:
        """Start the node and wait until it takes connections. Raises AssertionError when it doesn't."""
        assert self._node is None, "the node runs already"
        log = (self.directory / "node.log").open("ab")
        with log:
            self._node = subprocess.Popen(
                [self._server], env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        ends_at = time.monotonic() + _START_SECONDS
        while not self._answers():
            running = self._node.poll() is None and time.monotonic() < ends_at
            assert running, f"RabbitMQ did not start: {self.log()[-3000:]}"
            time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL, as a power cut, and wait until it is gone."""
        assert self._node is not None
        self._node.kill()
        self._node.wait(_STOP_SECONDS)
        self._node = None

    def is_running(self) -> bool:
        """Whether the node is there, answering or not."""
        return self._node is not None

    def freeze(self) -> None:
        """Let it take connections and answer nothing, until `thaw` or `kill`."""
        assert self._node is not None
        self._node.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._node is not None
        self._node.send_signal(signal.SIGCONT)

    def log(self) -> str:
        """What the node wrote since it was first started."""
        return (self.directory / "node.log").read_text()

    def purge(self, queue: str) -> int:
        """Throw away all tickets that wait in a queue; returns how many."""
        with Connection(self.url) as connection:
            return int(connection.default_channel.queue_purge(queue))

    def delete(self, queue: str) -> None:
        """Delete a queue, with what is in it."""
        with Connection(self.url) as connection:
            connection.default_channel.queue_delete(queue)

    def depth(self, queue: str) -> int:
        """How many tickets wait in a queue."""
        with Connection(self.url) as connection:
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True

    def _environment(self) -> dict[str, str]:
        place = self.directory
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(place),
            "ERL_CRASH_DUMP": str(place / "crash.dump"),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_CONF_ENV_FILE": str(place / "environment"),
            "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(place / "data"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_NODENAME": f"onceship-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            # So that the script becomes the node, whose process id is then the one that was started.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
        }


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, below those that the system gives to whoever connects: the node is killed and comes
    back on the same one.
    """
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            break
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            found.append(port)
    assert len(found) == count, "no free ports"
    return found
