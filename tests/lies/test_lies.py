"""Lies and half-truths of which the truth comes out: whatever the carrier said, each row is bought once, and no charge
is lost, with every guarantee; also with a carrier that has forgotten its own, since no request is sent on a guess.

All of them are told in one batch, each about a row of its own.
"""

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User

from shipping.models import Job, Row
from shipping.states import EventKind, RowStatus
from tests.lies.scene import GUARANTEES, Fault, Guaranteed, at_work, begin, play, row_of_lie
from tests.support.auditing import audit
from tests.support.ledger import assert_books_equal_ledger, compare_when_over
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

# The first purchase of a row is the one that is lied about.
_BUY: Fault = {"on": "buy", "count": 1}
_LOST: Fault = {**_BUY, "action": "drop", "when": "after"}


@dataclass(frozen=True, slots=True)
class Lie:
    """What the carrier does about one row. Each of them leaves it in doubt for a while; `charged` tells whether the
    purchase took place all the same, so that it is recorded because the carrier was asked.
    """

    name: str
    faults: list[Fault]
    charged: bool = True


LIES = (
    Lie("charged and told that it timed out", [{**_BUY, "action": "error", "when": "after", "status": 504}]),
    Lie(
        "charged and told that the carrier behind it gave no answer",
        [{**_BUY, "action": "error", "when": "after", "status": 422, "code": "SHIPMENT.POSTAGE.TIMED_OUT"}],
    ),
    Lie("told that it timed out, and not charged", [{**_BUY, "action": "error", "status": 504}], charged=False),
    Lie("reply dropped after charging", [_LOST]),
    Lie("reply dropped before charging", [{**_BUY, "action": "drop"}], charged=False),
    Lie("500 after charging", [{**_BUY, "action": "error", "when": "after"}]),
    Lie("hangs after charging", [{**_BUY, "action": "hang", "when": "after"}]),
    Lie("hangs before charging", [{**_BUY, "action": "hang"}], charged=False),
    Lie("slow drip", [{**_BUY, "action": "drip", "bytes_per_second": 500}]),
    Lie("look-up down, then back", [_LOST, {"on": "lookup", "action": "error", "status": 503, "count": 2}]),
    Lie("look-up down until a person asks", [_LOST, {"on": "lookup", "action": "error", "status": 503, "count": 3}]),
    Lie("look-up breaks off, then answers", [_LOST, {"on": "lookup", "action": "drop", "count": 2}]),
    Lie("look-up knows nothing, then does", [_LOST, {"on": "lookup", "action": "error", "status": 404, "count": 2}]),
    Lie("look-up says no, and later yes", [_LOST, {"on": "lookup", "action": "deny", "count": 1}]),
    Lie("malformed answer", [{**_BUY, "action": "malformed"}]),
    Lie("malformed look-up", [_LOST, {"on": "lookup", "action": "malformed", "count": 2}]),
    Lie("answer for another reference", [{**_BUY, "action": "other_reference", "reference": "ANOTHER-000001-1"}]),
    Lie(
        "look-up for another reference",
        [_LOST, {"on": "lookup", "action": "other_reference", "reference": "ANOTHER-000001-1", "count": 2}],
    ),
)


@pytest.mark.parametrize("guaranteed", GUARANTEES, ids=str)
def test_each_row_is_bought_once_and_no_charge_is_lost(
    guaranteed: Guaranteed, liar: SandboxProcess, clerk: User
) -> None:
    job = begin(guaranteed, liar, [lie.faults for lie in LIES])
    with at_work(liar):
        play(job, clerk)
    assert {lie.name: wrong for place, lie in enumerate(LIES) if (wrong := what_is_wrong(job, lie, place))} == {}
    untold = [fault for fault in liar.faults() if fault["action"] != "charge_again" and fault["hits"] != fault["count"]]
    assert untold == [], "some lies were not told as often as they should have been"
    job.refresh_from_db()
    assert job.successful_rows == job.total_rows
    assert (liar.stats()["charges"], liar.stats()["duplicates"]) == (job.total_rows, 0)
    assert_books_equal_ledger(job, liar)
    assert compare_when_over(job, liar.ledger()).breaches == {}
    assert audit(job).code == 0


def what_is_wrong(job: Job, lie: Lie, place: int) -> list[str]:
    """Where a row did not go the way that this lie should have sent it."""
    row = Row.objects.select_related("label").get(job=job, number=row_of_lie(place))
    seen = set(job.events.filter(row=row).values_list("kind", flat=True))
    wrong = []
    if row.status != RowStatus.completed or row.label is None:
        return [f"it is {row.status}"]
    if EventKind.in_doubt not in seen:
        wrong.append("nobody wrote down that it was in doubt")
    if lie.charged and not row.label.adopted:
        wrong.append("what was bought was not adopted")
    # The other way round it may have been claimed again: with no time left to send it, which charges nothing.
    if not lie.charged and row.claims == 1:
        wrong.append("it was not sent again")
    return wrong
