"""Playing the scenes, with the sound product and with the broken builds."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

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
            return Finding(breach, tuple(its.story))
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


@dataclass(frozen=True, slots=True)
class Control:
    """A broken build, the rule that it breaks, and how to play the scene that shows it."""

    build: Build
    rule: str
    play: Callable[[Build | None], Finding]


def controls(sandbox: SandboxProcess) -> list[Control]:
    """Every broken build with its scene, by the rule that it breaks."""
    found = [Control(scene.build, scene.rule, partial(play, scene)) for scene in SCENES]
    found.append(Control(retry_blindly, "4", partial(play_the_client, sandbox)))
    return sorted(found, key=lambda control: control.rule)
