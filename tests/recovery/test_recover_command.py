"""`manage.py recover`: its words, its questions, its exit codes."""

import io
import json
import shlex
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from shipping.models import Event, Job, Run
from shipping.services import JobService
from shipping.states import EventKind, JobStatus, Sweep
from tests.factories import claim_row, halt_job, make_interrupted_job, make_job, make_live_run, row_of
from tests.support.processes import ROOT, environment

pytestmark = pytest.mark.django_db


def recover(*arguments: object) -> str:
    """What the command writes to stdout."""
    out = io.StringIO()
    call_command("recover", *map(str, arguments), stdout=out)
    return out.getvalue()


def refused(*arguments: object) -> tuple[str, str]:
    """Runs a command that must be refused with exit code 2; returns stdout and the message."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("recover", *map(str, arguments), stdout=out)
    assert caught.value.returncode == 2
    return out.getvalue(), str(caught.value)


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_it_says_that_no_job_is_interrupted() -> None:
    make_job(3)
    assert recover() == "No job is interrupted.\n"


def test_it_lists_interrupted_jobs() -> None:
    first, second = make_interrupted_job(5, completed=2, name="First"), make_interrupted_job(3, name="Second")
    claim_row(row_of(first, 3))
    halt_job(row_of(second, 1), message="No such street.")
    lines = recover().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{second.pk}  Second: 0 of 3 rows bought, since ")
    assert lines[0].endswith("stopped at an error: No such street.")
    assert lines[1].startswith(f"{first.pk}  First: 2 of 5 rows bought, 1 row in doubt, since ")


def test_it_takes_the_id_or_the_code() -> None:
    for name in ("pk", "code"):
        job = make_interrupted_job(3)
        assert recover(getattr(job, name), "resume").startswith("Resuming “Autumn orders”")
        assert fresh(job).epoch == job.epoch + 1


def test_resume_and_cancel_need_no_further_question(clerk: User) -> None:
    job = make_interrupted_job(3, completed=1)
    halt_job(row_of(job, 2))
    recover(job.pk, "resume", "--skip-failed-row", "--reason", "Bad address", "--user", "clerk")
    event = Event.objects.get(job=job, kind=EventKind.resumed)
    assert (event.actor, event.details["reason"], event.details["skipped_row"]) == (clerk, "Bad address", 2)
    other = make_interrupted_job(3)
    assert "no further rows will be processed" in recover(other.pk, "cancel")
    assert fresh(other).status == JobStatus.cancelled


def test_resume_retries_failed_rows_when_asked_to() -> None:
    job = make_interrupted_job(3)
    recover(job.pk, "resume", "--retry-failed")
    assert fresh(job).sweep == Sweep.retry


def test_restart_prints_its_warning_and_a_token_and_goes_ahead_only_with_it() -> None:
    job = make_interrupted_job(8, completed=6)
    out, message = refused(job.code, "restart", "--void-first", "--reason", "New boxes")
    assert message == "Nothing was changed: a restart has to be confirmed."
    assert "WARNING: 6 rows already have tracking numbers." in out
    assert "Row 1: Recipient 1, tracking " in out
    assert "… and 1 more row." in out
    assert "The labels cost $45.00; the same again would cost about $45.00." in out
    interpreter, _script, name, *words = shlex.split(out.splitlines()[-1].removeprefix("To go ahead: "))
    assert (interpreter, name) == (sys.executable, "recover")
    command = shlex.join(words)
    assert command.endswith("--void-first --reason 'New boxes'")
    assert fresh(job).sweep == Sweep.none
    token = command.split()[3]
    assert command.split()[:3] == [job.code, "restart", "--confirm"]
    assert recover(job.code, "restart", "--confirm", token, "--void-first").startswith("Restarting “Autumn orders”")
    assert (fresh(job).sweep, fresh(job).sweep_void) == (Sweep.restart, True)


def test_a_confirmation_whose_facts_moved_is_refused() -> None:
    job = make_interrupted_job(4, completed=2)
    token = json.loads(refused(job.pk, "restart", "--json")[0])["confirmation"]
    halt_job(row_of(job, 3))
    _out, message = refused(job.pk, "restart", "--confirm", token)
    assert "has changed since you were shown it" in message
    assert fresh(job).sweep == Sweep.none


def test_what_is_refused_exits_with_2(clerk: User) -> None:
    job = make_job(3, status=JobStatus.running)
    make_live_run(job)
    assert "is not interrupted: a worker is on it" in refused(job.pk, "resume")[1]
    assert "is not interrupted" in refused(job.pk)[1]
    assert refused("nothing")[1] == "There is no job 'nothing'."
    assert "There is no choice 'explode'" in refused(job.pk, "explode")[1]
    assert "no active user 'nobody'" in refused(job.pk, "resume", "--user", "nobody")[1]
    assert "not valid" in refused(make_interrupted_job(2).pk, "restart", "--confirm", "forged")[1]
    assert fresh(job).status == JobStatus.running


def test_check_queues_the_question_of_any_job(service: JobService) -> None:
    job = make_interrupted_job(4)
    row = claim_row(row_of(job, 2), Run.objects.get(job=job))
    row.ask_after, row.answer = 1e12, "Could not find out: no answer"
    row.save()
    service.cancel(job.pk)
    out = recover(job.pk, "check")
    assert out.startswith(
        "The carrier will be asked about 1 row.\nRow 2 (Recipient 2): Could not find out: no answer\n"
    )
    assert "No worker is running: " in out
    assert row_of(job, 2).ask_after < 1e12
    assert recover(make_job(2).pk, "check") == "No row is in doubt.\n"


# --- Asked -------------------------------------------------------------------------------------------------


def test_it_shows_the_job_and_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_interrupted_job(5, completed=2)
    type_in(monkeypatch, "[Resume]\n")
    out = recover(job.pk)
    assert out.startswith("Job 'Autumn orders' was interrupted at row 2/5.\nLast completed: Row 2 (Recipient 2, ")
    assert "Your choice: Resuming “Autumn orders”: 3 rows to go." in out
    assert fresh(job).epoch == job.epoch + 1


def test_check_can_be_typed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_interrupted_job(5)
    claim_row(row_of(job, 1))
    type_in(monkeypatch, "check\n")
    assert "The carrier will be asked about 1 row." in recover(job.pk)


@pytest.mark.parametrize("typed", ["", "\n", "perhaps\n", "restart\n", "restart\nyes\n", "restart\n3\n"])
def test_without_a_clear_answer_nothing_is_chosen(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    job = make_interrupted_job(5, completed=2)
    before = Job.objects.filter(pk=job.pk).values().get()
    type_in(monkeypatch, typed)
    refused(job.pk)
    assert Job.objects.filter(pk=job.pk).values().get() == before


def test_a_restart_asks_for_the_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_interrupted_job(5, completed=2)
    type_in(monkeypatch, "restart\n2\n")
    out = recover(job.pk)
    assert "WARNING: 2 rows already have tracking numbers." in out
    assert "2 labels will be bought again" in out
    assert fresh(job).sweep == Sweep.restart


def test_a_choice_is_bound_to_what_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_interrupted_job(5, completed=2)

    class SlowPerson:
        def readline(self) -> str:
            halt_job(row_of(job, 3))  # while the person thinks
            return "resume\n"

    monkeypatch.setattr("sys.stdin", SlowPerson())
    _out, message = refused(job.pk)
    assert "has changed since you were shown it" in message


# --- JSON --------------------------------------------------------------------------------------------------


def test_json_is_one_object_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "resume\n")  # never asked for
    assert json.loads(recover("--json")) == {"interrupted": []}
    job = make_interrupted_job(5, completed=2)
    listed = json.loads(recover("--json"))["interrupted"][0]
    assert (listed["job_id"], listed["guarantee"], listed["cost"]) == (job.pk, "exactly_once", 1500)
    assert listed["interrupted_at"].endswith("+00:00")
    shown = json.loads(recover(job.pk, "--json"))
    assert shown["job"]["completed_rows"] == 2
    assert set(shown["choices"]) == {"resume", "restart", "cancel"}
    unconfirmed = json.loads(refused(job.pk, "restart", "--json")[0])
    assert (unconfirmed["requires_confirmation"], unconfirmed["exit_code"]) == (True, 2)
    assert json.loads(refused("nothing", "--json")[0]) == {
        "error": "There is no job 'nothing'.",
        "kind": "UnknownJob",
        "exit_code": 2,
    }
    assert json.loads(recover(job.pk, "check", "--json"))["asked"] == 0
    token = shown["choices"]["resume"]["confirmation"]
    resumed = json.loads(recover(job.pk, "resume", "--confirm", token, "--json"))
    assert (resumed["action"], resumed["status"]) == ("resume", "running")


# --- As a process ------------------------------------------------------------------------------------------


def run_recover(*arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "recover", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(), input=typed, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.django_db(transaction=True)
def test_as_a_process_it_reads_a_pipe_and_ends_with_the_exit_codes() -> None:
    job = make_interrupted_job(5, completed=2)
    silent = run_recover(str(job.pk))
    assert silent.returncode == 2
    assert "[restart]" in silent.stdout
    assert "Nothing was chosen; nothing was changed." in silent.stderr
    assert fresh(job).epoch == job.epoch
    chosen = run_recover(job.code, typed="cancel\n")
    assert (chosen.returncode, chosen.stderr) == (0, "")
    assert "no further rows will be processed" in chosen.stdout
    assert fresh(job).status == JobStatus.cancelled
    again = run_recover(job.code, "resume", "--json")
    assert again.returncode == 2
    problem: dict[str, Any] = json.loads(again.stdout)
    assert problem["kind"] == "NotInterrupted"


@pytest.mark.django_db(transaction=True)
def test_as_a_process_a_database_that_can_not_be_used_is_a_failure() -> None:
    broken = environment(DATABASE_URL="sqlite:////nowhere/at/all.sqlite3")
    command = [sys.executable, "manage.py", "recover", "--json"]
    result = subprocess.run(command, cwd=ROOT, env=broken, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert json.loads(result.stdout)["exit_code"] == 1
