"""The sandbox starts from the terminal, and only where it is harmless."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.sandbox import ROOT, SandboxProcess


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "SECRET_KEY": "only-for-tests"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_it_listens_on_the_loopback_only(tmp_path: Path, host: str) -> None:
    database = str(tmp_path / "sandbox.sqlite3")
    ended = _run("-m", "shipping.sandbox", "--port", "0", "--database", database, "--host", host)
    assert ended.returncode == 1
    assert f"127.0.0.1 only, not on {host}" in ended.stderr
    assert not Path(database).exists()


def test_a_port_in_use_is_a_clear_error(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "sandbox.sqlite3") as running:
        arguments = ["--port", str(running.port), "--database", str(tmp_path / "other.sqlite3")]
        for start in (["-m", "shipping.sandbox"], ["manage.py", "sandbox"]):
            ended = _run(*start, *arguments)
            assert ended.returncode == 1
            assert f"can't listen on port {running.port}" in ended.stderr
            assert "Traceback" not in ended.stderr


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, and long enough to be looked at as one" * 50)
    ended = _run("-m", "shipping.sandbox", "--port", "0", "--database", str(tmp_path / "notes.txt"))
    assert ended.returncode == 1
    assert "can't use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_management_command_serves_and_ends_quietly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "sandbox", "--port", "0", "--database", str(tmp_path / "sandbox.sqlite3")],
        cwd=ROOT,
        env={**os.environ, "SECRET_KEY": "only-for-tests"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Sandbox carrier on http://127.0.0.1:")
        assert requests.get(f"{line.rpartition(' ')[2].strip()}/__sandbox/stats", timeout=10).json()["charges"] == 0
        process.terminate()
        _, complaints = process.communicate(timeout=20)
        assert (process.returncode, complaints) == (0, "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=20)


def test_it_imports_nothing_of_ours_and_no_django() -> None:
    script = (
        "import sys, shipping.sandbox.server\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('django', 'recovery', 'shipping')"
        " and not name.startswith('shipping.sandbox') and name != 'shipping'])"
    )
    ended = _run("-c", script)
    assert ended.stdout.strip() == "[]", ended.stderr
