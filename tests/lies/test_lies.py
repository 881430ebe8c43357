"""Lies and half-truths of which the truth comes out: whatever the carrier said, each row is bought once, and no charge is
lost, with every guarantee; also with a carrier that has forgotten its own, since no request is sent on a guess.
"""

from dataclasses import dataclass, field

import pytest
from django.contrib.auth.models import User

from shipping.models import Job, Label, Row
from shipping.states import EventKind, RowStatus
from tests.lies.scene import GUARANTEES, ROWS, Fault, Guaranteed, at_work, begin, play
from tests.support.auditing import audit
from tests.support.ledger import assert_books_equal_ledger, compare_when_over
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

# The second purchase is the one that is lied about.
_SECOND: Fault = {"on": "buy", "after": 1, "count": 1}
_LOST: Fault = {**_SECOND, "action": "drop", "when": "after"}


@dataclass(frozen=True, slots=True)
class Lie:
    """What the carrier does. `doubts`: how many rows nobody knows about for a while; `adopted`: how many of them were
    bought all the same, and are recorded because the carrier was asked.
    """

    name: str
    faults: list[Fault] = field(hash=False)
    doubts: int = 1
    adopted: int = 1

    def __str__(self) -> str:
        return self.name


LIES = (
    Lie("charged and told that it timed out", [{**_SECOND, "action": "error", "when": "after", "status": 504}]),
    Lie(
        "charged and told that the carrier behind it gave no answer",
        [{**_SECOND, "action": "error", "when": "after", "status": 422, "code": "SHIPMENT.POSTAGE.TIMED_OUT"}],
    ),
    Lie("told that it timed out, and not charged", [{**_SECOND, "action": "error", "status": 504}], adopted=0),
    Lie("reply dropped after charging", [_LOST]),
    Lie("reply dropped before charging", [{**_SECOND, "action": "drop"}], adopted=0),
    Lie("500 after charging", [{**_SECOND, "action": "error", "when": "after"}]),
    Lie("hangs after charging", [{**_SECOND, "action": "hang", "when": "after"}]),
    Lie("hangs before charging", [{**_SECOND, "action": "hang"}], adopted=0),
    Lie("slow drip", [{**_SECOND, "action": "drip", "bytes_per_second": 500}]),
    Lie("look-up down, then back", [_LOST, {"on": "lookup", "action": "error", "status": 503, "count": 2}]),
    Lie("look-up down until a person asks", [_LOST, {"on": "lookup", "action": "error", "status": 503, "count": 3}]),
    Lie("look-up breaks off, then answers", [_LOST, {"on": "lookup", "action": "drop", "count": 2}]),
    Lie("look-up knows nothing, then does", [_LOST, {"on": "lookup", "action": "error", "status": 404, "count": 2}]),
    Lie("look-up says no, and later yes", [_LOST, {"on": "lookup", "action": "deny", "count": 1}]),
    Lie("malformed answer", [{**_SECOND, "action": "malformed"}]),
    Lie("malformed look-up", [_LOST, {"on": "lookup", "action": "malformed", "count": 2}]),
    Lie("answer for another reference", [{**_SECOND, "action": "other_reference", "reference": "ANOTHER-000001-1"}]),
    Lie(
        "look-up for another reference",
        [_LOST, {"on": "lookup", "action": "other_reference", "reference": "ANOTHER-000001-1", "count": 2}],
    ),
)


@pytest.mark.parametrize("guaranteed", GUARANTEES, ids=str)
@pytest.mark.parametrize("lie", LIES, ids=str)
def test_each_row_is_bought_once_and_no_charge_is_lost(
    lie: Lie, guaranteed: Guaranteed, liar: SandboxProcess, clerk: User
) -> None:
    job = begin(guaranteed, liar, lie.faults)
    with at_work(liar):
        play(job, clerk)
    told = liar.faults()[: len(lie.faults)]
    assert all(fault["hits"] == fault["count"] for fault in told), f"this was not told: {told}"
    assert Row.objects.filter(job=job, status=RowStatus.completed).count() == ROWS
    assert liar.stats() | {"shipments": 0} == {
        "shipments": 0,
        "charges": ROWS,
        "references": ROWS,
        "duplicates": 0,
        "refunded": 0,
    }
    assert_books_equal_ledger(job, liar)
    assert not compare_when_over(job, liar.ledger()).breaches
    assert doubts(job) == lie.doubts
    assert Label.objects.filter(job=job, adopted=True).count() == lie.adopted
    assert audit(job).code == 0


def doubts(job: Job) -> int:
    """Of how many rows it was written down that nobody knew."""
    return job.events.filter(kind=EventKind.in_doubt).values("row").distinct().count()
