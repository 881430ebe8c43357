"""`make demo` and `make run` as people start them, with processes that really die."""

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

BOUND_SECONDS = 180
READY = re.compile(r"Ready: http://127\.0\.0\.1:(\d+)/")


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def environment(port: int, sandbox_port: int) -> dict[str, str]:
    """A shell in which a real installation's settings are exported; the tests' own settings module left out."""
    left_out = {"DJANGO_SETTINGS_MODULE", "SECRET_KEY", "DATABASE_URL", "MEDIA_ROOT", "HTTPS", "TEST_DIRECTORY"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PORT": str(port), "SANDBOX_PORT": str(sandbox_port)}


class Site:
    """A running `make demo` or `make run`, and what it printed."""

    def __init__(self, module: str, directory: Path, variables: dict[str, str]) -> None:
        self.directory = directory
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"shipping.project.{module}", "--directory", str(directory)],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in self.process.stdout)

    def wait_for(self, condition: Callable[[], bool], seconds: float = BOUND_SECONDS) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < until, self.lines
            time.sleep(0.1)

    def wait_until_ready(self) -> None:
        self.wait_for(lambda: any(READY.match(line) for line in self.lines))

    def children(self) -> dict[int, str]:
        """The children that live, by process id, with their command lines."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid:
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self._reader.join(timeout=10)
        return code

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=10)
        self._reader.join(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def site(module: str, directory: Path, variables: dict[str, str]) -> Iterator[Site]:
    running = Site(module, directory, variables)
    try:
        yield running
    finally:
        running.clean_up()


def query(directory: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(directory / "onceship.sqlite3", timeout=10)) as database:
        return database.execute(sql).fetchall()


def assert_gone(pids: dict[int, str]) -> None:
    until = time.monotonic() + 20
    while left := {pid: command for pid, command in pids.items() if Path(f"/proc/{pid}").exists()}:
        assert time.monotonic() < until, f"left behind: {left}"
        time.sleep(0.1)


def get(port: int, path: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


HOW_IT_STANDS = """
    SELECT status, total_rows, (SELECT count(*) FROM shipping_run), (SELECT sum(claims) FROM shipping_row)
    FROM shipping_job
"""


def numbers_shown(demo: Site) -> tuple[int, int]:
    """Labels bought and rows in doubt, as the demo printed them."""
    shown = re.search(r"^Interrupted: (\d+) of 200 bought, (\d+) in doubt", "\n".join(demo.lines), re.MULTILINE)
    assert shown, demo.lines
    return int(shown[1]), int(shown[2])


def page_as_clerk(demo: Site, port: int, path: str) -> str:
    """A page, for the clerk who signs in with the password that the demo printed."""
    password = demo.lines[-1].rpartition(" / ")[2].removesuffix(")")
    with requests.Session() as browser:
        login = f"http://127.0.0.1:{port}/login/"
        browser.get(login, timeout=10).raise_for_status()
        form = {"username": "clerk", "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post(login, form, timeout=10).raise_for_status()
        page = browser.get(f"http://127.0.0.1:{port}{path}", timeout=10, allow_redirects=False)
    assert page.status_code == 200
    return page.text


def manage_in_a_shell(directory: Path, *arguments: str) -> None:
    """Run `manage.py` as the README says: read the site's environment file first."""
    script = '. "$1/env"; shift; exec "$@"'
    subprocess.run(
        ["/bin/sh", "-c", script, "sh", str(directory), sys.executable, "manage.py", *arguments],
        env={"PATH": os.environ["PATH"]},
        timeout=60,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def charges(sandbox_port: int) -> dict[str, int]:
    """What the sandbox carrier counts."""
    found: dict[str, int] = json.loads(get(sandbox_port, "/__sandbox/stats")[1])
    return found


def test_the_demo_leaves_an_interrupted_job_to_be_decided_and_no_process_behind(tmp_path: Path) -> None:
    port, sandbox_port = free_ports()
    variables = environment(port, sandbox_port)
    elsewhere = tmp_path / "elsewhere.sqlite3"
    variables |= {"DATABASE_URL": f"sqlite:///{elsewhere}", "EASYPOST_API_KEY": "EZAK-never-used", "DEBUG": "perhaps"}
    with site("demo", tmp_path / "demo", variables) as demo:
        demo.wait_until_ready()
        assert re.fullmatch(rf"Ready: http://127\.0\.0\.1:{port}/ \(clerk / \S+\)", demo.lines[-1])
        assert re.fullmatch(rf"Admin: http://127\.0\.0\.1:{port}/admin/ \(admin / \S+\)", demo.lines[-2])

        bought, in_doubt = numbers_shown(demo)
        assert 60 <= bought <= 150
        assert in_doubt > 0
        assert not elsewhere.exists()
        assert "resume" in page_as_clerk(demo, port, "/recovery/1/").lower()

        # The new worker may ask about the doubts, but it has neither a run nor a claim.
        undecided = [("running", 200, 1, bought + in_doubt)]
        assert query(demo.directory, HOW_IT_STANDS) == undecided
        time.sleep(3)
        assert query(demo.directory, HOW_IT_STANDS) == undecided
        assert bought <= charges(sandbox_port)["charges"] <= bought + in_doubt

        manage_in_a_shell(demo.directory, "recover", "1", "resume")
        demo.wait_for(lambda: query(demo.directory, "SELECT status FROM shipping_job") == [("completed",)])
        stats = charges(sandbox_port)
        assert (stats["charges"], stats["duplicates"]) == (200, 0)

        children = demo.children()
        assert len(children) == 3, children
        assert demo.stop(signal.SIGINT) == 0
        assert_gone(children)


def test_an_own_site_keeps_its_data_and_shows_passwords_once(tmp_path: Path) -> None:
    variables = environment(*free_ports())
    with site("run", tmp_path, variables) as first:
        first.wait_until_ready()
        assert sum("clerk / " in line or "admin / " in line for line in first.lines) == 2
        assert first.stop(signal.SIGTERM) == 0
    with site("run", tmp_path, environment(*free_ports())) as second:
        second.wait_until_ready()
        assert not any(" / " in line for line in second.lines)
        assert query(tmp_path, "SELECT username FROM auth_user ORDER BY username") == [("admin",), ("clerk",)]
        children = second.children()
        second.stop(signal.SIGHUP)
        assert_gone(children)


def test_an_own_site_ends_as_a_whole_when_one_of_its_processes_dies(tmp_path: Path) -> None:
    with site("run", tmp_path, environment(*free_ports())) as own:
        own.wait_until_ready()
        children = own.children()
        worker = next(pid for pid, command in children.items() if command.endswith("manage.py worker "))
        os.kill(worker, signal.SIGKILL)
        assert own.process.wait(timeout=60) == 1
        assert_gone(children)
    assert f"The worker (pid {worker}) was killed by SIGKILL" in own.lines[-1]


@pytest.mark.parametrize("module", ["demo", "run"])
@pytest.mark.parametrize("name", ["PORT", "SANDBOX_PORT"])
def test_a_port_in_use_is_one_line_and_nothing_is_touched(tmp_path: Path, module: str, name: str) -> None:
    kept = tmp_path / "onceship.sqlite3"
    kept.write_text("precious")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        variables = environment(*free_ports()) | {name: str(port)}
        answer = subprocess.run(
            [sys.executable, "-m", f"shipping.project.{module}", "--directory", str(tmp_path)],
            env=variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert re.fullmatch(rf"Port {port} can't be used \(.+\); choose another with {name}=\.\.\.\n", answer.stderr)
    assert kept.read_text() == "precious"


def test_a_second_demo_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    from shipping.project.local import lock

    (tmp_path / "onceship.sqlite3").write_text("precious")
    with lock(tmp_path), site("demo", tmp_path, environment(*free_ports())) as second:
        assert second.process.wait(timeout=60) == 1
    assert "already" in second.lines[-1]
    assert (tmp_path / "onceship.sqlite3").read_text() == "precious"


def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path) -> None:
    variables = environment(*free_ports()) | {"LEASE_SECONDS": "soon"}
    with site("run", tmp_path, variables) as own:
        assert own.process.wait(timeout=60) == 1
    assert len(own.lines) == 1
    assert "LEASE_SECONDS" in own.lines[0]
