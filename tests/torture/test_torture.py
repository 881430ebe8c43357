"""A short run of what `make torture` does for as long as one likes, and the comparison that it rests on. Whole broken
builds are for `make torture-controls`.
"""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.factories import complete_row, make_job, row_of
from tests.support.by_reference import carriers
from tests.support.ledger import compare_at_any_time, compare_when_over
from tests.support.processes import SHORT_WAITS
from tests.support.sandbox import SandboxProcess
from tests.torture.runner import torture
from tests.torture.stage import WAITS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def short_waits(settings: Any) -> None:
    """The waits and the carriers of the processes, also for what this process says about them; it asks no carrier."""
    for name, value in {**{name: float(value) for name, value in SHORT_WAITS.items()}, **WAITS}.items():
        setattr(settings, name, value)
    settings.CARRIERS = {**settings.CARRIERS, **carriers("http://127.0.0.1:1/v2")}


def test_no_promise_is_broken_by_six_kills(tmp_path: Path, clerk: User) -> None:
    said: list[str] = []
    result = torture(tmp_path, clerk.username, kills=6, seed=20, say=said.append, rows=(12, 16))
    assert result.found is None, (result.found, said)
    assert result.tally.kills.total() == 6
    assert result.tally.comparisons >= result.tally.batches >= 1
    assert result.tally.charges >= result.tally.bought_rows
    assert "duplicates not confirmed" in result.tally.table()


def test_the_comparison_finds_labels_without_a_charge_and_charges_without_a_row(sandbox: SandboxProcess) -> None:
    job = make_job(2)
    complete_row(row_of(job, 1))
    assert compare_when_over(job, sandbox.ledger()).breaches["without charge"]
    charge = {
        "id": 1,
        "shipment_id": "shp_1",
        "reference": job.reference(2, 1),
        "tracking_code": "9400",
        "cost_cents": 745,
        "refund_status": None,
    }
    assert list(compare_at_any_time(job, [charge]).breaches) == ["lost"]
    assert list(compare_at_any_time(job, [charge, {**charge, "id": 2}]).breaches) == ["lost", "duplicate"]
