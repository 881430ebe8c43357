"""A small batch on the real sandbox with real workers, and a person who looks at it and resumes it."""

import contextlib
import html
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from django.test import override_settings

from recovery import RecoveryChoice, check_interrupted_jobs, get_recovery_prompt, handle_recovery_choice
from recovery.incident import telling_runs, why
from shipping.liveness import Condition, condition, is_interrupted
from shipping.models import Job, Label, Row
from shipping.refusals import Refused
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus
from tests.factories import make_job
from tests.support.altered import Alteration, program
from tests.support.ledger import compare_when_over
from tests.support.processes import ChildProcess, wait_until
from tests.support.sandbox import SandboxProcess
from tests.torture.person import Person

WAITS = {"DATABASE_BUSY_SECONDS": "1", "LEASE_SECONDS": "9", "SHIP_CONCURRENCY": "4", "ROWS_PER_RUN": "1000"}
# For several workers on one job: on SQLite each waits for the others.
MORE_PATIENT = {"DATABASE_BUSY_SECONDS": "5", "LEASE_SECONDS": "15", "REQUEST_TIMEOUT_SECONDS": "4"}
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
LEASE_SECONDS = float(WAITS["LEASE_SECONDS"])
# Where a machine has better things to do, a worker takes half a minute to begin.
PATIENCE_SECONDS = 120.0

# What an engineer reads and a clerk must not: names of classes, numbers of errors, statements, paths of code.
_JARGON = re.compile(
    r"\b\w+(Error|Exception)\b | [Ee]rrno | Traceback | psycopg | sqlite3 | django"
    r"| \b(SELECT|UPDATE|COMMIT)\b | (?<!manage)\.py\b | /proc/ | \bfd\b",
    re.VERBOSE,
)


class Scene:
    """A context manager: one job, its carrier, and one worker that is ended when the block is."""

    def __init__(self, sandbox: SandboxProcess, directory: Path, *, rows: int = 20, **extra: str) -> None:
        """The workers' log goes to `directory`; `extra` are environment variables of the workers."""
        self.sandbox = sandbox
        self.log = directory / "worker.log"
        self.job = make_job(rows)
        self.rows = rows
        self.resumed = 0
        self.workers: list[ChildProcess] = []
        # What the workers called from now on are; a test may put another kind.
        self.kind_of_worker: type[ChildProcess] = ChildProcess
        self._called = 0
        self._extra = {**WAITS, **SETTINGS, "SANDBOX_URL": sandbox.url, **extra}
        self._lease = override_settings(LEASE_SECONDS=float(self._extra["LEASE_SECONDS"]))

    def __enter__(self) -> Self:
        self._lease.enable()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lease.disable()
        for worker in self.workers:
            worker.__exit__(kind, error, traceback)
        if error is not None and self.log.exists():
            error.add_note(f"The workers wrote:\n{self.log.read_text()[-6000:]}")

    # --- What happens ------------------------------------------------------------------------------------

    def start(self, *, buying_takes: float | None = 0.3) -> None:
        """A person starts the job. Each purchase takes so many seconds; with None, the faults stay as they are."""
        if buying_takes is not None:
            self.slow_down(buying_takes)
        JobService().start(self.job.pk)

    def slow_down(self, seconds: float) -> None:
        """Each purchase takes so many seconds from now on."""
        delay = {"on": "buy", "action": "delay", "when": "after", "seconds": seconds}
        self.sandbox.faults([delay] if seconds else [])

    def call_worker(self, *alterations: Alteration, **extra: str) -> ChildProcess:
        """Start a worker, with something altered in it."""
        worker = self.kind_of_worker(program(alterations, "worker"), {**self._extra, **extra}, log=self.log)
        worker.start()
        self._called += 1
        self.workers.append(worker)
        return worker

    def resume(self) -> None:
        """A person resumes the interrupted job. Raises Refused when it is not interrupted any more."""
        handle_recovery_choice(RecoveryChoice.resume, self.job.pk, JobService(), reason="the ground is quiet")
        self.resumed += 1

    # --- What can be seen --------------------------------------------------------------------------------

    @property
    def fresh(self) -> Job:
        """The job as the books hold it now."""
        return Job.objects.get(pk=self.job.pk)

    def bought(self) -> int:
        """How many rows have their label in the books."""
        return self.fresh.successful_rows

    def in_the_air(self) -> int:
        """How many rows are claimed and not settled."""
        return Row.objects.filter(job=self.job, status=RowStatus.in_flight).count()

    def charges(self) -> int:
        """How many labels the carrier has charged for."""
        return self.sandbox.stats()["charges"]

    def ends_of_runs(self) -> list[str]:
        """How each run ended, in their order; an empty word for one that has not."""
        return list(self.job.runs.order_by("pk").values_list("end_reason", flat=True))

    def claims(self) -> list[int]:
        """How often each row was claimed, in their order."""
        return list(Row.objects.filter(job=self.job).order_by("number").values_list("claims", flat=True))

    def events(self, kind: str) -> int:
        """How many events of one kind the job has."""
        return self.job.events.filter(kind=kind).count()

    def is_interrupted(self) -> bool:
        """Whether nobody works on the job and nobody is coming."""
        return is_interrupted(self.fresh)

    def told(self) -> str:
        """What a person is shown of the interrupted job, on its page and at the terminal: never an engineer's words."""
        job = self.fresh
        info = check_interrupted_jobs(JobService())
        assert info is not None, "no job is interrupted"
        words = f"{why(job, telling_runs([job]).get(job.pk))}\n{get_recovery_prompt(info)}"
        assert_plain(words)
        return words

    def assert_books_hold(self) -> None:
        """What has to hold at every moment, also while nobody can write: each charge is recorded, or a row owes it."""
        charges = [charge for charge in self.sandbox.ledger() if charge["reference"].startswith(f"{self.job.code}-")]
        references = [charge["reference"] for charge in charges]
        assert len(references) == len(set(references)), "bought twice"
        owed = {self.job.reference(row.number, row.attempt) for row in Row.objects.filter(job=self.job).owed()}
        recorded = set(Label.objects.filter(job=self.job).values_list("tracking_number", flat=True))
        lost = [each for each in charges if each["tracking_code"] not in recorded and each["reference"] not in owed]
        assert not lost, f"charges that no row owns: {lost}"

    # --- The end -----------------------------------------------------------------------------------------

    def see_it_through(self, *, resumes: bool = True) -> None:
        """The ground is quiet again. The job is completed; where it is interrupted a person resumes it, or with
        `resumes=False` nobody does. Each row was charged once, has its label and the label's file; the workers live
        until they are told to end, and end in an orderly way.
        """
        self.slow_down(0)
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while (now := condition(self.fresh)) is not Condition.completed:
            assert time.monotonic() < ends_at, f"the job is {now.value}; its runs: {self.ends_of_runs()}"
            self.assert_workers_live()
            if now is Condition.interrupted and resumes:
                self._resume_unless_moved()
            time.sleep(0.1)
        assert self.fresh.status == JobStatus.completed
        wait_for(lambda: not self._files_missing(), what="all files of labels")
        self.assert_each_row_charged_once()
        self.dismiss_workers()

    def assert_each_row_charged_once(self) -> None:
        """Charge by charge, the books are what the carrier's ledger says, and nothing was bought twice."""
        found = compare_when_over(self.job, self.sandbox.ledger())
        assert not found.breaches, dict(found.breaches)
        assert (found.charges, found.unknown, found.bought_again) == (self.rows, 0, 0)
        assert self.bought() == self.rows
        assert self.sandbox.stats()["duplicates"] == 0

    def assert_workers_live(self) -> None:
        """No worker has ended by itself."""
        codes = [worker.process.poll() for worker in self.workers if worker.process]
        ended = [code for code in codes if code is not None]
        assert not ended, f"a worker ended by itself: {ended}"

    def dismiss_workers(self) -> None:
        """SIGTERM to all that still live: each says goodbye. Before it is ready, a process would just end."""
        wait_for(lambda: self.log.read_text().count("is ready") >= self._called, what="workers that are ready")
        self.assert_workers_live()
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        assert [worker.wait(30) for worker in self.workers] == [0] * len(self.workers)

    def _resume_unless_moved(self) -> None:
        # It may have gone on by itself meanwhile, then the resume is refused.
        with contextlib.suppress(Refused):
            self.resume()

    def _files_missing(self) -> bool:
        return Label.objects.filter(job=self.job, file="").exists()


def wait_for(condition: Callable[[], Any], *, what: str) -> Any:
    """Wait, with patience, until the condition is true, and return its value."""
    return wait_until(condition, PATIENCE_SECONDS, what=what)


def assert_plain(words: str) -> None:
    """Words that a clerk understands: no names of classes, no traceback, nothing of the machinery."""
    found = _JARGON.search(words)
    assert found is None, f"{found[0]!r} is no word for a clerk: {words}" if found else ""


def words_of(page: str) -> str:
    """The text of a page's main part, without its markup."""
    _before, _tag, main = page.partition("<main")
    assert main, f"a page without a main part: {page[:500]}"
    return html.unescape(re.sub(r"<[^>]*>", " ", f"<main{main.partition('</main>')[0]}"))


def posted(person: Person, path: str) -> requests.Response:
    """Send a form without fields, and keep the whole answer."""
    token = person.session.cookies.get("csrftoken") or ""
    return person.session.post(
        f"{person.url}{path}", data={"csrfmiddlewaretoken": token}, timeout=30, allow_redirects=False
    )


def alteration(name: str, **values: object) -> Alteration:
    """One of `tests.ground.alterations`."""
    return f"tests.ground.alterations:{name}", values
