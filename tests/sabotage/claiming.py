"""Broken builds around claiming and sending."""

from collections.abc import Callable, Collection
from dataclasses import replace
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db.models import F

from tests.sabotage.altering import alter


def claim_after_money() -> None:
    """The purchase is sent first, and its claim is written when the answer is there."""
    from shipping.engine.letters import Claim, Letter, Ready
    from shipping.models import Row
    from shipping.states import RowStatus

    books: Any = import_module("shipping.engine.books")

    def unwritten(job: Any, run_id: int, ready: Collection[Ready], now: float, before: float) -> list[Letter]:
        claims = dict(
            Row.objects.filter(pk__in=[each.preparation.row_id for each in ready]).values_list("pk", "claims")
        )
        return [_claim_letter(job, each, claims[each.preparation.row_id] + 1, before) for each in ready]

    def writing(job: Any, reply: Any, rows: Any, labels: Any, now: float) -> None:
        letter = reply.letter
        if isinstance(letter, Claim):
            claimed = {"status": RowStatus.in_flight, "claims": letter.claim, "handle": letter.handle, "due": now}
            Row.objects.filter(pk=letter.row_id, claims=letter.claim - 1).update(**claimed)
            rows[letter.row_id].refresh_from_db()
        file(job, reply, rows, labels, now)

    alter(books, "claim", unwritten)
    file = alter(books, "_file_reply", writing)


def _claim_letter(job: Any, ready: Any, number: int, before: float) -> Any:
    from shipping.engine.letters import Claim

    preparation = ready.preparation
    return Claim(
        job_id=job.pk,
        carrier=job.carrier,
        row_id=preparation.row_id,
        number=preparation.number,
        attempt=preparation.attempt,
        claim=number,
        handle=ready.prepared.handle,
        order=preparation.order,
        details=ready.prepared.details,
        deadline=before + settings.REQUEST_TIMEOUT_SECONDS,
    )


def epoch_read_before_the_lock() -> None:
    """Whether a run may still claim is read before the job is locked, and a choice can come in between."""
    books: Any = import_module("shipping.engine.books")
    read: dict[int, bool] = {}

    def trusting(job: Any, run_id: int, now: float) -> bool:
        trusted = read.get(run_id, True)
        read[run_id] = beat(job, run_id, now)
        return trusted

    beat = alter(books, "_beat", trusting)


def claim_without_a_guard() -> None:
    """Rows are claimed by `IN (SELECT … LIMIT)`, whatever has become of them since they were chosen."""
    from shipping.engine.letters import Letter, Ready
    from shipping.models import Row
    from shipping.states import RowStatus

    books: Any = import_module("shipping.engine.books")
    claims: Any = import_module("shipping.engine.claims")

    def unreserved(job: Any, run_id: int, live: Collection[int], limit: int) -> list[Letter]:
        rows = list(job.rows.pending().order_by("number")[:limit])
        return [claims._preparation(job, run_id, row, job.sender.address) for row in rows]

    def unguarded(job: Any, run_id: int, ready: Collection[Ready], now: float, before: float) -> list[Letter]:
        chosen = [each.preparation.row_id for each in ready]
        for each in ready:
            mine = Row.objects.filter(pk__in=Row.objects.filter(pk=each.preparation.row_id).values("pk")[:1])
            mine.update(
                status=RowStatus.in_flight,
                claims=F("claims") + 1,
                handle=each.prepared.handle,
                run=run_id,
                due=now + settings.REQUEST_TIMEOUT_SECONDS,
            )
        numbers = dict(Row.objects.filter(pk__in=chosen).values_list("pk", "claims"))
        return [_claim_letter(job, each, numbers[each.preparation.row_id], before) for each in ready]

    alter(books, "reserve", unreserved)
    alter(books, "claim", unguarded)


def handle_not_pinned() -> None:
    """Each claim goes under a handle of its own, also when its attempt has one already."""
    from shipping.models import Row

    books: Any = import_module("shipping.engine.books")
    claims: Any = import_module("shipping.engine.claims")

    def forgetful(job: Any, run_id: int, row: Any, sender: Any) -> Any:
        letter = prepare(job, run_id, row, sender)
        return letter and replace(letter, handle="")

    def unpinned(job: Any, run_id: int, ready: Any, now: float, before: float) -> Any:
        Row.objects.filter(pk__in=[each.preparation.row_id for each in ready]).update(handle=None)
        return claim(job, run_id, ready, now, before)

    prepare = alter(claims, "_preparation", forgetful)
    claim = alter(books, "claim", unpinned)


def claim_during_a_sweep() -> None:
    """Rows are claimed while a restart is still visiting them."""
    books: Any = import_module("shipping.engine.books")

    def impatient(job: Any, run_id: int | None, beating: bool) -> Any:
        stands = standing(job, run_id, beating)
        return books.Standing.go_on if stands is books.Standing.sweeping else stands

    standing = alter(books, "_standing", impatient)


def revive_by_ticket() -> None:
    """A ticket that a task engine brings once more starts a run of a job whose worker died."""
    for name in ("shipping.engine.books", "shipping.engine.housekeeping"):
        module: Any = import_module(name)
        may_start = module.may_start

        def reviving(run: Any, job: Any, siblings: Any, now: float, may_start: Any = may_start) -> bool:
            return bool(may_start(run, job, [], now))

        alter(module, "may_start", reviving)


def send_after_its_due() -> None:
    """A purchase is sent however late it is: the wire does not look at the clock before."""
    wire: Any = import_module("shipping.engine.wire")
    alter(wire, "LEAST_PART_OF_TIMEOUT", float("-inf"))


def send_what_no_commit_confirmed() -> None:
    """When a COMMIT's outcome is unknown, the purchases that it claimed are sent all the same."""
    books: Any = import_module("shipping.engine.books")
    made: list[Any] = []

    def remembering(*told: Any) -> Any:
        made[:] = [tick_inside(*told)]
        return made[0]

    def hopeful(*told: Any, **more: Any) -> Any:
        try:
            return tick(*told, **more)
        except books.CommitUnknown:
            return made[0]

    tick_inside = alter(books, "_tick", remembering)
    tick = alter(books, "tick", hopeful)


def resend_when_unanswered() -> None:
    """The wire sends a purchase again when its answer was lost."""
    from shipping.carriers.port import Unknown

    wire: Any = import_module("shipping.engine.wire")

    def insistent(carrier: Any, letter: Any, left: float) -> Any:
        try:
            return deliver(carrier, letter, left)
        except Unknown:
            return deliver(carrier, letter, left)

    deliver = alter(wire, "_deliver", insistent)


def retry_blindly() -> None:
    """The client sends a request again when its answer was lost, as HTTP libraries do when they are let."""
    from shipping.carriers.easypost_wire import CallFailed, Wire

    def trying_twice(self: Any, request: Callable[[Any], object], *, timeout: float) -> Any:
        try:
            return call(self, request, timeout=timeout)
        except CallFailed as failure:
            if not failure.sent or (failure.status or 500) < 500:
                raise
            return call(self, request, timeout=timeout)

    call = alter(Wire, "call", trying_twice)
