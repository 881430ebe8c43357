"""Builders of what goes over the wire, so that tests of the books can play any carrier."""

from shipping.carriers.port import CarrierError, Prepared, Purchase
from shipping.engine import books
from shipping.engine.letters import Answer, Claim, Inbox, Letter, Preparation, Question, Ready, Reply
from shipping.liveness import this_process
from shipping.models import Job, Row, Run
from shipping.models.clock import book_now, local_seconds
from shipping.services import JobService
from tests.factories import carrier_order


def started_run(job: Job) -> Run:
    """Start the job (unless it runs) and its first run, as this process's."""
    if job.status == "pending":
        JobService().start(job.pk)
    run = Run.objects.issued().filter(job=job).first()
    assert run is not None
    started = books.start_run(run.pk, this_process())
    assert started is not None
    return started


def tick(run: Run, *replies: Reply, ready: list[Ready] | None = None, preparations: int = 0) -> list[Letter]:
    """One tick of a run; returns the letters that may be sent."""
    inbox = Inbox()
    for reply in replies:
        inbox.add(reply)
    return books.tick(
        run.job_id, inbox, books.Wishes(ready=ready or [], preparations=preparations), run_id=run.pk
    ).letters


def reserve(run: Run, rows: int) -> list[Preparation]:
    """Reserve the next pending rows for a run."""
    return [letter for letter in tick(run, preparations=rows) if isinstance(letter, Preparation)]


def claim(run: Run, rows: int = 1) -> list[Claim]:
    """Reserve, prepare and claim the next rows, as far as the books allow."""
    ready = [
        Ready(preparation=each, prepared=Prepared(handle=each.handle or f"shp_{each.row_id}_{each.attempt}"))
        for each in reserve(run, rows)
    ]
    return [letter for letter in tick(run, ready=ready) if isinstance(letter, Claim)]


def purchase(letter: Claim | Question, *, purchase_id: str = "", cost_cents: int = 750) -> Purchase:
    """What a carrier answers when it bought."""
    return Purchase(
        purchase_id=purchase_id or letter.handle,
        reference="",
        tracking_number=f"94{letter.row_id}{letter.claim}",
        carrier="USPS",
        service="Priority",
        cost_cents=cost_cents,
        currency="USD",
        label_url="http://127.0.0.1/label.pdf",
    )


def answer(letter: Letter, outcome: Answer) -> None:
    """File an answer as anybody may: without a run."""
    inbox = Inbox()
    inbox.add(Reply(letter, outcome))
    books.tick(letter.job_id, inbox, books.Wishes())


def question(row: Row, *, asked: float | None = None) -> Question:
    """A look-up of a row as it stands, asked now unless told otherwise."""
    return Question(
        job_id=row.job_id,
        carrier=row.account,
        row_id=row.pk,
        attempt=row.attempt,
        claim=row.claims,
        handle=row.handle or "",
        reference="",
        asked=book_now() if asked is None else asked,
    )


def claim_letter(row: Row, *, claim_number: int | None = None) -> Claim:
    """The letter of a claim that a row had."""
    job = Job.objects.get(pk=row.job_id)
    return Claim(
        job_id=job.pk,
        carrier=row.account,
        row_id=row.pk,
        number=row.number,
        attempt=row.attempt,
        claim=row.claims if claim_number is None else claim_number,
        handle=row.handle or "",
        order=carrier_order(row, job),
        details={},
        deadline=local_seconds() + 20,
    )


__all__ = ["CarrierError", "answer", "claim", "claim_letter", "purchase", "question", "reserve", "started_run", "tick"]
