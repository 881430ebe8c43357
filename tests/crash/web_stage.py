"""Where a web server is killed in the middle of a POST: servers and workers that die where they are told to, a clerk at
the browser, and how such a person puts right what a crash has left.
"""

import http.client
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial

from shipping.liveness import Condition, condition
from shipping.models import Job
from tests.crash.arming import Boundary, Moment
from tests.crash.clerk import Clerk
from tests.crash.web_books import is_settled, let_a_lease_pass, let_back_offs_pass
from tests.support.altered import Alteration
from tests.support.nursery import Forked, Nursery
from tests.support.processes import wait_until
from tests.support.sandbox import SandboxProcess
from tests.support.web import HOST

START_SECONDS = 60.0
DEATH_SECONDS = 60.0
SETTLE_SECONDS = 120.0
# The first call has nothing to claim yet: its rows are prepared first.
CLAIM = Boundary("the worker's claim is committed", "shipping.engine.books:claim", Moment.after_commit, nth=2)


@dataclass(slots=True)
class Site:
    """A web server that may die, and somebody who looks at its pages."""

    process: Forked
    clerk: Clerk

    def has_died(self) -> bool:
        """Wait until it was killed where it was told to die. Raises AssertionError when it ended otherwise or lives."""
        return self.process.wait(DEATH_SECONDS) == -9


@dataclass(slots=True)
class Stage:
    """The processes of one test. `username` is who sits at the browser."""

    nursery: Nursery
    sandbox: SandboxProcess
    username: str
    alterations: Sequence[Alteration] = ()
    session: Clerk | None = None

    @contextmanager
    def site(self, death: Boundary | None = None) -> Iterator[Site]:
        """A web server that dies at a boundary, or none; the clerk has signed in, once for all servers."""
        with socket.create_server((HOST, 0)) as free:
            port: int = free.getsockname()[1]
        arguments = (f"--listen={HOST}:{port}", "--threads=4", "shipping.project.wsgi:application")
        with self.nursery.fork(self._altered(death), "waitress", *arguments) as process:
            wait_until(lambda: _listens(process, port), START_SECONDS, what="a web server")
            url = f"http://{HOST}:{port}"
            if self.session is None:
                self.session = Clerk(url, self.username)
                self.session.sign_in()
            self.session.url = url
            yield Site(process, self.session)

    @contextmanager
    def worker(self, death: Boundary | None = None) -> Iterator[Forked]:
        """A worker that dies at a boundary, or none."""
        with self.nursery.fork(self._altered(death), "worker") as process:
            yield process

    @contextmanager
    def command(self, death: Boundary | None, *arguments: str) -> Iterator[Forked]:
        """A command of `manage.py` that dies at a boundary, or none."""
        with self.nursery.fork(self._altered(death), *arguments) as process:
            yield process

    def work_until(self, reached: Callable[[], bool], *, what: str, death: Boundary | None = None) -> None:
        """Have a worker work until something is reached; it may have died at the boundary by then."""
        with self.worker(death):
            wait_until(reached, SETTLE_SECONDS, what=what)

    def work_until_death(self, death: Boundary) -> None:
        """Have a worker work until it is killed there."""
        with self.worker(death) as process:
            assert process.wait(DEATH_SECONDS) == -9, self.nursery.last_words()

    def press_on(self, job: Job) -> None:
        """Press the button that a page offers when the job can't go on by itself."""
        with self.site() as site:
            _press_on(site.clerk, job)

    def see_through(self, *jobs: Job) -> None:
        """What a person does with jobs until they are over and nothing moves any more: starts them, carries them on,
        resumes them, and has the carrier asked.
        """
        let_a_lease_pass()
        let_back_offs_pass()
        with self.site() as site, self.worker():
            for job in jobs:
                over = partial(_is_over, site.clerk, job)
                wait_until(over, SETTLE_SECONDS, what="the end of the job")

    def _altered(self, death: Boundary | None) -> list[Alteration]:
        return [*self.alterations, *([death.alteration] if death is not None else [])]


def _is_over(clerk: Clerk, job: Job) -> bool:
    """Whether nothing moves any more; while something does, the button is pressed that the job waits for."""
    if is_settled(job):
        return True
    _press_on(clerk, job)
    return False


def _press_on(clerk: Clerk, job: Job) -> None:
    """Press the button that a page offers when the job can't go on by itself."""
    job.refresh_from_db()
    match condition(job):
        case Condition.interrupted:
            form = clerk.find(f"/recovery/{job.pk}/", f"/recovery/{job.pk}/resume/")
        case Condition.not_started | Condition.paused:
            form = clerk.find(f"/jobs/{job.pk}/", f"/jobs/{job.pk}/start/")
        case Condition.waiting_for_person:
            form = clerk.find(f"/jobs/{job.pk}/", f"/jobs/{job.pk}/check/")
        case _:
            return
    if form is not None:
        clerk.press(form)


def _listens(process: Forked, port: int) -> bool:
    assert process.code is None, "the web server ended by itself"
    try:
        with closing(http.client.HTTPConnection(HOST, port, timeout=5)) as connection:
            connection.connect()
    except OSError:
        return False
    return True
