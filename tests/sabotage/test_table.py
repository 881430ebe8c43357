"""The table of broken builds that docs/promise.md shows is the one that is played."""

from pathlib import Path

import pytest
from django.conf import settings

from tests.sabotage.altering import broken
from tests.sabotage.builds import BUILDS
from tests.sabotage.claiming import claim_after_money
from tests.sabotage.playing import Control, play
from tests.sabotage.scenes import SCENES
from tests.sabotage.table import BEGIN, END, Played, as_markdown, as_text, play_all, table_in
from tests.support.sandbox import SandboxProcess

PAGE = Path(settings.BASE_DIR) / "docs" / "promise.md"


@pytest.mark.django_db
@pytest.mark.skipif(not PAGE.exists(), reason="docs/promise.md is not written yet")
def test_the_page_shows_what_caught_each_build(sandbox: SandboxProcess) -> None:
    assert table_in(PAGE.read_text("utf-8")) == as_markdown(play_all(sandbox)), (
        "Put what `python -m tests.sabotage --markdown` prints between the two comments of docs/promise.md."
    )


@pytest.mark.django_db
def test_a_build_that_nobody_notices_is_not_called_caught() -> None:
    scene = next(scene for scene in SCENES if scene.build is claim_after_money)
    sound = play(scene, None)
    unnoticed = Played(Control(scene.build, scene.rule, lambda _build: sound), broken=sound, sound=sound)
    assert not unnoticed.is_caught
    assert "NOT CAUGHT" in as_text([unnoticed])
    assert "0 of 1 broken builds were caught." in as_text([unnoticed])


def test_a_table_without_a_place_is_missed() -> None:
    assert table_in(f"text\n{BEGIN}\n| a |\n{END}\ntext\n") == "| a |\n"
    with pytest.raises(ValueError, match="no place"):
        table_in(f"{BEGIN}\n| a |\n")


@pytest.mark.parametrize("name", BUILDS)
def test_a_build_is_undone_after_its_block(name: str) -> None:
    from shipping import liveness, services
    from shipping.carriers import easypost_wire
    from shipping.engine import books, claims, reconcile, settle, sweep, voids, wire

    places = (liveness, services, books, claims, reconcile, settle, sweep, voids, wire, easypost_wire.Wire)
    before = [dict(vars(place)) for place in places]
    with broken(BUILDS[name]):
        pass
    assert [dict(vars(place)) for place in places] == before
