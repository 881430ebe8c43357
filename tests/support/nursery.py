"""A process that has the whole product loaded and forks the processes that a test wants, so that each of them is there
at once: a test of crashes needs several, and loading Django takes longer than what they do.

A forked process is a process like any other: it has an id, a memory and database connections of its own, and is ended
by its id. It is the same program, altered by the same means as by `tests.support.altered`.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn, Self

from tests.support.altered import Alteration, be
from tests.support.processes import ROOT, environment, wait_until

_LOAD_SECONDS = 60.0
_ANSWER_SECONDS = 30.0


class Nursery:
    """A context manager; every process that was forked has ended when the block has."""

    def __init__(self, log: Path, **extra: str) -> None:
        """All of its processes have the same environment: that of the test's database, with the variables `extra`.
        What they write goes to the file `log`.
        """
        self.log = log
        self._environment = environment(**extra)
        self._parent: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self.log.open("a") as log:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "tests.support.nursery", str(self.log)],
                cwd=ROOT,
                env=self._environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.ask({"loaded": True}, seconds=_LOAD_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._parent is not None
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._parent.stdin.close()
        try:
            self._parent.wait(_ANSWER_SECONDS)
        finally:
            self._parent.kill()
            self._parent.wait()
            self._parent.stdout.close()

    def fork(self, alterations: Sequence[Alteration], *command: str) -> "Forked":
        """A process that is the program `command` (see `tests.support.altered`), altered."""
        return Forked(self, int(self.ask({"fork": command, "alterations": alterations})["pid"]))

    def ask(self, order: Mapping[str, Any], *, seconds: float = _ANSWER_SECONDS) -> dict[str, Any]:
        """Send an order to the parent of all and return its answer. Raises AssertionError when it has none in time."""
        assert self._parent is not None
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._parent.stdout, selectors.EVENT_READ)
            line = self._parent.stdout.readline() if selector.select(seconds) else ""
        assert line, f"the nursery did not answer: {self.last_words()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def last_words(self) -> str:
        """The end of what it and its processes wrote."""
        return self.log.read_text(errors="replace")[-4000:]


class Forked:
    """A process from the nursery; it has ended when the `with` block has."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self._code: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.code is None:
            self.kill()

    @property
    def code(self) -> int | None:
        """How it ended, as `subprocess` tells it (minus the signal's number); None while it runs."""
        if self._code is None:
            self._code = self._nursery.ask({"ended": self.pid})["code"]
        return self._code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal. It is not reaped before its end was asked for, so the id is its own still."""
        if self.code is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def wait(self, seconds: float = 60.0) -> int:
        """Wait until it has ended by itself; returns its exit code. Raises AssertionError."""
        wait_until(lambda: self.code is not None, seconds, what="the end of a forked process")
        assert self._code is not None
        return self._code


# --- In the parent of all ------------------------------------------------------------------------------------


def main(log: Path) -> None:
    """Load the product, then carry orders out, a line of JSON each, until there are no more."""
    _load()
    running: set[int] = set()
    try:
        for line in sys.stdin:
            answer = _carry_out(json.loads(line), running, log)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _load() -> None:
    """All that the processes would load by themselves. Nothing here opens a connection or starts a thread."""
    import django

    django.setup()
    import waitress.runner  # noqa: F401 (loaded for its children)
    from django.template.loader import get_template
    from django.urls import get_resolver

    import shipping.project.wsgi
    import shipping.tasks
    from shipping.carriers import easypost  # noqa: F401 (loaded for its children)
    from shipping.engine import worker  # noqa: F401 (loaded for its children)

    assert shipping.project.wsgi.application is not None
    assert get_resolver().url_patterns
    for template in (ROOT / "templates").rglob("*.html"):
        get_template(str(template.relative_to(ROOT / "templates")))


def _carry_out(order: dict[str, Any], running: set[int], log: Path) -> dict[str, Any]:
    if "fork" in order:
        pid = os.fork()
        if not pid:
            _be_a_child(order["alterations"], order["fork"], log)
        running.add(pid)
        return {"pid": pid}
    if "ended" in order:
        pid, status = os.waitpid(order["ended"], os.WNOHANG)
        if not pid:
            return {"code": None}
        running.discard(pid)
        return {"code": os.waitstatus_to_exitcode(status)}
    return {"loaded": True}


def _be_a_child(alterations: Sequence[Alteration], command: Sequence[str], log: Path) -> NoReturn:
    """Be the program; never returns into the parent's loop."""
    code = 1
    try:
        with log.open("ab", buffering=0) as written, open(os.devnull, "rb") as nothing:
            _put_in_place(nothing, 0)
            _put_in_place(written, 1)
            _put_in_place(written, 2)
        be(alterations, command)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _put_in_place(file: IO[bytes], descriptor: int) -> None:
    os.dup2(file.fileno(), descriptor)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
