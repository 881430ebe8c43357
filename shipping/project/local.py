"""A whole site on one's own machine: carrier sandbox, web server and worker, their ports, files and settings."""

import fcntl
import http.client
import json
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from shipping.project.supervisor import Child, SiteError, StopRequested, Supervisor

BASE_DIR = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
DEFAULT_PORT = 8000
DEFAULT_SANDBOX_PORT = 8001
START_SECONDS = 60.0
WEB_THREADS = 8


def say(line: str) -> None:
    """Print a line at once. A terminal that was closed meanwhile is no reason to stop cleaning up."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        # What could not be written is not tried again when Python exits.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


@dataclass(frozen=True, kw_only=True)
class LocalSite:
    """Where a site lives and listens. `settings` are the variables that its processes need."""

    directory: Path
    port: int
    sandbox_port: int
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def environment_file(self) -> Path:
        """What a shell reads (`. var/env`) before `manage.py` is used on this site."""
        return self.directory / "env"

    def variables(self) -> dict[str, str]:
        """The settings of this site's processes."""
        database = quote(str(self.directory / "onceship.sqlite3"))
        return {
            "SECRET_KEY": self._secret_key(),
            "DATABASE_URL": f"sqlite:///{database}",
            "MEDIA_ROOT": str(self.directory / "media"),
            "SANDBOX_URL": f"http://{HOST}:{self.sandbox_port}",
            "HTTPS": "false",
            **self.settings,
        }

    def write_environment_file(self, variables: Mapping[str, str]) -> None:
        """Write down what the site's processes run with, so that a shell that reads it agrees with them."""
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
        with _open_private(self.environment_file) as file:
            file.write("".join(lines))

    def start_sandbox(self, supervisor: Supervisor) -> Child:
        """Start the sandbox carrier and wait until it answers. Raises SiteError."""
        database = str(self.directory / "sandbox.sqlite3")
        child = supervisor.start(
            "sandbox",
            _manage("sandbox", "--port", str(self.sandbox_port), "--database", database),
            os.environ,
        )
        self._wait_for(supervisor, self.sandbox_port, "/__sandbox/stats", "the sandbox carrier to answer")
        return child

    def start_web(self, supervisor: Supervisor) -> Child:
        """Start the web server and wait until it answers. Raises SiteError."""
        child = supervisor.start(
            "web",
            [
                sys.executable,
                "-m",
                "waitress",
                f"--listen={HOST}:{self.port}",
                f"--threads={WEB_THREADS}",
                "shipping.project.wsgi:application",
            ],
            os.environ,
        )
        self._wait_for(supervisor, self.port, "/login/", "the web server to answer")
        return child

    def start_worker(self, supervisor: Supervisor) -> Child:
        """Start a worker and wait for its first sign of life. Raises SiteError."""
        from shipping.models import Worker

        child = supervisor.start("worker", _manage("worker"), os.environ)
        supervisor.wait(
            lambda: Worker.objects.filter(pid=child.pid).exists(),
            seconds=START_SECONDS,
            what="the worker's first sign of life",
        )
        return child

    def tell_sandbox(self, path: str, body: Any) -> None:
        """POST some JSON to the sandbox carrier. Raises SiteError when it refuses."""
        status, answer = _request(self.sandbox_port, "POST", path, json.dumps(body))
        if status >= 300:
            raise SiteError(f"The sandbox carrier refused {path}: {answer}")

    def _wait_for(self, supervisor: Supervisor, port: int, path: str, what: str) -> None:
        def answers() -> bool:
            try:
                status, answer = _request(port, "GET", path)
            except OSError:
                return False
            if status >= 400:
                raise SiteError(f"Waited for {what}, but it says {status} to {path}; see {self.logs}")
            return bool(answer)

        supervisor.wait(answers, seconds=START_SECONDS, what=what)

    def _secret_key(self) -> str:
        path = self.directory / "secret_key"
        if not path.exists():
            with _open_private(path) as file:
                file.write(secrets.token_urlsafe(64))
        return path.read_text()


def serve(run: Callable[[], int]) -> int:
    """Run a command of this package; an error becomes one line and exit code 1, a wish to stop becomes 0."""
    try:
        return run()
    except StopRequested:
        say("Stopped.")
        return 0
    except SiteError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def ports() -> tuple[int, int]:
    """The ports of the web server and the sandbox carrier, from PORT and SANDBOX_PORT, both free.

    Raises SiteError when one is no port, is in use, or both are the same.
    """
    port = _port("PORT", DEFAULT_PORT)
    sandbox_port = _port("SANDBOX_PORT", DEFAULT_SANDBOX_PORT)
    if port == sandbox_port:
        raise SiteError(f"PORT and SANDBOX_PORT are both {port}; they must differ.")
    for name, number in (("PORT", port), ("SANDBOX_PORT", sandbox_port)):
        with socket.socket() as probe:
            # Like the servers themselves: a connection that ended a moment ago does not occupy the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, number))
            except OSError as error:
                raise SiteError(
                    f"Port {number} can't be used ({error.strerror}); choose another with {name}=..."
                ) from None
    return port, sandbox_port


def lock(directory: Path) -> IO[str]:
    """The lock that keeps two supervisors off one directory; held until the file is closed or we die.

    Raises SiteError when another one holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / ".lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise SiteError(f"Another process serves {directory} already; end that one first.") from None
    return file


def set_up_django(variables: Mapping[str, str]) -> None:
    """Make the variables this process's own and its children's, and load the settings. Raises SiteError."""
    os.environ.update(variables)
    # A proxy for the outer world must not be asked for our own machine.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(
        filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), HOST, "localhost"])
    )
    os.environ["DJANGO_SETTINGS_MODULE"] = "shipping.project.settings"
    import django
    from django.core.exceptions import ImproperlyConfigured
    from environs import EnvError

    try:
        django.setup()
    except (EnvError, ImproperlyConfigured) as error:
        raise SiteError(str(error)) from error


def prepare_database_and_static_files() -> None:
    """Check the settings, migrate, and collect what the web server serves as files. Raises SiteError."""
    from django.core.management import CommandError, call_command

    try:
        call_command("check", stdout=StringIO())
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
    except CommandError as error:
        raise SiteError(str(error)) from error


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, str(BASE_DIR / "manage.py"), *arguments]


def _port(name: str, default: int) -> int:
    given = os.environ.get(name) or str(default)
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= 65535:
        raise SiteError(f"{name}={given} is no port; give a number from 1 to 65535.")
    return int(given)


def _open_private(path: Path) -> IO[str]:
    """A new or emptied file that only its owner can read, from its first moment on."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")


def _request(port: int, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    """Status and body. Raises OSError when nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
