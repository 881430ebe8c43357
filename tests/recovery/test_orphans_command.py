"""`manage.py orphans`."""

import io
import json
import shlex
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from shipping.models import Event, Job, Label, Orphan
from shipping.states import ComparisonStatus, EventKind, JobStatus, VoidRequest
from tests.comparing.listed import buy, compare, orphan_of
from tests.factories import make_comparison, make_job, make_orphan, row_of
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db


def orphans(*arguments: object) -> tuple[int, list[str], str]:
    """Exit code, lines of stdout, and what goes to stderr."""
    out = io.StringIO()
    try:
        call_command("orphans", *map(str, arguments), stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue().splitlines(), str(error)
    return 0, out.getvalue().splitlines(), ""


def told(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit code and the one JSON object."""
    code, lines, _error = orphans(*arguments, "--json")
    (line,) = lines
    return code, json.loads(line)


@pytest.fixture
def job(db: None) -> Job:
    return make_job(3, status=JobStatus.running)


@pytest.fixture
def charged(sandbox: SandboxProcess) -> Orphan:
    """Row 2 of a running job, bought behind our back."""
    job = make_job(3, status=JobStatus.running)
    buy(job, 2)
    compare(job)
    return orphan_of(job, 2)


def test_a_job_that_was_never_compared(job: Job) -> None:
    assert orphans(job.pk) == (0, ["Never compared with the carrier's list."], "")


def test_it_lists_the_charges_with_what_is_certain(job: Job) -> None:
    make_comparison(job)
    orphan = make_orphan(row_of(job, 2))
    code, lines, _error = orphans(job.code.lower())
    assert code == 0
    assert lines[0] == "Compared: the carrier lists 5 purchases of this job. Charges that no row owns: 1."
    assert lines[1].startswith(
        f"{orphan.purchase_id}  row 2 (Recipient 2): $8.25, {orphan.tracking_number}. The row waits"
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (ComparisonStatus.ordered, "The comparison waits for a worker."),
        (ComparisonStatus.failed, "Could not be compared to the end: The carrier did not answer in time."),
    ],
)
def test_it_says_how_the_comparison_stands(job: Job, status: ComparisonStatus, said: str) -> None:
    make_comparison(job, status=status)
    _code, lines, _error = orphans(job.pk)
    assert lines[0].startswith(said)
    assert ("No worker is running" in lines[-1]) == (status == ComparisonStatus.ordered)


def test_other_differences_are_pointed_out(job: Job) -> None:
    comparison = make_comparison(job)
    comparison.counts = {"cost": 2}
    comparison.save()
    assert f"Other differences: 2; see manage.py audit_books {job.pk}." in orphans(job.pk)[1][0]


def test_it_orders_a_comparison(job: Job, clerk: User) -> None:
    code, lines, _error = orphans(job.pk, "compare", "--user", "clerk", "--reason", "A restore.")
    assert code == 0
    assert lines[0].startswith("A worker will compare the job.")
    assert lines[1].startswith("No worker is running")
    event = Event.objects.get(kind=EventKind.comparison_ordered)
    assert (event.actor, event.details["reason"]) == (clerk, "A restore.")
    assert orphans(job.pk, "compare")[1][0].startswith("The job is being compared already.")


def test_it_compares_in_this_process_where_no_worker_may_run(sandbox: SandboxProcess, clerk: User) -> None:
    job = make_job(3, status=JobStatus.running)
    purchase = buy(job, 2)
    code, lines, _error = orphans(job.pk, "compare", "--here", "--user", "clerk")
    assert code == 0
    assert lines[0] == "Compared: the carrier lists 1 purchase of this job. Charges that no row owns: 1."
    assert lines[1].startswith(purchase.purchase_id)
    assert Event.objects.get(kind=EventKind.comparison_ordered).actor == clerk


@pytest.mark.parametrize("decision", ["adopt", "void"])
def test_without_a_confirmation_it_only_says_what_it_would_do(charged: Orphan, decision: str) -> None:
    code, lines, error = orphans(charged.job_id, decision, charged.purchase_id, "--reason", "Why not")
    assert (code, error) == (2, f"Nothing was changed: {decision} has to be confirmed.")
    assert any("Row 2" in line for line in lines)
    assert not Label.objects.exists()

    command = shlex.split(lines[-1].removeprefix("To go ahead: "))
    code, lines, _error = orphans(*command[command.index("orphans") + 1 :])
    label = Label.objects.get()
    assert code == 0
    assert lines[0].startswith(f"Row 2: the label {label.tracking_number} is recorded")
    assert (label.void_requested == VoidRequest.only) == (decision == "void")
    assert Event.objects.get(kind=EventKind.resolved).details["reason"] == "Why not"


def test_what_is_settled_is_refused(charged: Orphan) -> None:
    _code, shown = told(charged.job_id, "adopt", charged.purchase_id)
    assert orphans(charged.job_id, "adopt", charged.purchase_id, "--confirm", shown["confirmation"])[0] == 0
    code, answer = told(charged.job_id, "void", charged.purchase_id)
    assert code == 2
    assert "Somebody at a terminal settled this charge" in answer["error"]
    assert orphans(charged.job_id, "adopt", charged.purchase_id, "--confirm", shown["confirmation"])[0] == 2
    assert Label.objects.count() == 1


def test_what_makes_no_sense_is_refused(job: Job) -> None:
    assert orphans(999) == (2, [], "There is no job '999'.")
    assert orphans(job.pk, "adopt")[0] == 2
    assert "compare it first" in orphans(job.pk, "adopt", "shp_nothing")[2]
    assert orphans(job.pk, "compare", "--user", "nobody")[0] == 2
    orphan = make_orphan(row_of(job, 2))
    assert orphans(job.pk, "void", orphan.purchase_id, "--confirm", "nonsense")[0] == 2
    assert not Event.objects.exists()


def test_it_speaks_json(job: Job) -> None:
    make_comparison(job)
    orphan = make_orphan(row_of(job, 2))
    code, answer = told(job.pk)
    assert (code, answer["comparison"]) == (0, "done")
    (listed,) = answer["orphans"]
    assert (listed["purchase"], listed["row_number"], listed["cost_cents"]) == (orphan.purchase_id, 2, 825)
    assert listed["can_be_decided"] is True
    code, answer = told(job.pk, "void", orphan.purchase_id)
    assert (code, answer["requires_confirmation"], answer["exit_code"]) == (2, True, 2)
    assert told(job.pk, "compare")[1]["ordered"] is True
