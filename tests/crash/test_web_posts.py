"""The web server dies by SIGKILL in the middle of each POST, at each of its boundaries, once and twice."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User

from shipping.models import Job
from tests.crash.arming import Boundary, Moment
from tests.crash.clerk import Form
from tests.crash.web_books import (
    breaches_when_over,
    charges_beside_orphans,
    facts,
    let_a_lease_pass,
    moved,
    uploads_are_settled,
)
from tests.crash.web_boundaries import SCENES
from tests.crash.web_scenes import Death, Leaves, Scene
from tests.crash.web_stage import Site, Stage
from tests.factories import make_sender
from tests.support.ledger import assert_doubts_are_shown, compare_at_any_time
from tests.torture.person import NoAnswer

# A worker that takes the work on an upload up, and dies with it.
TAKE = Boundary("the worker's take is committed", "shipping.orders.upload_work:Turn.take", Moment.after)
# A worker that goes on with an upload, and is gone before it ships the job that was made of it.
NO_RUN = Boundary("before the worker's first run", "shipping.engine.books:start_run", Moment.before)
LOST = {"uploads failed": 1}


@dataclass(frozen=True, slots=True)
class Case:
    """A scene and where its server dies; with `again`, there is a second death while a person puts it right."""

    scene: Scene
    death: Death
    again: bool

    def __str__(self) -> str:
        return f"{self.scene}, {self.death.boundary}{', and once more' if self.again else ''}"

    @property
    def second_post(self) -> Death | None:
        """Where the server dies to which the person sends the form again: at the next boundary of the scene, or at
        its first where some steps are done already.
        """
        deaths = list(self.scene.deaths)
        match self.death.leaves:
            case Leaves.nothing | Leaves.loss if self.again:
                return deaths[(deaths.index(self.death) + 1) % len(deaths)]
            case Leaves.steps if self.again:
                return deaths[0]
        return None


CASES = [Case(scene, death, again) for scene in SCENES for death in scene.deaths for again in (False, True)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_post_that_died_did_all_or_nothing_and_the_page_says_which(case: Case, stage: Stage) -> None:
    scene = case.scene
    stage.alterations = scene.alterations
    play = Play(stage, scene, scene.prepare(stage), facts())
    play.die(case.death, worker_death=TAKE if case.again else None)
    if case.second_post is not None:
        play.die(case.second_post)
    play.put_right()
    if case.again and scene.worker_death is not None:
        play.work_until_death(scene.worker_death)
    scene.finish(stage, play.subject)
    for job in Job.objects.all():
        assert not breaches_when_over(job, stage.sandbox.ledger())


@dataclass(slots=True)
class Play:
    """A scene that is played: `before` are the facts at its beginning, `wanted` what it is to have moved in the end."""

    stage: Stage
    scene: Scene
    subject: Any
    before: Counter[str]
    wanted: Counter[str] = field(init=False)
    sent: Form | None = None

    def __post_init__(self) -> None:
        self.wanted = Counter(self.scene.change)

    @property
    def is_done(self) -> bool:
        """Whether all of it was done, once."""
        return moved(self.before, facts()) == dict(self.wanted)

    def die(self, death: Death, *, worker_death: Boundary | None = None) -> None:
        """Look at the page, send its form, and never hear of it again; then see that no half was done."""
        at = facts()
        with self.stage.site(death.boundary) as site:
            form = self.scene.fill(site.clerk, self.subject)
            assert form is not None, "the page does not offer it"
            with pytest.raises(NoAnswer):
                site.clerk.press(form)
            assert site.has_died(), self.stage.nursery.last_words()
        self.sent = form
        self._compare_with_ledger()
        match death.leaves:
            case Leaves.nothing:
                assert moved(at, facts()) == {}
            case Leaves.all:
                assert self.is_done, moved(self.before, facts())
            case _:
                assert facts() != at
                assert not self.is_done
        if death.leaves in (Leaves.work, Leaves.loss):
            self._let_workers_go_on(worker_death)
        if death.leaves is Leaves.loss:
            assert moved(at, facts()) == LOST
            self.wanted.update(LOST)

    def put_right(self) -> None:
        """What the person does who has got no answer: looks at the page again, and does what it offers."""
        with self.stage.site() as site:
            if self.is_done:
                self._assert_once(site)
                return
            form = self.scene.fill(site.clerk, self.subject)
            assert form is not None, "what was not done is not offered any more"
            site.clerk.press(form)
        assert self.is_done, moved(self.before, facts())

    def work_until_death(self, death: Boundary) -> None:
        """Have the worker die that does what is left to do."""
        let_a_lease_pass()
        if self.scene.goes_on:
            self.stage.press_on(self.subject)
        self.stage.work_until_death(death)

    def _let_workers_go_on(self, death: Boundary | None) -> None:
        """Once a lease is over, a worker takes up what the server has left, or the next worker when that dies, too."""
        let_a_lease_pass()
        if death is not None:
            self.stage.work_until_death(death)
            let_a_lease_pass()
        self.stage.work_until(uploads_are_settled, what="the work on the upload", death=NO_RUN)

    def _assert_once(self, site: Site) -> None:
        """What was done is not offered again, or may be done again; a form that is sent twice does nothing twice."""
        offered = self.scene.fill(site.clerk, self.subject)
        assert (offered is not None) == self.scene.repeats
        form = offered or self.sent
        assert form is not None
        site.clerk.press(form)
        self.wanted.update(self.scene.repeated)
        assert self.is_done, moved(self.before, facts())

    def _compare_with_ledger(self) -> None:
        charges = charges_beside_orphans(self.stage.sandbox.ledger())
        for job in Job.objects.all():
            found = compare_at_any_time(job, charges)
            assert not found.breaches, found
            assert_doubts_are_shown(job, charges)


@pytest.fixture(autouse=True)
def sender(clerk: User) -> None:
    """Every upload needs one."""
    make_sender()
