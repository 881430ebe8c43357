"""A COMMIT whose outcome nobody knows: it took place and its answer was lost, or it never did."""

from pathlib import Path

import pytest

from shipping.models import Row
from shipping.states import EventKind, RunEnd
from tests.ground.scene import Scene, alteration, wait_for
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

both = pytest.mark.parametrize("committed", [True, False], ids=["it took place", "it did not"])


@both
def test_nothing_of_an_unknown_claim_is_sent_and_its_run_hands_over(
    committed: bool, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.1)
        scene.call_worker(alteration("lose_commit", point="shipping.engine.books:claim", committed=committed, nth=2))
        scene.see_it_through(resumes=False)
        assert "server closed the connection" in scene.log.read_text()
        assert_nothing_unknown_was_sent(scene, committed=committed)


def assert_nothing_unknown_was_sent(scene: Scene, *, committed: bool) -> None:
    """The rows of the claim that took place were found not bought by asking, and claimed anew by the next run; where it
    did not take place, nothing had happened. A purchase that was sent all the same would show as a label of a row
    that was not claimed, or of one that was claimed only once.
    """
    claimed_twice = Row.objects.filter(job=scene.job, claims=2).count()
    assert scene.events(EventKind.not_bought) == claimed_twice
    assert bool(claimed_twice) is committed
    assert scene.events(EventKind.late_label) == 0
    assert scene.events(EventKind.adopted) == 0
    assert scene.ends_of_runs() == [RunEnd.handed_over, RunEnd.no_work]
    assert scene.job.runs.get(turn=2).bought_rows > 0


@both
def test_an_unknown_settle_is_filed_again_and_once(committed: bool, sandbox: SandboxProcess, tmp_path: Path) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.1)
        lost = alteration(
            "lose_commit", point="shipping.engine.books:settle_plainly_bought", committed=committed, nth=2
        )
        scene.call_worker(lost)
        scene.see_it_through(resumes=False)
        assert "server closed the connection" in scene.log.read_text()
        assert scene.ends_of_runs() == [RunEnd.handed_over, RunEnd.no_work]
        assert sum(scene.job.runs.values_list("bought_rows", flat=True)) == scene.rows
        assert scene.events(EventKind.second_charge) == scene.events(EventKind.label_conflict) == 0


@both
def test_an_unknown_start_of_a_run_leaves_no_job_with_nobody_on_it(
    committed: bool, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path) as scene:
        scene.start(buying_takes=0.1)
        scene.call_worker(alteration("lose_commit", point="shipping.engine.books:may_start", committed=committed))
        scene.see_it_through(resumes=False)
        assert "server closed the connection" in scene.log.read_text()
        assert scene.ends_of_runs() == [RunEnd.no_work]


@both
def test_an_unknown_end_of_a_run_is_written_once_and_has_one_successor(
    committed: bool, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with Scene(sandbox, tmp_path, RUN_SECONDS="2", HALT_AFTER_SECONDS="1.5") as scene:
        scene.start(buying_takes=0.6)
        lost = alteration("lose_commit", point="shipping.engine.books:issue_run", committed=committed)
        scene.call_worker(lost)
        wait_for(lambda: len(scene.ends_of_runs()) > 1, what="a hand-over")
        scene.see_it_through(resumes=False)
        assert "server closed the connection" in scene.log.read_text()
        turns = list(scene.job.runs.order_by("turn").values_list("turn", flat=True))
        assert turns == list(range(1, len(turns) + 1)), "each run has one successor"
