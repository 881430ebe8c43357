"""Processes that really start, and must all really end."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipping.project.supervisor import STOP_SIGNALS, SiteError, StopRequested, Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(60)",
]


@pytest.fixture(autouse=True)
def restore_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def supervisor(path: Path, grace_seconds: float = 5) -> Supervisor:
    return Supervisor(working_directory=path, logs=path / "logs", grace_seconds=grace_seconds)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    until = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.05)


def test_it_ends_every_child_when_it_is_left(tmp_path: Path) -> None:
    with supervisor(tmp_path) as site:
        pids = [site.start(name, SLEEP, os.environ).pid for name in ("first", "second")]
        assert all(is_running(pid) for pid in pids)
    assert not any(is_running(pid) for pid in pids)


def test_it_ends_every_child_when_something_goes_wrong(tmp_path: Path) -> None:
    pids = []

    def go_wrong() -> None:
        with supervisor(tmp_path) as site:
            pids.append(site.start("child", SLEEP, os.environ).pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        go_wrong()
    assert not is_running(pids[0])


def test_it_kills_a_child_that_does_not_heed_sigterm(tmp_path: Path) -> None:
    with supervisor(tmp_path, grace_seconds=0.5) as site:
        child = site.start("child", STUBBORN, os.environ)
        site.wait(lambda: "deaf" in child.log.read_text(), seconds=10, what="the child to be deaf")
    assert child.process.returncode == -signal.SIGKILL


def test_the_child_started_last_ends_first(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print(time.monotonic(), flush=True)))\n"
        "print(0, flush=True)\n"
        "time.sleep(60)"
    )
    says_when_it_ends = [sys.executable, "-c", program]
    with supervisor(tmp_path) as site:
        first = site.start("first", says_when_it_ends, os.environ)
        second = site.start("second", says_when_it_ends, os.environ)
        site.wait(lambda: first.log.read_text() == second.log.read_text() == "0\n", seconds=10, what="both")
    assert float(second.log.read_text().split()[1]) < float(first.log.read_text().split()[1])


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_stops_a_wait_and_ends_the_children(tmp_path: Path, number: signal.Signals) -> None:
    with supervisor(tmp_path) as site:
        child = site.start("child", SLEEP, os.environ)
        os.kill(os.getpid(), number)
        with pytest.raises(StopRequested):
            site.wait(lambda: False, seconds=10, what="nothing")
    assert not is_running(child.pid)


def test_a_child_that_ends_by_itself_is_named_with_its_last_words(tmp_path: Path) -> None:
    fails = [sys.executable, "-c", "import sys; print('out of paper'); sys.exit(3)"]
    with supervisor(tmp_path) as site:
        site.start("printer", fails, os.environ)
        with pytest.raises(SiteError, match=r"The printer \(pid \d+\) ended with exit code 3; .*\(out of paper\)"):
            site.wait(lambda: False, seconds=10, what="nothing")
        assert site.take_ended() == []


def test_a_wait_is_bounded_and_says_what_it_waited_for(tmp_path: Path) -> None:
    with supervisor(tmp_path) as site, pytest.raises(SiteError, match=r"Waited 0\.3 seconds for a miracle"):
        site.wait(lambda: False, seconds=0.3, what="a miracle")


def test_a_killed_child_is_gone_and_not_reported_as_lost(tmp_path: Path) -> None:
    with supervisor(tmp_path) as site:
        child = site.start("child", SLEEP, os.environ)
        site.kill(child)
        assert child.process.returncode == -signal.SIGKILL
        assert site.take_ended() == []


# A supervisor with one child, in a process of its own; prints both ids.
PROGRAM = (
    "import os, sys\nfrom pathlib import Path\n"
    "from shipping.project.supervisor import Supervisor\n"
    "path = Path(sys.argv[1])\n"
    "with Supervisor(working_directory=path, logs=path, grace_seconds=5) as site:\n"
    f"    print(os.getpid(), site.start('child', {SLEEP!r}, os.environ).pid, flush=True)\n"
    "    site.pause(60)\n"
)


def first_line(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(pid) for pid in process.stdout.readline().split()]


def test_the_children_end_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        _supervisor, child = first_line(parent)
        assert is_running(child)
        parent.kill()
    wait_until_gone(child)


def test_all_of_it_ends_when_the_make_above_it_is_killed(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", '"$@" & wait', "sh", sys.executable, "-c", PROGRAM, str(tmp_path)]
    variables = {**os.environ, "MAKELEVEL": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables) as make:
        pids = first_line(make)
        assert all(is_running(pid) for pid in pids)
        make.kill()
        for pid in pids:
            wait_until_gone(pid)


def test_a_closed_terminal_ends_all_of_it(tmp_path: Path) -> None:
    terminal, ours = pty.openpty()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=ours, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        os.close(ours)
        pids = first_line(process)
        assert all(is_running(pid) for pid in pids)
        os.close(terminal)
        for pid in pids:
            wait_until_gone(pid)
