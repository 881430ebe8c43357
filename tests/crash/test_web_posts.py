"""The web server dies by SIGKILL in the middle of each POST, at each of its boundaries, once and twice."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User

from shipping.models import Job
from tests.crash.arming import Boundary
from tests.crash.clerk import Form
from tests.crash.web_books import facts, let_a_lease_pass, moved
from tests.crash.web_boundaries import SCENES
from tests.crash.web_scenes import Death, Leaves, Scene
from tests.crash.web_stage import Site, Stage
from tests.factories import make_sender
from tests.support.ledger import compare_at_any_time, compare_when_over
from tests.torture.person import NoAnswer


@dataclass(frozen=True, slots=True)
class Case:
    """A scene and where it dies; `second` is where the recovery dies: the same form sent again, or the worker."""

    scene: Scene
    death: Death
    again: bool

    def __str__(self) -> str:
        return f"{self.scene}, {self.death.boundary}{', and once more' if self.again else ''}"

    @property
    def second_post(self) -> Boundary | None:
        """Where the server dies to which the person sends the form again: at the next boundary of the scene."""
        deaths = list(self.scene.deaths)
        place = deaths.index(self.death) + 1
        return deaths[place % len(deaths)].boundary if self.again else None

    @property
    def second_worker(self) -> Boundary | None:
        """Where the worker dies that does what is left to do."""
        return self.scene.worker_death if self.again else None


CASES = [Case(scene, death, again) for scene in SCENES for death in scene.deaths for again in (False, True)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_post_that_died_did_all_or_nothing_and_the_page_says_which(case: Case, stage: Stage) -> None:
    scene = case.scene
    stage.alterations = scene.alterations
    subject = scene.prepare(stage)
    before = facts()
    sent = _send_to_a_dying_server(stage, case, subject, case.death.boundary)
    _assert_no_half(case, before)
    _compare_now(stage)
    _put_right(stage, case, subject, sent, before)
    if case.second_worker is not None:
        let_a_lease_pass()
        stage.work_until_death(case.second_worker)
    scene.finish(stage, subject)
    for job in Job.objects.all():
        found = compare_when_over(job, stage.sandbox.ledger())
        assert not found.breaches, found


def _send_to_a_dying_server(stage: Stage, case: Case, subject: Any, boundary: Boundary) -> Form:
    """Look at the page, send its form, and never hear of it again."""
    with stage.site(boundary) as site:
        form = case.scene.fill(site.clerk, subject)
        assert form is not None, "the page does not offer it"
        with pytest.raises(NoAnswer):
            site.clerk.press(form)
        assert site.has_died(), stage.nursery.last_words()
    return form


def _assert_no_half(case: Case, before: Counter[str]) -> None:
    found = moved(before, facts())
    match case.death.leaves:
        case Leaves.nothing:
            assert found == {}
        case Leaves.all:
            assert found == case.scene.change
        case _:
            assert found != {}
            assert found != case.scene.change


def _compare_now(stage: Stage) -> None:
    for job in Job.objects.all():
        found = compare_at_any_time(job, stage.sandbox.ledger())
        assert not found.breaches, found


def _put_right(stage: Stage, case: Case, subject: Any, sent: Form, before: Counter[str]) -> None:
    """What the person does who has got no answer: looks at the page again, and does what it offers."""
    if case.death.leaves is Leaves.nothing and case.second_post is not None:
        sent = _send_to_a_dying_server(stage, case, subject, case.second_post)
    with stage.site() as site:
        if moved(before, facts()) == case.scene.change:
            _assert_once(site, case, subject, sent, before)
            return
        form = case.scene.fill(site.clerk, subject)
        assert form is not None, "what was not done is not offered any more"
        site.clerk.press(form)
    assert moved(before, facts()) == case.scene.change


def _assert_once(site: Site, case: Case, subject: Any, sent: Form, before: Counter[str]) -> None:
    """What was done is not offered again, or may be done again; and a form that is sent twice does nothing twice."""
    scene = case.scene
    offered = scene.fill(site.clerk, subject)
    assert (offered is not None) == scene.repeats
    site.clerk.press(offered or sent)
    wanted = Counter(scene.change)
    wanted.update(scene.repeated)
    assert moved(before, facts()) == dict(wanted)


@pytest.fixture(autouse=True)
def sender(clerk: User) -> None:
    """Every upload needs one."""
    make_sender()
