"""A site on one's own machine: its ports, its files, its settings."""

import os
import shlex
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shipping.project.local import LocalSite, lock, ports, serve
from shipping.project.supervisor import SiteError, StopRequested


@pytest.fixture
def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_ports_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = free_port(), free_port()
    monkeypatch.setenv("PORT", str(expected[0]))
    monkeypatch.setenv("SANDBOX_PORT", str(expected[1]))
    assert ports() == expected


@pytest.mark.parametrize("name", ["PORT", "SANDBOX_PORT"])
def test_a_port_in_use_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket, name: str
) -> None:
    with listener:
        taken = listener.getsockname()[1]
        monkeypatch.setenv("PORT", str(free_port()))
        monkeypatch.setenv("SANDBOX_PORT", str(free_port()))
        monkeypatch.setenv(name, str(taken))
        with pytest.raises(SiteError, match=rf"Port {taken} can't be used \(.+\); choose another with {name}="):
            ports()


@pytest.mark.parametrize("value", ["0", "65536", "http", "-1", "80.5", "٣"])
def test_what_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PORT", value)
    with pytest.raises(SiteError, match=f"PORT={value} is no port"):
        ports()


def test_both_ports_must_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("SANDBOX_PORT", "9000")
    with pytest.raises(SiteError, match="must differ"):
        ports()


def test_two_can_not_serve_one_directory(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(SiteError, match=r"serves .* already"):
        lock(tmp_path)
    lock(tmp_path).close()


def test_the_secret_key_is_made_once_and_private(tmp_path: Path) -> None:
    site = LocalSite(directory=tmp_path, port=1, sandbox_port=2)
    assert site.variables()["SECRET_KEY"] == site.variables()["SECRET_KEY"]
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_a_shell_can_read_the_environment_file(tmp_path: Path) -> None:
    directory = tmp_path / "it's here"
    directory.mkdir()
    site = LocalSite(directory=directory, port=1, sandbox_port=2)
    variables = site.variables()
    site.write_environment_file(variables)
    assert stat.S_IMODE(site.environment_file.stat().st_mode) == 0o600
    script = f'. {shlex.quote(str(site.environment_file))}; printf "%s" "$MEDIA_ROOT $SANDBOX_URL"'
    answer = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, timeout=10)
    assert answer.stdout == f"{directory}/media http://127.0.0.1:2"


def test_the_settings_understand_the_database_of_any_directory(tmp_path: Path) -> None:
    directory = tmp_path / "a b%c"
    directory.mkdir()
    variables = LocalSite(directory=directory, port=1, sandbox_port=2).variables()
    answer = subprocess.run(
        [sys.executable, "-c", "from shipping.project import settings; print(settings.DATABASES['default']['NAME'])"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert answer.stdout.strip() == str(directory / "onceship.sqlite3")


def test_an_error_is_one_line_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise SiteError("Port 1 can't be used.")

    assert serve(fail) == 1
    assert capsys.readouterr().err == "Port 1 can't be used.\n"


def test_a_wish_to_stop_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> int:
        raise StopRequested

    assert serve(stop) == 0
    assert capsys.readouterr().err == ""
