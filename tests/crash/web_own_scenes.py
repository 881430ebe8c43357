"""What belongs to no job: the sender, a person's own preferences; and many jobs at once, in the admin."""

from typing import Any

from django.contrib.auth.models import User

from shipping.models import Job
from tests.crash import web_jobs
from tests.crash.arming import Boundary, Moment
from tests.crash.clerk import Clerk, Form, chosen
from tests.crash.web_job_scenes import filled
from tests.crash.web_scenes import Death, Leaves, Scene, around_commit, nothing_left
from tests.crash.web_stage import Stage
from tests.factories import make_job

LIST = "/admin/shipping/job/"
JOBS = 3


def _new_sender(clerk: Clerk, _subject: None) -> Form | None:
    return filled(clerk.find("/sender/", "/sender/"), name="Onceship Annex", phone="415-555-0199")


def _at_once(clerk: Clerk, _subject: None) -> Form | None:
    return filled(clerk.find("/preferences/", "/preferences/"), time_zone="Europe/Lisbon", ships_at_once="at_once")


def _with_admin_rights(make: Any) -> Any:
    def prepare(stage: Stage) -> list[Job]:
        User.objects.filter(username=stage.username).update(is_staff=True)
        return [make() for _each in range(JOBS)]

    return prepare


def _many(action: str) -> Any:
    """Tick all jobs of the list that are still as they were, choose an action, and be asked to confirm it."""

    def fill(clerk: Clerk, jobs: list[Job]) -> Form | None:
        page = clerk.look_at(LIST)
        listed = next(each for each in page if ("_selected_action", str(jobs[0].pk)) in each.boxes)
        listed.fill({"action": action, "select_across": "0", "index": "0"}, tick="_selected_action")
        asked = chosen(clerk.press(listed), LIST)
        # Its button is disabled, and so not there, when the command suits none of the jobs.
        return asked if asked is not None and asked.buttons and _has(asked, "fingerprint") else None

    return fill


def _has(form: Form, name: str) -> bool:
    return any(each == name for each, _value in form.fields)


def _see_all_through(stage: Stage, jobs: list[Job]) -> None:
    stage.see_through(*jobs)


BETWEEN = [
    *around_commit("shipping.services:record", after=Leaves.steps),
    Death(Boundary("before its second job", "shipping.services:record", Moment.before_commit, nth=2), Leaves.steps),
    Death(Boundary("after its last job", "shipping.services:record", Moment.after_commit, nth=JOBS), Leaves.all),
]

OWN_SCENES = [
    Scene(
        name="set the sender",
        address="shipping:sender",
        prepare=lambda _stage: None,
        fill=_new_sender,
        change={"senders": 1},
        repeats=True,
        deaths=around_commit("shipping.models.sender:Sender.save"),
        finish=nothing_left,
        worker_death=None,
    ),
    Scene(
        name="keep preferences",
        address="shipping:preferences",
        prepare=lambda _stage: None,
        fill=_at_once,
        change={"preferences": 1, "preferences to ship at once": 1},
        repeats=True,
        deaths=around_commit("shipping.models.preference:Preference.save"),
        finish=nothing_left,
        worker_death=None,
    ),
]

ADMIN_SCENES = [
    Scene(
        name="cancel many jobs",
        address="admin:cancel_jobs",
        prepare=_with_admin_rights(lambda: make_job(1)),
        fill=_many("cancel_jobs"),
        change={"jobs pending": -JOBS, "jobs cancelled": JOBS, "epochs": JOBS, "events cancelled": JOBS},
        deaths=BETWEEN,
        finish=nothing_left,
        worker_death=None,
    ),
    Scene(
        name="resume many jobs",
        address="admin:resume_jobs",
        prepare=_with_admin_rights(lambda: web_jobs.interrupted(2, bought=1)),
        fill=_many("resume_jobs"),
        change={"runs waiting": JOBS, "runs died": JOBS, "epochs": JOBS, "events resumed": JOBS},
        deaths=[
            *BETWEEN,
            Death(Boundary("after its last ticket", "shipping.runs:enqueue", Moment.after, nth=JOBS), Leaves.all),
        ],
        finish=_see_all_through,
    ),
]
