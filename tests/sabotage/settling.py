"""Broken builds around answers, doubts and labels."""

from dataclasses import replace
from importlib import import_module
from typing import Any

from tests.sabotage.altering import alter


def drop_when_fenced() -> None:
    """A run that a choice has fenced throws its answers away and lets go of the rows."""
    from shipping.engine.settle import owes, settle_not_bought
    from shipping.models import Run
    from shipping.states import JobStatus

    books: Any = import_module("shipping.engine.books")

    def dropping(job: Any, row: Any, attempt: int, claim: int, outcome: Any) -> None:
        is_current = Run.objects.filter(pk=row.run_id, epoch=job.epoch).exists()
        if job.status == JobStatus.running and is_current:
            settle(job, row, attempt, claim, outcome)
        elif owes(row, claim):
            settle_not_bought(job, row, "The run was fenced.")

    settle = alter(books, "settle_purchase", dropping)
    # Those that are settled together are no exception.
    alter(books, "settle_plainly_bought", lambda *_told: set())


def swallow_second_charge() -> None:
    """A second charge for a row that has its label is not written down."""
    from shipping.states import RowStatus

    settle: Any = import_module("shipping.engine.settle")

    def swallowing(job: Any, row: Any, *told: Any, **more: Any) -> Any:
        return row.label if row.status == RowStatus.completed else record(job, row, *told, **more)

    record = alter(settle, "_record_label", swallowing)


def doubt_means_no() -> None:
    """A carrier that could not be asked is read as "not bought"."""
    from shipping.carriers.port import CarrierError

    books: Any = import_module("shipping.engine.books")

    def guessing(job: Any, row: Any, question: Any, outcome: Any, now: float) -> None:
        if isinstance(outcome, CarrierError):
            question, outcome = replace(question, asked=float("inf")), None
        settle(job, row, question, outcome, now)

    settle = alter(books, "settle_finding", guessing)


def believe_at_once() -> None:
    """ "Not bought" is believed while the purchase may still be on its way."""
    books: Any = import_module("shipping.engine.books")

    def hasty(job: Any, row: Any, question: Any, outcome: Any, now: float) -> None:
        settle(job, row, replace(question, asked=float("inf")), outcome, now)

    settle = alter(books, "settle_finding", hasty)


def lost_answer_means_no() -> None:
    """A purchase whose answer was lost counts as not bought."""
    settle: Any = import_module("shipping.engine.settle")

    def certain(job: Any, row: Any, error: Any) -> None:
        settle.settle_not_bought(job, row, error.message)

    alter(settle, "_settle_unknown", certain)


def late_answer_for_a_newer_claim() -> None:
    """A late "unavailable" is applied to whichever claim the row has by now."""

    def any_claim(row: Any, claim: int) -> bool:
        return row.due is not None

    for name in ("shipping.engine.settle", "shipping.engine.reconcile"):
        alter(import_module(name), "owes", any_claim)


def any_label_ends_the_doubt() -> None:
    """A label of an earlier claim also counts as the answer to the last one."""
    settle: Any = import_module("shipping.engine.settle")

    def lenient(job: Any, row: Any, attempt: int, purchase: Any, *, answers: bool, adopted: bool = False) -> Any:
        return bought(job, row, attempt, purchase, answers=True, adopted=adopted)

    bought = alter(settle, "settle_bought", lenient)
    alter(import_module("shipping.engine.reconcile"), "settle_bought", lenient)


def forget_cancelled_jobs() -> None:
    """Nobody asks about the doubts of a job that is cancelled."""
    books: Any = import_module("shipping.engine.books")

    def negligent(job: Any, *told: Any) -> Any:
        return [] if job.is_over else pick(job, *told)

    pick = alter(books, "pick_questions", negligent)


def forget_counters() -> None:
    """The counters are kept elsewhere than in the transaction that changes the rows: one in five changes is lost."""
    rows: Any = import_module("shipping.rows")
    changes = iter(range(10**9))

    def forgetting(job: Any, before: Any, after: Any, moved: int = 1) -> None:
        if next(changes) % 5:
            count(job, before, after, moved)

    count = alter(rows, "count_move", forgetting)
    alter(import_module("shipping.engine.together"), "count_move", forgetting)


def delete_voided_labels() -> None:
    """A label that was voided and is bought again leaves the books."""
    from shipping.models import Label, Row

    books: Any = import_module("shipping.engine.books")

    def tidy(job: Any, label: Any, outcome: Any, now: float) -> None:
        settle(job, label, outcome, now)
        if not Row.objects.filter(label=label.pk).exists():
            Label.objects.filter(pk=label.pk, voided_at__isnull=False).delete()

    settle = alter(books, "settle_void", tidy)


def void_before_the_answer() -> None:
    """A void is sent while its row still owes the answer to a purchase."""
    from django.conf import settings

    from shipping.engine.letters import VoidLetter
    from shipping.models import Label

    books: Any = import_module("shipping.engine.books")

    def hasty(job: Any, limit: int, now: float, *, working: bool) -> list[VoidLetter]:
        labels = list(Label.objects.void_owed().filter(job=job, void_after__lte=now)[: max(0, limit)])
        again = now + 2 * settings.REQUEST_TIMEOUT_SECONDS
        Label.objects.filter(pk__in=[label.pk for label in labels]).update(void_after=again)
        return [
            VoidLetter(job_id=job.pk, carrier=job.carrier, label_id=label.pk, purchase_id=label.purchase_id)
            for label in labels
        ]

    alter(books, "pick_voids", hasty)
