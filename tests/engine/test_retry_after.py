"""A carrier that names when it wants to be asked again (Retry-After) is not asked before, whatever it was asked for."""

from typing import Any

import pytest

from shipping.carriers.port import Unavailable
from shipping.engine.letters import FileOrder, VoidLetter
from shipping.models import Label
from shipping.models.clock import book_now
from tests.engine.letters import answer, question
from tests.factories import claim_row, complete_row, make_dead_run, make_interrupted_job, row_of

pytestmark = pytest.mark.django_db

LATER = Unavailable("RATE_LIMITED", "Slow down.", retry_after=600.0)


@pytest.fixture
def label() -> Label:
    return complete_row(row_of(make_interrupted_job(rows=1), 1))


def test_a_look_up_waits_as_long_as_the_carrier_has_named(settings: Any) -> None:
    job = make_interrupted_job(rows=1)
    row = claim_row(row_of(job, 1), make_dead_run(job), due_in=-3600)
    before = book_now()
    answer(question(row), LATER)
    row.refresh_from_db()
    assert row.ask_after >= before + 600 > before + settings.HEARTBEAT_SECONDS


def test_a_void_waits_as_long_as_the_carrier_has_named(label: Label) -> None:
    Label.objects.filter(pk=label.pk).update(void_requested="only")
    letter = VoidLetter(job_id=label.job_id, carrier=label.account, label_id=label.pk, purchase_id=label.purchase_id)
    before = book_now()
    answer(letter, LATER)
    label.refresh_from_db()
    assert label.void_after >= before + 600


def test_a_label_file_waits_as_long_as_the_carrier_has_named(label: Label) -> None:
    order = FileOrder(
        job_id=label.job_id,
        carrier=label.account,
        label_id=label.pk,
        purchase_id=label.purchase_id,
        label_url="",
        file_name="label.pdf",
    )
    before = book_now()
    answer(order, LATER)
    label.refresh_from_db()
    assert label.fetch_after >= before + 600
