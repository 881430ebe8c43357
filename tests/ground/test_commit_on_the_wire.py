"""The connection to PostgreSQL breaks at a COMMIT: on its way to the server, or on the way of its answer back."""

from pathlib import Path

import pytest

from shipping.states import EventKind, RunEnd
from tests.ground.proxy import CutWire
from tests.ground.scene import Scene
from tests.ground.test_commit_unknown import assert_nothing_unknown_was_sent
from tests.support.databases import postgres_only
from tests.support.sandbox import SandboxProcess

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]

CLAIM = b"UPDATE shipping_row\nSET status = 'in_flight'"
SETTLE = b"INSERT INTO shipping_label"

both = pytest.mark.parametrize("delivered", [True, False], ids=["its answer is lost", "it is lost"])


@both
def test_of_a_claim_whose_commit_was_cut_off_nothing_is_sent(
    delivered: bool, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene, CutWire(statement=CLAIM, delivered=delivered) as wire:
        scene.start(buying_takes=0.1)
        scene.call_worker(DATABASE_URL=wire.url)
        scene.see_it_through(resumes=False)
        assert wire.cuts == 1
        assert_nothing_unknown_was_sent(scene, committed=delivered)
        assert "Traceback" not in scene.log.read_text()


@both
def test_an_answer_whose_commit_was_cut_off_is_filed_again_and_once(
    delivered: bool, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene, CutWire(statement=SETTLE, delivered=delivered) as wire:
        scene.start(buying_takes=0.1)
        scene.call_worker(DATABASE_URL=wire.url)
        scene.see_it_through(resumes=False)
        assert wire.cuts == 1
        assert scene.ends_of_runs() == [RunEnd.handed_over, RunEnd.no_work]
        assert sum(scene.job.runs.values_list("bought_rows", flat=True)) == scene.rows
        assert scene.events(EventKind.second_charge) == scene.events(EventKind.label_conflict) == 0
        assert "Traceback" not in scene.log.read_text()
