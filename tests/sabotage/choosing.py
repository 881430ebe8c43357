"""Broken builds around people's choices, and around who works on a job."""

from importlib import import_module
from typing import Any

from tests.sabotage.altering import alter


def restart_by_status() -> None:
    """A restart buys every row again that is bought when it comes by, not those that were shown."""
    books: Any = import_module("shipping.engine.books")

    def generous(job: Any) -> None:
        if job.sweep_mark is not None:
            job.sweep_mark = 2**62
        sweep(job)

    sweep = alter(books, "sweep_chunk", generous)


def restart_without_waiting() -> None:
    """A restart buys rows again that still owe the answer to a purchase."""
    from shipping.models import Row
    from shipping.states import RowStatus

    sweep: Any = import_module("shipping.engine.sweep")

    def impatient(job: Any, rows: Any) -> None:
        shown = rows.filter(status=RowStatus.completed, label__lte=job.sweep_mark)
        Row.objects.filter(pk__in=list(shown.values_list("pk", flat=True))).update(due=None)
        buy_again(job, rows)

    buy_again = alter(sweep, "_buy_again", impatient)


def rebuy_in_spite_of_a_refusal() -> None:
    """A restart with voids first also buys labels again whose voids were refused."""
    from shipping.models import Row
    from shipping.rows import buy_again
    from shipping.states import VoidRequest

    voids: Any = import_module("shipping.engine.voids")

    def stubborn(job: Any, label: Any, message: str) -> None:
        wanted = label.void_requested
        refuse(job, label, message)
        row = Row.objects.get(pk=label.row_id)
        if wanted == VoidRequest.rebuy and row.label_id == label.pk:
            buy_again(job, row, label)

    refuse = alter(voids, "_refused", stubborn)


def confirmation_not_bound() -> None:
    """A confirmation counts whatever has become of the facts that it was shown with."""
    services: Any = import_module("shipping.services")
    alter(services, "require_same_facts", lambda *_told, **_more: None)


def choice_without_a_trace() -> None:
    """A cancellation is not written down."""
    from shipping.states import EventKind

    services: Any = import_module("shipping.services")

    def discreet(job: Any, kind: Any, **told: Any) -> Any:
        return None if kind == EventKind.cancelled else record(job, kind, **told)

    record = alter(services, "record", discreet)


def choice_without_a_fence() -> None:
    """A choice leaves the runs of before as they are."""
    services: Any = import_module("shipping.services")
    alter(services.JobService, "_new_epoch", lambda *_told: None)


def decide_too_early() -> None:
    """A person may have a row sent again while its purchase may still be on its way."""
    review: Any = import_module("recovery.review")
    alter(review, "require_quiet", lambda *_told: None)


def the_dead_count_as_alive() -> None:
    """A run whose process is gone counts as alive for ever."""
    liveness: Any = import_module("shipping.liveness")
    books: Any = import_module("shipping.engine.books")

    def charitable(each: Any, _now: float) -> bool:
        return each.beat is not None

    def hopeful() -> Any:
        from django.db.models import Exists, OuterRef

        from shipping.models import Run

        _worked_on, awaited = worked_on_and_awaited()
        return Exists(Run.objects.started().filter(job=OuterRef("pk"))), awaited

    alter(liveness, "beats", charitable)
    alter(books, "beats", charitable)
    worked_on_and_awaited = alter(liveness, "_worked_on_and_awaited", hopeful)
