"""Every state that can be reached within the bounds, each visited once, with the rules checked in each.

Rows and scenes are numbered as they are met, and what can become of them is worked out once: so a state is one whole
number. States that differ only in the names of the workers or of the rows count as one. One that was reached before
with at least as much left of every bound need not be explored again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from tests.model.moves import Rules, row_moves
from tests.model.promise import change_breaches, rest_breaches, row_breaches, step_breaches, turn_breaches
from tests.model.state import Cost, Move, Row, Scene
from tests.model.world import CHANGES, View, completed, halted, job_moves, swapped, swapped_row, view

BITS = 24
MASK = (1 << BITS) - 1
FILED = ("settle", "file", "decide")


class Bounds(NamedTuple):
    """How often what is out of our hands may happen."""

    rows: int = 2
    crashes: int = 3
    freezes: int = 1
    choices: int = 2


@dataclass(slots=True)
class Findings:
    """What an exploration found: how many states and transitions, how many steps the longest of the shortest ways has.
    `breach`: the first broken rule; `trace`: a shortest way there among those with the fewest crashes, freezes and
    choices, in words.
    """

    states: int = 0
    transitions: int = 0
    depth: int = 0
    breach: str = ""
    trace: list[str] = field(default_factory=list)


class Catalogue:
    """Scenes and rows by number, and what can become of them."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.scenes: list[Scene] = []
        self.rows: list[Row] = []
        self.views: list[View] = []
        self.broken: list[str] = []
        self._scene_ids: dict[Scene, int] = {}
        self._row_ids: dict[Row, int] = {}
        self._swapped_scenes: dict[int, int] = {}
        self._swapped_rows: dict[int, int] = {}
        self._steps: dict[tuple[object, int], list[tuple[Move, int, bool, str]]] = {}
        self._turns: dict[tuple[int, tuple[View, ...]], list[tuple[Move, int, tuple[str, ...], str]]] = {}
        self._changed: dict[tuple[str, int], tuple[int, str]] = {}
        self._halted: dict[int, int] = {}
        self._completed: dict[int, int | None] = {}

    def scene(self, scene: Scene) -> int:
        """The number of a scene."""
        number = self._scene_ids.setdefault(scene, len(self.scenes))
        if number == len(self.scenes):
            self.scenes.append(scene)
        return number

    def row(self, row: Row) -> int:
        """The number of a row; the rules are checked when it is first met."""
        number = self._row_ids.setdefault(row, len(self.rows))
        if number == len(self.rows):
            self.rows.append(row)
            self.views.append(view(row))
            self.broken.append(next(row_breaches(self.rules, row), ""))
        return number

    def core(self, scene: int, rows: tuple[int, ...]) -> int:
        """The number of a state, the same for all that differ only in the names of workers and rows."""
        other = self._swapped_scenes.get(scene)
        if other is None:
            other = self._swapped_scenes[scene] = self.scene(swapped(self.scenes[scene]))
        if other < scene:
            return pack(other, [self._swapped_row(row) for row in rows])
        plain = pack(scene, rows)
        return min(plain, pack(other, [self._swapped_row(row) for row in rows])) if other == scene else plain

    def _swapped_row(self, row: int) -> int:
        other = self._swapped_rows.get(row)
        if other is None:
            other = self._swapped_rows[row] = self.row(swapped_row(self.rows[row]))
        return other

    def edges(self, scene: int, rows: tuple[int, ...]) -> Iterator[tuple[Move, int, tuple[int, ...], str]]:
        """Each move with the numbers of the scene and the rows that it leads to, and the first rule that it breaks."""
        for place, row in enumerate(rows):
            for move, changed, halts, breach in self._steps_of(scene, row):
                after = (*rows[:place], changed, *rows[place + 1 :])
                next_scene = self._halt(scene) if halts else scene
                if move.kind in FILED and all(self.views[each].done for each in after):
                    over = self._complete(next_scene)
                    if over is not None:
                        next_scene = over
                        after = tuple(self._change("new epoch", each)[0] for each in after)
                yield (
                    (move, next_scene, after, breach)
                    if place == 0
                    else (move._replace(row=place), next_scene, after, breach)
                )
        for move, next_scene, changes, breach in self._turns_of(scene, rows):
            become = [self._change(change, row) for change, row in zip(changes, rows, strict=True)]
            broken = breach or next((broken for _row, broken in become if broken), "")
            yield move, next_scene, tuple(row for row, _broken in become), broken

    def _steps_of(self, number: int, row: int) -> list[tuple[Move, int, bool, str]]:
        scene = self.scenes[number]
        job = scene.job
        # Of the job a row's moves look at nothing else.
        key = (job.status, job.error, job.sweep, scene.workers), row
        known = self._steps.get(key)
        if known is None:
            before = self.rows[row]
            known = self._steps[key] = [
                (step.move, self.row(step.row), step.halts, next(step_breaches(scene, before, step), ""))
                for step in row_moves(self.rules, scene, before)
            ]
        return known

    def _turns_of(self, number: int, rows: tuple[int, ...]) -> list[tuple[Move, int, tuple[str, ...], str]]:
        key = number, tuple(self.views[row] for row in rows)
        known = self._turns.get(key)
        if known is None:
            scene = self.scenes[number]
            known = self._turns[key] = [
                (turn.move, self.scene(turn.scene), turn.changes, next(turn_breaches(scene, turn), ""))
                for turn in job_moves(self.rules, scene, key[1])
            ]
        return known

    def _change(self, change: str, row: int) -> tuple[int, str]:
        known = self._changed.get((change, row))
        if known is None:
            before = self.rows[row]
            after = CHANGES[change](before)
            known = self._changed[change, row] = self.row(after), next(change_breaches(before, after), "")
        return known

    def _halt(self, scene: int) -> int:
        if scene not in self._halted:
            self._halted[scene] = self.scene(halted(self.scenes[scene]))
        return self._halted[scene]

    def _complete(self, scene: int) -> int | None:
        if scene not in self._completed:
            over = completed(self.scenes[scene])
            self._completed[scene] = None if over is None else self.scene(over)
        return self._completed[scene]


class Spending:
    """How much of the bounds was used up, by number."""

    def __init__(self, bounds: Bounds) -> None:
        most = bounds.crashes, bounds.freezes, bounds.choices
        spent = list(product(*(range(each + 1) for each in most)))
        numbers = {each: number for number, each in enumerate(spent)}
        self.most = sum(most)
        # Bit b of covers[a]: who has spent a can still do all that who has spent b can.
        self.covers = [
            sum(1 << b for b, more in enumerate(spent) if all(x <= y for x, y in zip(less, more, strict=True)))
            for less in spent
        ]
        self.more: dict[tuple[int, Cost], int | None] = {
            (number, cost): numbers.get(tuple(x + (each is cost) for x, each in zip(before, Cost, strict=True)))
            for number, before in enumerate(spent)
            for cost in Cost
        }


class Search:
    """One exploration: first what costs nothing of the bounds, then what costs one, and so on, each by depth."""

    def __init__(self, rules: Rules, bounds: Bounds, *, trace: bool) -> None:
        self.catalogue = Catalogue(rules)
        self.spending = Spending(bounds)
        self.bounds = bounds
        self.trace = trace
        self.found = Findings()
        self.covered: dict[int, int] = {}
        self.parents: dict[tuple[int, int], tuple[int, int]] = {}
        self.waiting: list[list[tuple[int, int, int]]] = [[] for _ in range(self.spending.most + 1)]

    def run(self) -> Findings:
        """Explore all, or up to the first broken rule."""
        catalogue, found = self.catalogue, self.found
        start = catalogue.core(catalogue.scene(Scene()), (catalogue.row(Row()),) * self.bounds.rows)
        self.covered[start] = self.spending.covers[0]
        found.states = 1
        self.waiting[0].append((start, 0, 0))
        for cost, queue in enumerate(self.waiting):
            # It grows while it is gone through; what costs more is put into the next one.
            for core, spent, depth in queue:
                found.depth = max(found.depth, depth)
                found.breach = self._go_on(cost, core, spent, depth)
                if found.breach:
                    return found
            queue.clear()
        return found

    def _go_on(self, cost: int, core: int, spent: int, depth: int) -> str:
        """Take every move from one state; returns the first rule that is broken there."""
        catalogue = self.catalogue
        scene, rows = unpack(core, self.bounds.rows)
        at_rest = True
        for move, next_scene, next_rows, broken in catalogue.edges(scene, rows):
            after = spent if move.cost is None else self.spending.more[spent, move.cost]
            if after is None:
                continue
            at_rest = at_rest and (move.by_person or move.cost is not None)
            self.found.transitions += 1
            reached = catalogue.core(next_scene, next_rows)
            breach = broken or next(filter(None, (catalogue.broken[row] for row in next_rows)), "")
            if breach:
                self._tell([*way_to((core, spent), self.parents), reached])
                return breach
            known = self.covered.get(reached, 0)
            if known >> after & 1:
                continue
            self.found.states += not known
            self.covered[reached] = known | self.spending.covers[after]
            if self.trace:
                self.parents[reached, after] = core, spent
            self.waiting[cost + (move.cost is not None)].append((reached, after, depth + 1))
        breach = ""
        if at_rest:
            whole = tuple(catalogue.rows[row] for row in rows)
            breach = next(rest_breaches(catalogue.scenes[scene], whole), "")
            if breach:
                self._tell(way_to((core, spent), self.parents))
        return breach

    def _tell(self, way: list[int]) -> None:
        if self.trace:
            self.found.trace = told(self.catalogue, self.bounds, way)


def explore(rules: Rules, bounds: Bounds, *, trace: bool = False) -> Findings:
    """Explore all that can happen within the bounds, or up to the first broken rule; that comes with its trace when
    asked for (which takes memory).
    """
    return Search(rules, bounds, trace=trace).run()


def way_to(last: tuple[int, int], parents: dict[tuple[int, int], tuple[int, int]]) -> list[int]:
    """The states on the way to one, the first left out."""
    way = []
    while last in parents:
        way.append(last[0])
        last = parents[last]
    return way[::-1]


def told(catalogue: Catalogue, bounds: Bounds, way: list[int]) -> list[str]:
    """The way in words, with the same names for workers and rows from the first step to the last."""
    scene, rows = catalogue.scene(Scene()), (catalogue.row(Row()),) * bounds.rows
    words = []
    for core in way:
        for move, next_scene, next_rows, _breach in catalogue.edges(scene, rows):
            if catalogue.core(next_scene, next_rows) == core:
                words.append(move.words.format(w=move.worker, r=f"row {move.row + 1}"))
                scene, rows = next_scene, next_rows
                break
    return words


def pack(scene: int, rows: list[int] | tuple[int, ...]) -> int:
    """A scene and rows as one number; the order of the rows does not count."""
    number = scene
    for row in sorted(rows):
        number = number << BITS | row
    return number


def unpack(core: int, rows: int) -> tuple[int, tuple[int, ...]]:
    """The scene and the rows of a state's number."""
    numbers = []
    for _row in range(rows):
        numbers.append(core & MASK)
        core >>= BITS
    return core, tuple(reversed(numbers))
