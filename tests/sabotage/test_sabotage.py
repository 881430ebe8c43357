"""Each broken build is caught by the rule that it breaks, in a scene that breaks nothing of the sound product."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.sabotage.altering import broken
from tests.sabotage.builds import BUILDS, what_is_broken
from tests.sabotage.playing import Control, controls
from tests.sabotage.table import as_markdown, table_in

PAGE = Path(settings.BASE_DIR) / "docs" / "promise.md"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Control]]:
    """Each control by its build's name. It plays its scenes once, when it is first asked for what became of them."""
    with controls(tmp_path_factory.mktemp("carrier")) as found:
        yield {control.name: control for control in found}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BUILDS)
def test_a_broken_build_is_caught(played: dict[str, Control], name: str) -> None:
    control = played[name]
    found = control.broken
    assert found.breach is not None, "\n".join(["Nobody noticed:", *found.story])
    assert found.breach.rule == control.rule, "\n".join([str(found.breach), *found.story])


@pytest.mark.django_db
@pytest.mark.parametrize("name", BUILDS)
def test_its_scene_breaks_nothing_of_the_sound_product(played: dict[str, Control], name: str) -> None:
    found = played[name].sound
    assert found.breach is None, "\n".join([str(found.breach), *found.story])


@pytest.mark.django_db
def test_the_page_shows_what_caught_each_build(played: dict[str, Control]) -> None:
    assert table_in(PAGE.read_text("utf-8")) == as_markdown(list(played.values())), (
        "Put what `python -m tests.sabotage --markdown` prints between the two comments of docs/promise.md."
    )


def test_every_build_says_what_is_broken() -> None:
    assert len(BUILDS) >= 16
    assert all(what_is_broken(build).endswith(".") for build in BUILDS.values())


def test_every_build_is_undone_after_its_block() -> None:
    from shipping import liveness, rows, services
    from shipping.carriers.easypost_wire import Wire
    from shipping.engine import books, claims, housekeeping, reconcile, settle, sweep, voids, wire

    modules = (liveness, rows, services, books, claims, housekeeping, reconcile, settle, sweep, voids, wire)
    places = (*modules, Wire, services.JobService)
    before = [dict(vars(place)) for place in places]
    unaltered = []
    for build in BUILDS.values():
        with broken(build):
            if [dict(vars(place)) for place in places] == before:
                unaltered.append(build.__name__)
        assert [dict(vars(place)) for place in places] == before
    # Its place is not looked at here.
    assert unaltered == ["decide_too_early"]
