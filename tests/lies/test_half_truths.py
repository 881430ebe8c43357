"""Lies beyond what software can know: the carrier plainly says "nothing was bought", later than any request may arrive,
and it was. What happens then, for each guarantee, and who finds out.

- *Exactly once*: the row goes out again under its handle. Its shipment is looked at before it is bought, and bought
  once at most, so what was charged is adopted. Only a carrier that denies the purchase even then, and breaks its own
  guarantee, charges a second time; where its list shows but the newest charge of a shipment, nothing that it can be
  asked tells of the first one: that is left to its invoice.
- *Adopt or ask a person*: the person decides, with the carrier's answer at that moment. Whoever is told "no" again, and
  sends the row again, has it charged twice.
- *Adopt or send again*: it is charged twice.

Every second charge that the carrier's list shows is found by `audit_books`, which names it.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User

from shipping.carriers.registry import get_carrier
from shipping.models import Job, Row
from shipping.states import RowStatus
from tests.factories import carrier_order, row_of
from tests.lies.scene import (
    ASKS,
    FORGETFUL,
    GUARANTEES,
    ONCE,
    SENDS,
    Fault,
    Guaranteed,
    at_work,
    begin,
    play,
    row_of_lie,
)
from tests.support.auditing import audit
from tests.support.ledger import compare_when_over
from tests.support.processes import wait_until
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

# Longer than elsewhere, so that a first question comes before the quiet period is over on any machine.
QUIET_SECONDS = 4.0
# When the carrier carries out a request that was due long ago: some seconds after the row was sent again.
LATE_SECONDS = 13.0

_BUY: Fault = {"on": "buy", "count": 1}
_LOST: Fault = {**_BUY, "action": "drop", "when": "after"}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a row comes to: how often it was charged, and what `audit_books` says of it ("" for nothing)."""

    charges: int
    found: str = ""


ONE = Expected(1)
FOUND = Expected(2, "orphan")
HIDDEN = Expected(2)
_TWICE_BY_REFERENCE = {ONCE: ONE, FORGETFUL: ONE, ASKS: FOUND, SENDS: FOUND}


@dataclass(frozen=True, slots=True)
class HalfTruth:
    """What the carrier does about one row, and what comes of it. `stray`: it has charged the reference before."""

    name: str
    faults: list[Fault]
    expected: Mapping[Guaranteed, Expected]
    stray: bool = False


HALF_TRUTHS = (
    HalfTruth(
        "look-up says no after the quiet period, and later yes",
        [_LOST, {"on": "lookup", "action": "deny", "count": 2}],
        {ONCE: ONE, FORGETFUL: ONE, ASKS: ONE, SENDS: FOUND},
    ),
    HalfTruth(
        "look-up says no once more, to a person or before the purchase, and later yes",
        [_LOST, {"on": "lookup", "action": "deny", "count": 3}],
        {ONCE: ONE, FORGETFUL: HIDDEN, ASKS: FOUND, SENDS: FOUND},
    ),
    HalfTruth(
        "refused after charging",
        [{**_BUY, "action": "error", "when": "after", "status": 422}],
        _TWICE_BY_REFERENCE,
    ),
    HalfTruth(
        "told to slow down after charging",
        [{**_BUY, "action": "error", "when": "after", "status": 429, "retry_after": 1}],
        _TWICE_BY_REFERENCE,
    ),
    HalfTruth(
        "carried out long after it was due",
        [{**_BUY, "action": "delay", "seconds": LATE_SECONDS}],
        # The label in the books is that of the purchase in time; the list shows the late one.
        {ONCE: ONE, FORGETFUL: Expected(2, "tracking"), ASKS: FOUND, SENDS: FOUND},
    ),
    HalfTruth(
        "the same tracking number twice",
        [{**_BUY, "action": "earlier_tracking"}],
        dict.fromkeys(GUARANTEES, Expected(1, "tracking")),
    ),
    HalfTruth("two charges under one reference", [_LOST], dict.fromkeys(GUARANTEES, FOUND), stray=True),
)


@pytest.mark.parametrize("guaranteed", GUARANTEES, ids=str)
def test_a_second_charge_comes_only_from_what_the_carrier_plainly_said_and_is_found(
    guaranteed: Guaranteed, liar: SandboxProcess, clerk: User, settings: Any
) -> None:
    settings.QUIET_SECONDS = QUIET_SECONDS
    job = begin(guaranteed, liar, [each.faults for each in HALF_TRUTHS], before_start=buy_strays)
    with at_work(liar, QUIET_SECONDS=f"{QUIET_SECONDS:g}"):
        play(job, clerk)
        wait_for_the_late_request(liar, sum(each.expected[guaranteed].charges - 1 for each in HALF_TRUTHS), job)
    assert not Row.objects.filter(job=job).exclude(status=RowStatus.completed).exists()
    job.refresh_from_db()
    assert job.successful_rows == job.total_rows

    outcome = outcomes(job, liar)
    assert {each.name: outcome[place] for place, each in enumerate(HALF_TRUTHS)} == {
        each.name: each.expected[guaranteed] for each in HALF_TRUTHS
    }
    # Nothing else is wrong: no label without its charge, and no charge lost, but those that are named above.
    touched = {job.reference(row_of_lie(place), 1) for place in range(len(HALF_TRUTHS))}
    breaches = compare_when_over(job, liar.ledger()).breaches
    assert set(breaches) <= {"duplicate", "lost", "without charge", "not one charge"}
    assert [each for kind in breaches.values() for each in kind if not any(name in each for name in touched)] == []
    assert audit(job).code == 1


def outcomes(job: Job, sandbox: SandboxProcess) -> dict[int, Expected]:
    """What each row that was lied about came to, by the place of its lie."""
    charges: dict[str, int] = defaultdict(int)
    for charge in sandbox.ledger():
        charges[charge["reference"]] += 1
    found: dict[str, list[str]] = defaultdict(list)
    for finding in audit(job).findings:
        found[finding["reference"]].append(finding["kind"])
    references = [job.reference(row_of_lie(place), 1) for place in range(len(HALF_TRUTHS))]
    return {place: Expected(charges[each], ", ".join(found[each])) for place, each in enumerate(references)}


def buy_strays(job: Job) -> None:
    """Have the carrier charge references before their rows are bought, without a word to us."""
    for place, each in enumerate(HALF_TRUTHS):
        if each.stray:
            order = carrier_order(row_of(job, row_of_lie(place)), job)
            get_carrier(ASKS.carrier).buy(order, order.reference, {}, timeout=10)


def wait_for_the_late_request(sandbox: SandboxProcess, extra: int, job: Job) -> None:
    """Until the carrier has carried out what it had delayed, with the charges that this brings."""
    time.sleep(LATE_SECONDS / 2)
    wait_until(lambda: sandbox.stats()["charges"] >= job.total_rows + extra, what="the late purchase")


def test_a_number_that_was_given_to_two_rows_is_kept_for_both(liar: SandboxProcess, clerk: User) -> None:
    job = begin(ONCE, liar, [[{**_BUY, "action": "earlier_tracking"}]])
    with at_work(liar, SHIP_CONCURRENCY="1"):
        play(job, clerk)
    numbers = [row_of(job, number).label.tracking_number for number in (1, 2, 3)]  # type: ignore[union-attr]
    charged = {charge["reference"]: charge["tracking_code"] for charge in liar.ledger()}
    second = job.reference(2, 1)
    assert numbers[1] in set(charged.values()) - {charged[second]}
    assert numbers.count(numbers[1]) == 2
    assert [(each["kind"], each["row_number"]) for each in audit(job).findings] == [("tracking", 2)]
