"""What a batch is made of, drawn by chance: its rows, its workers, and what goes wrong at the carrier."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.support.by_reference import ASKS_A_PERSON, SENDS_AGAIN

Fault = dict[str, Any]

# A bought shipment that is bought again is charged again: then nothing but our own books keeps rows from being
# bought twice.
FORGETFUL: Fault = {"on": "buy", "action": "charge_again"}

_EVERYTHING = ["create", "buy", "rerate", "lookup", "refund", "label"]
_TROUBLES: list[list[Fault]] = [
    [{"on": "buy", "action": "drop", "when": "after", "probability": 0.08}],
    [{"on": "buy", "action": "drop", "when": "before", "probability": 0.08}],
    [{"on": "buy", "action": "error", "when": "after", "probability": 0.08}],
    [{"on": "buy", "action": "error", "when": "before", "status": 503, "probability": 0.08}],
    [{"on": "buy", "action": "malformed", "probability": 0.05}],
    [{"on": "buy", "action": "hang", "when": "after", "probability": 0.03}],
    [{"on": "buy", "action": "other_reference", "reference": "SOMEBODY-ELSES", "count": 2}],
    [{"on": "lookup", "action": "error", "status": 503, "probability": 0.4}],
    [{"on": "lookup", "action": "drop", "probability": 0.3}],
    [{"on": "lookup", "action": "drip", "bytes_per_second": 800, "count": 5}],
    [{"on": ["create", "buy"], "action": "error", "status": 429, "retry_after": 1, "probability": 0.05}],
    [{"on": "create", "action": "drop", "when": "after", "probability": 0.1}],
    [{"on": "refund", "action": "drop", "when": "after", "probability": 0.3}],
    [{"on": "refund", "action": "error", "when": "before", "probability": 0.3}],
    [{"on": "label", "action": "error", "probability": 0.2}],
    [{"on": _EVERYTHING, "action": "error", "status": 503, "when": "before", "after": 40, "count": 60}],
]
_REFUSED = ["1 REJECT Street", "1 NORATE Street", "1 REFUSE AT BUY Street"]


@dataclass(frozen=True, slots=True)
class Scene:
    """One batch. `refused` are the streets of the rows that the carrier will not take; `pauses` how often somebody
    pauses the job while it works; `mischief` how likely, instead of a resume, another choice is. With the last kill the
    carrier comes to its senses, unless its faults are `lasting`. `carrier` decides the guarantee.
    """

    rows: int
    workers: int
    kills: int
    faults: list[Fault]
    stop_on_error: bool = False
    refused: dict[int, str] = field(default_factory=dict)
    pauses: int = 0
    mischief: float = 0.3
    lasting: bool = False
    carrier: str = "sandbox"

    @property
    def faults_at_last(self) -> list[Fault]:
        """The faults once the last kill is done."""
        return [fault for fault in self.faults if self.lasting or fault["action"] in ("delay", "charge_again")]


def draw_scene(random: Random, most_kills: int, *, rows: tuple[int, int] = (30, 90)) -> Scene:
    """A scene with at most so many kills; latency always, and up to three kinds of trouble."""
    kills = min(most_kills, random.randint(6, 16))
    count = random.randint(*rows)
    troubles = [fault for kind in random.sample(_TROUBLES, random.randint(0, 3)) for fault in kind]
    faults: list[Fault] = [
        {"on": "buy", "action": "delay", "seconds": [0.1, 0.8], "seed": random.randint(1, 10**6)},
        {"on": ["create", "lookup", "refund"], "action": "delay", "seconds": [0.0, 0.15]},
        *({**fault, "seed": random.randint(1, 10**6)} if "probability" in fault else fault for fault in troubles),
    ]
    carrier = random.choice(["sandbox", "sandbox", ASKS_A_PERSON, SENDS_AGAIN])
    if carrier == "sandbox" and random.random() < 1 / 2:
        faults.append(FORGETFUL)
    refused = {random.randint(1, count): random.choice(_REFUSED) for _each in range(random.choice([0, 0, 1, 3]))}
    return Scene(
        rows=count,
        workers=random.choice([1, 3]),
        kills=kills,
        faults=faults,
        stop_on_error=random.random() < 0.3,
        refused=refused,
        pauses=random.choice([0, 0, 1, 2]),
        carrier=carrier,
    )
