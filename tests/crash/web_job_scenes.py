"""The buttons of a job's pages: starting, pausing, asking, cancelling, voiding, printing; the choices of recovery."""

from typing import Any

from shipping.models import Job, Label
from tests.crash import web_jobs
from tests.crash.arming import Boundary, Moment
from tests.crash.clerk import Clerk, Form
from tests.crash.web_scenes import QUEUED, Death, Leaves, Scene, around_commit, nothing_left, put, see_through
from tests.crash.web_stage import Stage
from tests.factories import make_job
from tests.support.altered import Alteration

REASON = "The web server died"
SERVICE = around_commit("shipping.services:record")
ERRANDS = around_commit("shipping.errands:record")
VOIDS = around_commit("shipping.voids:record")
ISSUES_RUN = {"runs waiting": 1, "epochs": 1}
# A worker that dies when it has sent what is not a purchase: the question, the void or the label's file.
ERRAND_SENT = Boundary("the worker's errand is sent", "shipping.engine.wire:Wire.send", Moment.after)


def _button(name: str) -> Any:
    def fill(clerk: Clerk, job: Job) -> Form | None:
        return clerk.find(f"/jobs/{job.pk}/", f"/jobs/{job.pk}/{name}/")

    return fill


def _page(name: str, **answers: str) -> Any:
    """A page of its own that asks first."""

    def fill(clerk: Clerk, job: Job) -> Form | None:
        path = f"/jobs/{job.pk}/{name}/"
        return filled(clerk.find(path, path), **answers)

    return fill


def filled(form: Form | None, **answers: str) -> Form | None:
    """A form with some of its fields answered; None stays None."""
    if form is not None:
        form.fill(answers)
    return form


def _choice(name: str, **answers: str) -> Any:
    def fill(clerk: Clerk, job: Job) -> Form | None:
        page = f"/recovery/{job.pk}/restart/" if name == "restart" else f"/recovery/{job.pk}/"
        return filled(clerk.find(page, f"/recovery/{job.pk}/{name}/"), **answers)

    return fill


def _chosen_labels(clerk: Clerk, job: Job) -> Form | None:
    keys = "&".join(f"label={key}" for key in Label.objects.filter(job=job).values_list("pk", flat=True))
    form = clerk.find(f"/jobs/{job.pk}/voids/new/?{keys}", f"/jobs/{job.pk}/voids/new/")
    return filled(form, reason=REASON, agreed="on")


def _first_label(clerk: Clerk, job: Job) -> Form | None:
    path = f"/labels/{Label.objects.filter(job=job).earliest('pk').pk}/void/"
    return filled(clerk.find(path, path), reason=REASON, agreed="on")


def _lost_file(_stage: Stage) -> Job:
    job = web_jobs.over(1, files=True)
    label = Label.objects.get(job=job)
    label.file.storage.delete(str(label.file))
    return job


def _fetch(clerk: Clerk, job: Job) -> Form | None:
    key = Label.objects.get(job=job).pk
    return clerk.find(f"/labels/{key}/", f"/labels/{key}/fetch/")


def _file_is_back(stage: Stage, job: Job) -> None:
    stage.work_until(lambda: not Label.objects.filter(job=job, file="").exists(), what="the label's file")


def _mark_all(clerk: Clerk, job: Job) -> Form | None:
    forms = clerk.look_at(f"/jobs/{job.pk}/labels/?only=unprinted")
    marking = [each for each in forms if each.action == f"/jobs/{job.pk}/labels/printed/"]
    # The last is that for all parts on the page; with one part left there is only its own.
    return marking[-1] if marking else None


def _small_parts() -> list[Alteration]:
    modules = ("shipping.exports.label_sheets", "shipping.exports.printing", "shipping.views.label_sheets")
    return [put(f"{each}:SHEET_LABELS", 1) for each in modules]


_MARKED = "shipping.exports.printing:record"
_CANCELLED = {"jobs running": -1, "jobs cancelled": 1, "epochs": 1, "events cancelled": 1}
_FENCED = {"runs waiting": -1, "runs never_started": 1}
_DEAD = {"runs died": 1}

JOB_SCENES = [
    Scene(
        name="start",
        address="shipping:start",
        prepare=lambda _stage: make_job(4),
        fill=_button("start"),
        change={"jobs pending": -1, "jobs running": 1, "events started": 1, **ISSUES_RUN},
        deaths=[*SERVICE, QUEUED],
        finish=see_through,
    ),
    Scene(
        name="pause",
        address="shipping:pause",
        prepare=lambda _stage: web_jobs.started(),
        fill=_button("pause"),
        change={"jobs running": -1, "jobs paused": 1, "epochs": 1, "events paused": 1, **_FENCED},
        deaths=SERVICE,
        finish=see_through,
        goes_on=True,
    ),
    Scene(
        name="check again on the job's page",
        address="shipping:check_again",
        prepare=lambda _stage: web_jobs.interrupted(doubts=True),
        fill=_button("check"),
        change={"rows to be asked about": 2, "events check_requested": 1},
        repeats=True,
        repeated={"events check_requested": 1},
        deaths=ERRANDS,
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="cancel",
        address="shipping:cancel",
        prepare=lambda _stage: web_jobs.started(),
        fill=_page("cancel"),
        change={**_CANCELLED, **_FENCED},
        deaths=SERVICE,
        finish=see_through,
        worker_death=None,
    ),
    Scene(
        name="void all",
        address="shipping:void",
        prepare=lambda _stage: web_jobs.over(),
        fill=_page("void", agreed="on"),
        change={"jobs void": 1, "events void_requested": 1},
        deaths=ERRANDS,
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="void some",
        address="shipping:void_chosen",
        prepare=lambda _stage: web_jobs.over(),
        fill=_chosen_labels,
        change={"labels only": 2, "events void_requested": 1},
        deaths=VOIDS,
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="void one",
        address="shipping:void_label",
        prepare=lambda _stage: web_jobs.over(),
        fill=_first_label,
        change={"labels only": 1, "events void_requested": 1},
        deaths=VOIDS,
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="fetch a label's file again",
        address="shipping:fetch_label",
        prepare=_lost_file,
        fill=_fetch,
        change={"labels with a file": -1, "events label_file_missing": 1},
        deaths=around_commit("shipping.labels:record"),
        finish=_file_is_back,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="mark as printed",
        address="shipping:mark_printed",
        prepare=lambda _stage: web_jobs.over(files=True),
        fill=_mark_all,
        change={"labels printed": 2, "events printed": 2},
        deaths=[
            *around_commit(_MARKED, after=Leaves.steps),
            Death(Boundary("after its last commit", _MARKED, Moment.after_commit, nth=2), Leaves.all),
        ],
        finish=nothing_left,
        worker_death=None,
        alterations=_small_parts(),
    ),
]

RECOVERY_SCENES = [
    Scene(
        name="resume",
        address="recovery:resume",
        prepare=lambda _stage: web_jobs.interrupted(5, doubts=True),
        fill=_choice("resume"),
        change={"events resumed": 1, **ISSUES_RUN, **_DEAD},
        deaths=[*SERVICE, QUEUED],
        finish=see_through,
    ),
    Scene(
        name="restart",
        address="recovery:restart",
        prepare=lambda _stage: web_jobs.interrupted(5, doubts=True),
        fill=_choice("restart", typed_rows="2", reason=REASON),
        change={"jobs restart": 1, "events restarted": 1, **ISSUES_RUN, **_DEAD},
        deaths=[*SERVICE, QUEUED],
        finish=see_through,
    ),
    Scene(
        name="restart, voiding first",
        address="recovery:restart",
        prepare=lambda _stage: web_jobs.interrupted(3),
        fill=_choice("restart", typed_rows="2", void_first="on", reason=REASON),
        change={"jobs restart": 1, "events restarted": 1, **ISSUES_RUN, **_DEAD},
        deaths=[*SERVICE, QUEUED],
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="cancel an interrupted job",
        address="recovery:cancel",
        prepare=lambda _stage: web_jobs.interrupted(5, doubts=True),
        fill=_choice("cancel"),
        change={**_CANCELLED, **_DEAD},
        deaths=SERVICE,
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
    Scene(
        name="check again on the recovery page",
        address="recovery:check_again",
        prepare=lambda _stage: web_jobs.interrupted(doubts=True),
        fill=_choice("check"),
        change={"rows to be asked about": 2, "events check_requested": 1},
        repeats=True,
        repeated={"events check_requested": 1},
        deaths=ERRANDS,
        finish=see_through,
        worker_death=ERRAND_SENT,
    ),
]
