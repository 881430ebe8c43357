"""The statements that are executed all the time find what they need by an index, whatever the size of the books.

Each test executes them for real, and asks the database afterwards how it would find their records.
"""

from collections.abc import Iterable

import pytest

from benchmarks.million.build import Books
from benchmarks.million.pages import Page, client, pages_of_admin, pages_of_job, pages_of_site
from shipping import liveness
from shipping.carriers.port import Prepared, Rejected, Unknown, VoidAnswer, VoidState
from shipping.engine import books as engine
from shipping.engine.housekeeping import Housekeeper
from shipping.engine.letters import Claim, FileOrder, Inbox, Preparation, Question, Ready, Reply, StoredFile, VoidLetter
from shipping.engine.wire import Wire
from shipping.models import Job, Label, Row, Run
from shipping.models.clock import book_now
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus, RunEnd, Sweep, VoidRequest
from tests.engine.letters import purchase, started_run
from tests.plans.reading import Statements, statements

pytestmark = pytest.mark.django_db

# What may go through a table as a whole, by words of the statement, and why.
LISTS = {
    'SELECT COUNT(*) AS "__count" FROM "shipping_job"': "the list has numbered pages; 1 ms for 10,000 jobs",
    'SELECT DISTINCT "shipping_job"."carrier"': "the admin offers a filter by carrier; 3 ms for 10,000 jobs",
    " UNION ": "jobs that wait for a person are found by indexes, then PostgreSQL may seek these among the newest",
    'WHERE NOT ("shipping_job"."id" IN': "the jobs that are not interrupted are nearly all of them",
    '"shipping_event"."kind" = ': "the admin reads events from the newest on until a page is full of that kind",
    '"shipping_run"."end_reason" = ': "as with events; a job of a million rows has hundreds of runs",
    '"shipping_job"."created_at" ASC, "shipping_job"."name"': "people sort the admin's jobs by whatever they like",
    "LIKE": "people seek jobs in the admin by words anywhere in their names; 10,000 jobs are read in milliseconds",
}


def assert_indexed(noted: Statements, allowed: dict[str, str] | None = None, *, by_engine: bool = False) -> None:
    """Fails with the statements that go through a growing table, but for those with one of the words `allowed`."""
    assert noted.values
    bad = [
        f"{table}: …{sql[max(0, sql.find(' FROM ')) :]}"
        for table, sql in noted.scans(by_engine=by_engine)
        if not any(words in sql for words in allowed or {})
    ]
    assert not bad, "\n\n".join(bad)


def _resumed(books: Books) -> tuple[Job, Run]:
    """The big job, going on with a run of this process."""
    JobService().resume(books.big)
    job = Job.objects.get(pk=books.big)
    return job, started_run(job)


def _tick(run: Run, *replies: Reply, ready: list[Ready] | None = None, rows: int = 0, errands: int = 0) -> list[object]:
    inbox = Inbox()
    for reply in replies:
        inbox.add(reply)
    wishes = engine.Wishes(ready=ready or [], preparations=rows, errands=errands)
    return list(engine.tick(run.job_id, inbox, wishes, run_id=run.pk).letters)


def test_a_run_from_its_start_to_its_end(books: Books) -> None:
    with statements() as noted:
        _job, run = _resumed(books)
        reserved = [each for each in _tick(run, rows=8) if isinstance(each, Preparation)]
        rejected = Reply(reserved.pop(), Rejected("bad", "No such street."))
        ready = [Ready(preparation=each, prepared=Prepared(handle=f"shp_new_{each.row_id}")) for each in reserved]
        claims = [each for each in _tick(run, rejected, ready=ready) if isinstance(each, Claim)]
        assert len(claims) == 7
        bought = [Reply(each, purchase(each)) for each in claims[:5]]
        others = [Reply(claims[5], Rejected("bad", "No.")), Reply(claims[6], Unknown("lost", "Lost."))]
        _tick(run, *bought, *others, rows=8)
        engine.end_run(run.pk, RunEnd.handed_over)
    assert_indexed(noted, by_engine=True)


def test_errands(books: Books) -> None:
    job = Job.objects.get(pk=books.big)
    labels = Label.objects.filter(job=job, voided_at__isnull=True).order_by("pk")
    Label.objects.filter(pk__in=labels[:20]).update(void_requested=VoidRequest.only)
    Label.objects.filter(pk__in=labels[20:40]).update(file="")
    _job, run = _resumed(books)
    with statements() as noted:
        letters = _tick(run, errands=64)
        kinds = {type(each) for each in letters}
        assert {Question, VoidLetter, FileOrder} <= kinds
        answers = [Reply(each, None) for each in letters if isinstance(each, Question)]
        answers += [
            Reply(each, VoidAnswer(state=VoidState.submitted)) for each in letters if isinstance(each, VoidLetter)
        ]
        answers += [Reply(each, StoredFile("labels/x.pdf")) for each in letters if isinstance(each, FileOrder)]
        _tick(run, *answers, errands=64)
    assert_indexed(noted, by_engine=True)


@pytest.mark.parametrize("void_first", [False, True])
def test_a_sweep(books: Books, void_first: bool) -> None:
    job = Job.objects.get(pk=books.big)
    with statements() as noted:
        JobService().restart(job.pk, expected=JobService().facts(job), void_first=void_first)
        run = started_run(Job.objects.get(pk=job.pk))
        for _each in range(3):
            _tick(run)
        JobService().cancel(job.pk)
        JobService().void_labels(job.pk)
        engine.tick(job.pk, Inbox(), engine.Wishes(errands=8))
    assert Job.objects.get(pk=job.pk).sweep == Sweep.void
    assert_indexed(noted, by_engine=True)


def test_the_end_of_a_job(books: Books) -> None:
    job, run = _resumed(books)
    Row.objects.filter(job=job, status=RowStatus.pending).update(status=RowStatus.skipped)
    rest = Row.objects.filter(job=job, status__in=[RowStatus.in_flight, RowStatus.needs_review])
    rest.update(status=RowStatus.skipped, due=None)
    Job.objects.filter(pk=job.pk).update(processed_rows=job.total_rows)
    with statements() as noted:
        _tick(run, errands=8)
    assert Job.objects.get(pk=job.pk).status == JobStatus.completed
    assert_indexed(noted)


def test_housekeeping(books: Books) -> None:
    Run.objects.filter(job=books.small["awaited"]).update(queued=book_now() - 3_600)
    keeper = Housekeeper(Wire(purchases=0, errands=0))
    with statements() as noted:
        keeper.round()
    assert_indexed(noted)


def test_how_jobs_stand(books: Books) -> None:
    with statements() as noted:
        liveness.conditions(list(Job.objects.order_by("-pk")[:50]))
        assert liveness.interrupted_jobs().count() > 10
        assert liveness.interrupted_jobs().first() is not None
        assert liveness.waiting_for_person().first() is not None
        liveness.worker_alive()
        liveness.live_run_ids()
        liveness.live_run_ids(books.big)
    assert_indexed(noted)


def _ask_for(pages: Iterable[Page]) -> Statements:
    browser = client()
    with statements() as noted:
        for _name, address, by_htmx in pages:
            assert browser.get(address, headers={"HX-Request": "true"} if by_htmx else {}).status_code < 400
    return noted


def test_pages_of_a_job(books: Books) -> None:
    assert_indexed(_ask_for(pages_of_job(Job.objects.get(pk=books.big))))


def test_pages_of_the_site_and_the_admin(books: Books) -> None:
    job = Job.objects.get(pk=books.big)
    assert_indexed(_ask_for((*pages_of_site(), *pages_of_admin(job))), LISTS)


def test_a_statement_without_an_index_is_told(books: Books) -> None:
    with statements() as noted:
        assert not Row.objects.filter(error_message="nothing like it").exists()
    assert [table for table, _sql in noted.scans()] == ["shipping_row"]
