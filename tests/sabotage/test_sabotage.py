"""Each broken build is caught by the rule that it breaks, in a scene that breaks nothing of the sound product."""

import pytest

from tests.sabotage.builds import BUILDS, what_is_broken
from tests.sabotage.claiming import retry_blindly
from tests.sabotage.playing import play, play_the_client
from tests.sabotage.scenes import SCENES, Scene
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.django_db
each_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.build.__name__)


@each_scene
def test_a_broken_build_is_caught(scene: Scene) -> None:
    found = play(scene, scene.build)
    assert found.breach is not None, "\n".join(["Nobody noticed:", *found.story])
    assert found.breach.rule == scene.rule, "\n".join([str(found.breach), *found.story])


@each_scene
def test_its_scene_breaks_nothing_of_the_sound_product(scene: Scene) -> None:
    found = play(scene, None)
    assert found.breach is None, "\n".join([str(found.breach), *found.story])


def test_a_client_that_retries_blindly_is_caught_and_ours_is_not(sandbox: SandboxProcess) -> None:
    assert play_the_client(sandbox, None).breach is None
    found = play_the_client(sandbox, retry_blindly)
    assert found.breach is not None
    assert found.breach.rule == "4"


def test_every_build_has_a_scene_and_says_what_is_broken() -> None:
    assert {scene.build.__name__ for scene in SCENES} | {"retry_blindly"} == set(BUILDS)
    assert len(BUILDS) >= 16
    assert all(what_is_broken(build).endswith(".") for build in BUILDS.values())
