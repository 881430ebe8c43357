"""The web server of `make run`, as a process of its own on the test's database."""

import http.client
import socket
from contextlib import closing
from pathlib import Path

from tests.support.processes import ChildProcess, CommandProcess, wait_until

HOST = "127.0.0.1"
START_SECONDS = 60
# This process lets Django's ORM run inside Playwright's event loop; the product has to do without.
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.browser.site_settings", "DJANGO_ALLOW_ASYNC_UNSAFE": ""}


class WebServer(ChildProcess):
    """waitress with the whole site; what it writes goes to a file."""

    def __init__(self, log: Path, **extra: str) -> None:
        """`extra` are environment variables, SANDBOX_URL above all. Listens on a free port once it has started."""
        with socket.create_server((HOST, 0)) as free:
            self.port: int = free.getsockname()[1]
        self.log = log
        arguments = ["-m", "waitress", f"--listen={HOST}:{self.port}", "--threads=8"]
        super().__init__([*arguments, "shipping.project.wsgi:application"], {**SETTINGS, **extra}, log=log)

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:1234`."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Collect the static files, start, and wait until it answers. Raises AssertionError when it doesn't."""
        with CommandProcess("collectstatic", "--no-input", "--verbosity=0", **SETTINGS) as collect:
            assert collect.wait(START_SECONDS) == 0, "the static files could not be collected"
        super().start()
        wait_until(self._answers, START_SECONDS, what="an answer of the web server")

    def last_words(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text()[-4000:]

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the web server ended: {self.last_words()}"
        try:
            with closing(http.client.HTTPConnection(HOST, self.port, timeout=5)) as connection:
                connection.request("GET", "/login/")
                return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
