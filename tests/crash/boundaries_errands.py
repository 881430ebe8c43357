"""The boundaries of what workers do beside a run or without one: questions, sweeps, voids, refunds, files, tickets."""

from shipping.liveness import Condition
from shipping.states import JobStatus
from tests.crash.boundaries import (
    CANCELLED,
    COMPLETED,
    INTERRUPTED,
    WAITING,
    Flow,
    Place,
    after,
    around_commit,
    before,
    during,
)
from tests.crash.boundaries_run import BOOKS, CARRIER, slow
from tests.crash.scenes import (
    SOON,
    Doubt,
    Ends,
    Scene,
    adopted_early,
    cancelled_before_its_voids,
    completed,
    interrupted,
    lose_ticket,
    refunding,
    restarted,
    retried,
    voiding,
)
from tests.crash.site import Fault
from tests.support.altered import Alteration

_RECONCILE = "shipping.engine.reconcile"
_VOIDS = "shipping.engine.voids"


def small_chunks(rows: int) -> Alteration:
    """A sweep visits so few rows in one transaction that it needs several."""
    return "tests.crash.alterations:set_number", {"point": "shipping.engine.sweep:CHUNK_ROWS", "number": rows}


def _down(on: str) -> Fault:
    return {"on": on, "action": "error", "status": 503}


def _doubtful(doubt: Doubt, status: JobStatus = JobStatus.running) -> Scene:
    return Scene(arrange=interrupted(3, bought=1, doubts=(doubt,), status=status), ends=Ends(bought=3, charges=3))


_BOUGHT = _doubtful(Doubt(charged=True))

_RECONCILING = (
    Flow(
        "reconcile",
        _BOUGHT,
        (
            *around_commit("the question is noted", f"{_RECONCILE}:Question"),
            before("before the question is sent", f"{CARRIER}.lookup"),
            after("answered, in memory alone", f"{CARRIER}.lookup"),
            *around_commit("bought", f"{_RECONCILE}:settle_bought"),
        ),
    ),
    Flow(
        "reconcile, slowly",
        _BOUGHT.but(faults=(slow("lookup", "before"),)),
        (during("the question is on the wire", f"{CARRIER}.lookup"),),
    ),
    Flow(
        "reconcile while the request may still be on its way",
        _doubtful(Doubt(charged=True, due_in=SOON)).but(passing=SOON),
        around_commit("bought already", f"{_RECONCILE}:_note"),
    ),
    Flow(
        "reconcile before the quiet period is over",
        _doubtful(Doubt(charged=False, due_in=SOON)).but(passing=SOON),
        around_commit("not bought so far", f"{_RECONCILE}:_note"),
    ),
    Flow(
        "reconcile after the quiet period",
        _doubtful(Doubt(charged=False)),
        around_commit("not bought", f"{_RECONCILE}:_found_not_bought"),
    ),
    Flow(
        "reconcile while look-ups are down",
        _BOUGHT.but(faults=(_down("lookup"),)),
        around_commit("could not find out", f"{_RECONCILE}:_could_not_find_out"),
    ),
    Flow(
        "reconcile, asked often enough",
        Scene(
            arrange=interrupted(2, bought=1, doubts=(Doubt(charged=True),)),
            ends=Ends(bought=2, charges=2),
            faults=(_down("lookup"),),
            settings={"REVIEW_AFTER_QUESTIONS": "1"},
        ),
        around_commit("set aside", f"{_RECONCILE}:set_aside", INTERRUPTED, Condition.waiting_for_person),
    ),
    Flow(
        "reconcile a bought row that still owes an answer",
        Scene(arrange=adopted_early, ends=Ends(bought=3, charges=3)),
        around_commit("owed no more", "shipping.engine.settle:clear_owed"),
    ),
    Flow(
        "reconcile for a paused job",
        _doubtful(Doubt(charged=True), status=JobStatus.paused),
        around_commit("bought", f"{_RECONCILE}:settle_bought", Condition.paused),
    ),
    Flow(
        "reconcile for a cancelled job",
        _doubtful(Doubt(charged=True), status=JobStatus.cancelled).but(
            ends=Ends(bought=2, charges=2, status=JobStatus.cancelled)
        ),
        around_commit("bought", f"{_RECONCILE}:settle_bought", CANCELLED),
    ),
    Flow(
        "an answer that the books refuse",
        _BOUGHT.but(alterations=(("tests.crash.alterations:refuse", {"point": f"{BOOKS}:settle_finding"}),)),
        around_commit(
            "written down for a person", "shipping.engine.filing:record", within="shipping.engine.filing._write_down"
        ),
    ),
)

# Six of eight rows bought, three to a chunk: three chunks, and a last look that finds no more.
_RESTART = Scene(arrange=restarted(8, bought=6), ends=Ends(bought=8, charges=14), small=(small_chunks(3),))

_SWEEPS = (
    Flow(
        "restart",
        _RESTART,
        (
            *around_commit("the first chunk", f"{BOOKS}:sweep_chunk"),
            *around_commit("the second chunk", f"{BOOKS}:sweep_chunk", nth=2),
            *around_commit("the sweep is over", "shipping.engine.sweep:record"),
        ),
    ),
    Flow(
        "resume with all failed rows",
        Scene(arrange=retried(8, failed=6), ends=Ends(bought=8, charges=8), small=(small_chunks(3),)),
        around_commit("the second chunk", "shipping.engine.sweep:_retry_failed", nth=2),
    ),
)

_VOID_FIRST = Scene(arrange=restarted(4, bought=3, void_first=True), ends=Ends(bought=4, charges=7, voided=3))
_VOID_ONLY = Scene(arrange=voiding, ends=Ends(bought=3, charges=3, voided=3), small=(small_chunks(2),))


def _void_places(shown: Condition) -> tuple[Place, ...]:
    return (
        *around_commit("it is noted", f"{_VOIDS}:VoidLetter", shown),
        before("before it is sent", f"{CARRIER}.void", shown),
        after("answered, in memory alone", f"{CARRIER}.void", shown),
        *around_commit("it is settled", f"{BOOKS}:settle_void", shown),
    )


_VOIDING = (
    Flow(
        "void before buying again",
        _VOID_FIRST,
        (*_void_places(INTERRUPTED), *around_commit("the row is set to be bought again", f"{_VOIDS}:buy_again")),
    ),
    Flow(
        "void before buying again, slowly answered",
        _VOID_FIRST.but(faults=(slow("refund", "after"),)),
        (during("done, not yet answered", f"{CARRIER}.void"),),
    ),
    Flow(
        "void before buying again, refused",
        _VOID_FIRST.but(lasting=({"on": "refund", "action": "reject_refund"},), ends=Ends(bought=4, charges=4)),
        around_commit("refused", f"{_VOIDS}:_refused"),
    ),
    Flow(
        "void before buying again, unanswered",
        _VOID_FIRST.but(faults=(_down("refund"),)),
        around_commit("to be asked again", f"{_VOIDS}:_could_not_void"),
    ),
    Flow(
        "void",
        _VOID_ONLY,
        (
            *around_commit("the first chunk is ordered", f"{BOOKS}:sweep_chunk", COMPLETED),
            *around_commit("the second chunk is ordered", f"{BOOKS}:sweep_chunk", COMPLETED, nth=2),
            *_void_places(COMPLETED),
        ),
    ),
    Flow(
        "void, slowly answered",
        _VOID_ONLY.but(faults=(slow("refund", "after"),)),
        (during("done, not yet answered", f"{CARRIER}.void", COMPLETED),),
    ),
    Flow(
        "cancel before any void was sent",
        Scene(arrange=cancelled_before_its_voids, ends=Ends(bought=3, charges=3, status=JobStatus.cancelled)),
        around_commit("the voids are taken back", f"{BOOKS}:drop_unsent_voids", CANCELLED),
    ),
)

_REFUNDED = Scene(arrange=refunding("refunded"), ends=Ends(bought=3, charges=3, voided=3))

_REFUNDS = (
    Flow(
        "refund",
        _REFUNDED,
        (
            *around_commit("the question is noted", "shipping.engine.refunds:RefundQuestion", COMPLETED),
            before("before the question is sent", f"{CARRIER}.refund_state", COMPLETED),
            after("answered, in memory alone", f"{CARRIER}.refund_state", COMPLETED),
            *around_commit("granted", f"{BOOKS}:settle_refund", COMPLETED),
        ),
    ),
    Flow(
        "refund, slowly",
        _REFUNDED.but(faults=(slow("lookup", "before"),)),
        (during("the question is on the wire", f"{CARRIER}.refund_state", COMPLETED),),
    ),
    Flow(
        "refund that the carrier refuses after all",
        Scene(arrange=refunding("rejected"), ends=Ends(bought=3, charges=3)),
        around_commit("refused", "shipping.engine.refunds:_refused_after_all", COMPLETED),
    ),
)

_FILES = (
    Flow(
        "label file",
        Scene(arrange=completed, ends=Ends(bought=3, charges=3)),
        (
            *around_commit("it is noted", "shipping.engine.files:FileOrder", COMPLETED),
            before("before the request", f"{CARRIER}.fetch_label", COMPLETED),
            after("fetched, not yet written", f"{CARRIER}.fetch_label", COMPLETED),
            after("written, the books not told", "shipping.labels:store", COMPLETED),
            *around_commit("the books are told", f"{BOOKS}:settle_file", COMPLETED),
        ),
    ),
    Flow(
        "label file, slowly",
        Scene(
            arrange=completed,
            ends=Ends(bought=3, charges=3),
            faults=({"on": "label", "action": "drip", "bytes_per_second": 1000},),
        ),
        (during("half of it has come", f"{CARRIER}.fetch_label", COMPLETED),),
    ),
)

_TICKETS = Flow(
    "lost ticket",
    Scene(arrange=lose_ticket, ends=Ends(bought=3, charges=3)),
    (
        *around_commit(
            "it is queued again",
            "shipping.engine.housekeeping:record",
            WAITING,
            within="shipping.engine.housekeeping.Housekeeper._queue_again",
        ),
        after("it is in the queue", "shipping.runs:enqueue", WAITING),
    ),
)

ERRAND_FLOWS: tuple[Flow, ...] = (*_RECONCILING, *_SWEEPS, *_VOIDING, *_REFUNDS, *_FILES, _TICKETS)
