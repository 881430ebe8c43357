"""Every boundary of every flow that workers work: one dies there, a person puts it right, and the books are the
carrier's ledger; and the same once more with a second kill while it is put right.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from recovery import check_interrupted_jobs, get_recovery_prompt
from shipping.liveness import Condition, condition
from shipping.models import Label, Row, Upload
from shipping.services import JobService, Refused
from shipping.states import RowStatus
from tests.crash.boundaries import Case, cases
from tests.crash.boundaries_errands import ERRAND_FLOWS
from tests.crash.boundaries_run import RUN_FLOWS
from tests.crash.boundaries_uploads import UPLOAD_FLOWS
from tests.crash.recovering import recover, second_boundaries
from tests.crash.scenes import let_time_pass
from tests.crash.site import WAITS, Site, wait_for_death
from tests.support.ledger import assert_doubts_are_shown, compare_at_any_time, compare_when_over
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

CASES = list(cases((*RUN_FLOWS, *ERRAND_FLOWS, *UPLOAD_FLOWS)))
SECONDS_TO_DIE = 120.0


@pytest.fixture
def site(sandbox: SandboxProcess, clerk: User, settings: Any, tmp_path: Path) -> Iterator[Site]:
    for name, value in WAITS.items():
        setattr(settings, name, value)
    with Site(sandbox, clerk, tmp_path) as site:
        yield site


@pytest.mark.parametrize("second_kill", [False, True], ids=["one kill", "a second in the recovery"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_books_are_the_ledger_after(case: Case, second_kill: bool, site: Site) -> None:
    die_at(case, site)
    if site.upload is None:
        assert_shown_as_it_is(case, site)
    else:
        assert_only_a_file_so_far(site, site.upload)
    if case.scene.passing:
        let_time_pass(site.job, case.scene.passing)
    second = None
    if second_kill:
        possible = second_boundaries(site)
        second = possible[CASES.index(case) % len(possible)]
    recover(site, case, second)
    assert_right_in_the_end(case, site)


def die_at(case: Case, site: Site) -> None:
    """Play the scene until its worker was killed at the boundary; what was wrong at the carrier is over then."""
    scene = case.scene
    site.faults([])
    scene.arrange(site)
    site.faults([*scene.faults, *scene.lasting])
    alterations = [*scene.small, *scene.alterations]
    process = site.start_worker([*alterations, case.boundary.alteration], scene.arguments, **scene.settings)
    if scene.provoke is not None:
        scene.provoke(site)
    wait_for_death(process, SECONDS_TO_DIE, where=str(case))
    assert case.place.within in ("", *site.died_in(process))
    site.faults(scene.lasting)


def assert_shown_as_it_is(case: Case, site: Site) -> None:
    """What a person is shown, at once after the kill, is what the books and the carrier's ledger say."""
    charges = site.sandbox.ledger()
    job = site.job
    assert not JobService().worker_alive()
    assert condition(job) is case.place.shown
    assert not compare_at_any_time(job, charges).breaches
    assert_doubts_are_shown(job, charges)
    info = check_interrupted_jobs(JobService())
    assert (info is not None) == (case.place.shown is Condition.interrupted)
    if info is not None:
        assert info.completed_rows == Row.objects.filter(job=job, status=RowStatus.completed).count()
        assert info.in_flight_count == Row.objects.filter(job=job, status=RowStatus.in_flight).count()
        assert f"at row {info.completed_rows}/{job.total_rows}" in get_recovery_prompt(info)


def assert_only_a_file_so_far(site: Site, upload: Upload) -> None:
    """Nothing was bought, and what is not wholly imported can't be started."""
    upload.refresh_from_db()
    assert site.sandbox.stats()["charges"] == 0
    if upload.job is not None and not upload.job.import_complete:
        assert condition(upload.job) is Condition.not_started
        with pytest.raises(Refused):
            JobService().start(upload.job.pk)


def assert_right_in_the_end(case: Case, site: Site) -> None:
    """Books and ledger agree charge by charge, and there are neither more nor fewer charges than were meant."""
    found = compare_when_over(site.job, site.sandbox.ledger())
    assert not found.breaches
    assert found.unknown == 0
    job, ends = site.job, case.scene.ends
    assert (job.status, job.successful_rows, found.charges) == (ends.status, ends.bought, ends.charges)
    assert Label.objects.filter(job=job, voided_at__isnull=False).count() == ends.voided
