"""Playing the scenes, with the sound product and with the broken builds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from shipping.carriers.easypost import EasyPost
from shipping.carriers.port import Unknown
from tests.carriers.shipments import KEY, order
from tests.machine.promise import Breach
from tests.machine.rest import come_to_rest
from tests.machine.stage import stage
from tests.sabotage.altering import Build, broken
from tests.sabotage.claiming import retry_blindly
from tests.sabotage.scenes import SCENES, Scene
from tests.support.sandbox import SandboxProcess


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a scene: the breach that was found, if one was, and the moves up to it, in words."""

    breach: Breach | None
    story: tuple[str, ...]


def play(scene: Scene, build: Build | None) -> Finding:
    """Plays a scene of the machine with a broken build, or (None) with the sound product."""
    with broken(build) if build else nullcontext(), stage(rows=scene.rows, **scene.carrier) as its:
        try:
            scene.moves(its)
            come_to_rest(its)
        except Breach as breach:
            # Without the frames that it came through, and all that they hold.
            return Finding(breach.with_traceback(None), tuple(its.story))
        return Finding(None, tuple(its.story))


def play_the_client(sandbox: SandboxProcess, build: Build | None) -> Finding:
    """Plays a purchase whose answer is lost, by the real client against the sandbox carrier over HTTP."""
    sandbox.reset()
    # A bought shipment that is bought again is charged again: then only the client can keep that from happening.
    sandbox.faults([{"on": "buy", "action": "drop", "when": "after"}, {"on": "buy", "action": "charge_again"}])
    story = ["the client prepares a shipment", "the client buys it, and the answer is lost"]
    with broken(build) if build else nullcontext():
        client = EasyPost(api_key=KEY, api_base=sandbox.api_base)
        wanted = order()
        prepared = client.prepare(wanted, timeout=20)
        try:
            client.buy(wanted, prepared.handle, prepared.details, timeout=20)
        except Unknown:
            pass
        else:
            raise AssertionError("The answer was not lost.")
    charges = len(sandbox.ledger())
    if charges == 1:
        return Finding(None, tuple(story))
    return Finding(Breach(4, f"the purchase of one claim was sent twice, and charged {charges} times"), tuple(story))


@dataclass(slots=True)
class Control:
    """A broken build, the rule that it breaks, and the scene that shows it, which is played when it is asked for."""

    build: Build
    rule: str
    play: Callable[[Build | None], Finding]
    _broken: Finding | None = None
    _sound: Finding | None = None

    @property
    def broken(self) -> Finding:
        """What becomes of the scene with the broken build."""
        self._broken = self._broken or self.play(self.build)
        return self._broken

    @property
    def sound(self) -> Finding:
        """What becomes of the scene with the sound product."""
        self._sound = self._sound or self.play(None)
        return self._sound

    @property
    def name(self) -> str:
        return self.build.__name__

    @property
    def is_caught(self) -> bool:
        """Whether the rule that is broken was found broken, and nothing of the sound product."""
        breach = self.broken.breach
        return breach is not None and breach.rule == self.rule and self.sound.breach is None


@contextmanager
def controls(directory: Path) -> Iterator[list[Control]]:
    """Every broken build with its scene, by the rule that it breaks. One of them needs a carrier over HTTP, whose file
    goes to the directory.
    """
    with SandboxProcess(directory / "sandbox.sqlite3") as sandbox:
        found = [Control(scene.build, scene.rule, partial(play, scene)) for scene in SCENES]
        found.append(Control(retry_blindly, "4", partial(play_the_client, sandbox)))
        yield sorted(found, key=lambda control: control.rule)
