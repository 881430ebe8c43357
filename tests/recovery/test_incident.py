"""Why an interrupted job does not go on, told from what its runs left in the books."""

import pytest
from django.utils import timezone

from recovery.incident import Cause, Place, cause_of, place_of, telling_runs, why
from shipping.liveness import this_process
from shipping.models import Job, Run
from shipping.models.clock import boot_id
from shipping.services import JobService
from shipping.states import JobStatus, RunEnd
from tests.factories import halt_job, make_dead_run, make_interrupted_job, make_job, make_live_run, row_of

pytestmark = pytest.mark.django_db


def _cause(job: Job) -> Cause:
    fresh = Job.objects.get(pk=job.pk)
    return cause_of(fresh, telling_runs([fresh]).get(fresh.pk))


def test_a_process_that_is_gone_has_ended() -> None:
    assert _cause(make_interrupted_job(2)) is Cause.process_ended


def test_a_process_that_is_there_and_says_nothing_does_not_answer() -> None:
    job = make_job(2, status=JobStatus.running)
    Run.objects.filter(pk=make_live_run(job).pk).update(beat=-1_000_000.0)
    assert _cause(job) is Cause.silent


def test_another_boot_of_the_machine_that_holds_the_file_was_an_earlier_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = make_interrupted_job(2)
    job.runs.update(host="an-earlier-boot/pid:[4026531836]")
    for vendor, place, cause in (
        ("sqlite", Place.before_restart, Cause.machine_restarted),
        ("postgresql", Place.elsewhere, Cause.silent),
    ):
        monkeypatch.setattr("recovery.incident.connection", type("Connection", (), {"vendor": vendor}))
        assert place_of(job.runs.get()) is place
        assert _cause(job) is cause


def test_another_container_on_this_machine_is_this_machine() -> None:
    assert place_of(Run(host=this_process().host)) is Place.here
    assert place_of(Run(host=f"{boot_id()}/pid:[1]")) is Place.here
    assert place_of(Run()) is Place.unknown


def test_a_job_that_was_set_to_run_has_nobody_whatever_its_earlier_runs_did() -> None:
    assert _cause(make_job(2, status=JobStatus.running)) is Cause.never_asked
    job = make_interrupted_job(2)
    JobService().pause(job.pk)
    JobService().update_status(job.pk, "running")
    assert _cause(job) is Cause.never_asked


def test_an_error_tells_more_than_how_the_runs_ended() -> None:
    job = make_interrupted_job(2)
    halt_job(row_of(job, 1), message="No such street.")
    fresh = Job.objects.get(pk=job.pk)
    assert _cause(job) is Cause.halted
    assert why(fresh, None) == "It stopped at an error: No such street."


def test_of_several_runs_the_one_that_stopped_in_the_middle_tells() -> None:
    job = make_job(2, status=JobStatus.running)
    dead = make_dead_run(job)
    Run.objects.create(job=job, epoch=job.epoch, issued=0.0, queued=0.0)
    assert telling_runs([job]) == {job.pk: dead}


def test_runs_that_left_or_were_never_taken_up_are_told_apart() -> None:
    left, issued = make_interrupted_job(2), make_job(2, status=JobStatus.running)
    left.runs.update(ended_at=timezone.now(), end_reason=RunEnd.handed_over)
    Run.objects.create(job=issued, epoch=issued.epoch, issued=0.0, queued=0.0)
    assert (_cause(left), _cause(issued)) == (Cause.left, Cause.not_taken_up)
