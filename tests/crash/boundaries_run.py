"""The boundaries of a run: from its ticket to the worker's goodbye."""

from shipping.states import JobStatus
from tests.crash.boundaries import (
    CANCELLED,
    COMPLETED,
    INTERRUPTED,
    WAITING,
    Flow,
    after,
    around_commit,
    before,
    during,
)
from tests.crash.scenes import Ends, Scene, batch, beside_a_dead_sibling, cancel_in_the_air
from tests.crash.site import Fault
from tests.support.altered import Alteration

CARRIER = "shipping.carriers.easypost:EasyPost"
BOOKS = "shipping.engine.books"
CLAIMS = "shipping.engine.claims"
WORKER = "shipping.engine.worker:ShippingWorker"
GOODBYE = "shipping.engine.presence:Presence.say_goodbye"
# Whatever purchases were answered with comes by here, all that goes into one transaction at once.
ANSWERS = f"{BOOKS}:settle_plainly_bought"

CLAIM = f"{CLAIMS}:Claim"  # made in the transaction of a claim, for each row that it claims
RESERVATION = f"{CLAIMS}:Preparation"

_END_RUN = "shipping.engine.books.end_run"


def slow(on: str, when: str, seconds: float = 1.0) -> Fault:
    """The carrier is slow, before or after it has done what was asked."""
    return {"on": on, "action": "delay", "when": when, "seconds": seconds}


def told_to_end(point: str) -> Alteration:
    """The worker is told to end at a call."""
    return "tests.crash.alterations:tell_to_end", {"point": point}


# Seven rows, three at a time: when the fourth is settled, there is still one to be claimed.
_BATCH = Scene(arrange=batch(7), ends=Ends(bought=7, charges=7))
_ONE_AT_A_TIME = {"SHIP_CONCURRENCY": "1"}

_START = Flow(
    "start",
    _BATCH,
    (
        before("the worker registers", f"{WORKER}._beat", WAITING),
        after("the worker is registered", f"{WORKER}._beat", WAITING),
        *around_commit(
            "the ticket is taken",
            "django_tasks_db.models:DBTaskResult.claim",
            WAITING,
            within="shipping.engine.worker.ShippingWorker._work_one",
        ),
        *around_commit(
            "the run starts", f"{BOOKS}:may_start", WAITING, INTERRUPTED, within="shipping.engine.books.start_run"
        ),
    ),
)

_PREPARE = (
    Flow(
        "prepare",
        _BATCH,
        (
            *around_commit("rows are reserved", RESERVATION),
            before("before it is sent", f"{CARRIER}.prepare"),
            after("answered, in memory alone", f"{CARRIER}.prepare"),
            after("a later row, answered", f"{CARRIER}.prepare", nth=4),
        ),
    ),
    Flow(
        "prepare, slowly",
        _BATCH.but(faults=(slow("create", "before"),)),
        (during("on the wire, not yet done", f"{CARRIER}.prepare"),),
    ),
    Flow(
        "prepare, done and slowly answered",
        _BATCH.but(faults=(slow("create", "after"),)),
        (during("done, not yet answered", f"{CARRIER}.prepare"),),
    ),
)

_CLAIM = Flow(
    "claim",
    _BATCH,
    (
        before("in the middle of its transaction", CLAIM, nth=2),
        *around_commit("the first rows", CLAIM),
        *around_commit("a later row", CLAIM, nth=4),
    ),
)

_BUY = (
    Flow(
        "buy",
        _BATCH,
        (
            before("before it is sent", f"{CARRIER}.buy"),
            after("answered, in memory alone", f"{CARRIER}.buy"),
            after("a later row, answered", f"{CARRIER}.buy", nth=4),
            before("before its answer is settled", ANSWERS),
        ),
    ),
    Flow(
        "buy, slowly",
        _BATCH.but(faults=(slow("buy", "before"),)),
        (during("on the wire, charged only after the kill", f"{CARRIER}.buy"),),
    ),
    Flow(
        "buy, never done",
        _BATCH.but(faults=({"on": "buy", "action": "hang", "when": "before"},)),
        (during("on the wire, never charged", f"{CARRIER}.buy"),),
    ),
    Flow(
        "buy, charged and slowly answered",
        _BATCH.but(faults=(slow("buy", "after"),)),
        (during("charged, not yet answered", f"{CARRIER}.buy"),),
    ),
)

# When the second answers are settled, a row is left: three are settled first, then at most the three in the air and
# three that waited in line.
_LONGER_BATCH = Scene(arrange=batch(10), ends=Ends(bought=10, charges=10))

_SETTLE = (
    Flow(
        "settle",
        _LONGER_BATCH,
        (
            *around_commit("bought", ANSWERS),
            *around_commit("later rows", ANSWERS, nth=2),
            before("before the next is sent", f"{CARRIER}.buy", nth=4),
        ),
    ),
    Flow(
        "settle, refused when it is prepared",
        _BATCH.but(arrange=batch(7, streets={2: "1 REJECT Street"}), ends=Ends(bought=6, charges=6)),
        around_commit("refused", f"{BOOKS}:_settle_preparation"),
    ),
    Flow(
        "settle, refused when it is bought",
        _BATCH.but(arrange=batch(7, streets={2: "1 REFUSE AT BUY Street"}), ends=Ends(bought=6, charges=6)),
        around_commit("refused", "shipping.engine.settle:_settle_rejected"),
    ),
    Flow(
        "settle, preparing did not work out",
        _BATCH.but(faults=({"on": "create", "action": "error", "status": 503, "count": 1},)),
        around_commit("let go", f"{BOOKS}:let_go"),
    ),
    Flow(
        "settle, carrier unavailable",
        _BATCH.but(faults=({"on": "buy", "action": "error", "status": 503, "count": 1},)),
        around_commit("not bought", "shipping.engine.settle:settle_not_bought"),
    ),
    Flow(
        "settle, connection lost after the charge",
        _BATCH.but(faults=({"on": "buy", "action": "drop", "when": "after", "count": 1},)),
        around_commit("in doubt", "shipping.engine.settle:_settle_unknown"),
    ),
)

_COMPLETE = Flow(
    "complete",
    _BATCH,
    (
        *around_commit("the last row", f"{BOOKS}:end_runs", INTERRUPTED, COMPLETED),
        before("before the run's own end", f"{BOOKS}:end_run", COMPLETED),
        *around_commit("the run's own end", f"{BOOKS}:_end", COMPLETED, nth=2, within=_END_RUN),
        after("before the ticket is told", "shipping.engine.process:work", COMPLETED),
    ),
)

_HEARTBEAT = Flow(
    "heartbeat",
    Scene(
        arrange=batch(1),
        ends=Ends(bought=1, charges=1),
        faults=({"on": "buy", "action": "hang", "when": "after", "count": 1},),
    ),
    # The first beats come with the reservation and the claim; then nothing is left but to wait.
    around_commit("with nothing else to write", f"{BOOKS}:_beat", nth=4),
)

_HAND_OVER = Flow(
    "hand-over",
    Scene(
        arrange=batch(6),
        ends=Ends(bought=6, charges=6),
        faults=(slow("buy", "before", 0.4),),
        settings={**_ONE_AT_A_TIME, "RUN_SECONDS": "1.0", "HALT_AFTER_SECONDS": "0.9"},
    ),
    (
        before("before the run's end", f"{BOOKS}:end_run"),
        *around_commit("the successor is issued", f"{BOOKS}:issue_run", INTERRUPTED, WAITING, within=_END_RUN),
        after("the successor's ticket is queued", "shipping.runs:enqueue", WAITING),
    ),
)

_STOP = (
    Flow(
        "graceful stop",
        _BATCH.but(alterations=(told_to_end(CLAIM),)),
        (
            *around_commit("what is in the air is settled", ANSWERS),
            *around_commit("hands over", f"{BOOKS}:issue_run", INTERRUPTED, WAITING, within=_END_RUN),
            after("handed over, not yet gone", f"{BOOKS}:end_run", WAITING),
            before("before the goodbye", GOODBYE, WAITING),
            after("after the goodbye", GOODBYE, WAITING),
        ),
    ),
    Flow(
        "graceful stop with a ticket in hand",
        _BATCH.but(alterations=(told_to_end("shipping.engine.process:_start"),)),
        (
            before("before the ticket is handed back", "shipping.engine.process:enqueue", WAITING),
            after("the ticket is handed back", "shipping.engine.process:enqueue", WAITING),
        ),
    ),
    Flow(
        "goodbye of a worker that is idle",
        _BATCH.but(arguments=("--until-idle",)),
        (
            before("before it", GOODBYE, COMPLETED),
            after("after it", GOODBYE, COMPLETED),
        ),
    ),
)

_DETECTION = Flow(
    "detection by a living sibling",
    Scene(arrange=beside_a_dead_sibling, ends=Ends(bought=6, charges=6)),
    (
        *around_commit("the dead one's rows are taken over", RESERVATION),
        *around_commit("its doubts are noted to be asked about", "shipping.engine.reconcile:Question"),
        before("before the carrier is asked", f"{CARRIER}.lookup"),
        after("answered, in memory alone", f"{CARRIER}.lookup"),
        *around_commit("the first answer is settled", f"{BOOKS}:settle_finding"),
        *around_commit("the second answer is settled", f"{BOOKS}:settle_finding", nth=2),
    ),
)

_LATE = Flow(
    "late answer",
    Scene(
        arrange=batch(1),
        provoke=cancel_in_the_air,
        ends=Ends(bought=1, charges=1, status=JobStatus.cancelled),
        # Charged at once; the answer trickles in when its run has long given up and ended.
        faults=({"on": "buy", "action": "drip", "bytes_per_second": 500},),
    ),
    around_commit("filed without a run", f"{BOOKS}:settle_purchase", CANCELLED, nth=2),
)

_PACE = (
    Flow(
        "limit",
        _BATCH.but(settings={"MAX_REQUESTS_PER_SECOND": "20"}),
        around_commit("permits are drawn", "shipping.pace:_lock", within="shipping.pace._draw"),
    ),
    Flow(
        "retry-after",
        _BATCH.but(faults=({"on": "buy", "action": "error", "status": 429, "retry_after": 1, "count": 1},)),
        around_commit("the wait is noted for all", "shipping.pace:_lock", within="shipping.pace._pass_on"),
    ),
)

RUN_FLOWS: tuple[Flow, ...] = (
    _START,
    *_PREPARE,
    _CLAIM,
    *_BUY,
    *_SETTLE,
    _COMPLETE,
    _HEARTBEAT,
    _HAND_OVER,
    *_STOP,
    _DETECTION,
    _LATE,
    *_PACE,
)
