"""The register of boundaries is held against the code: what writes or sends without one turns a test red."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from shipping.checks import check_settings
from shipping.engine.letters import Letter
from tests.crash.arming import Moment
from tests.crash.boundaries_run import CARRIER
from tests.crash.site import WAITS
from tests.crash.test_workers import CASES

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "shipping" / "engine"
# Whatever of these a function calls opens its transaction.
OPENERS = {"atomic", "exclusive_transaction", "_told_apart"}
# What workers do to files of orders is worked by the web process, too, and stands beside the engine.
FILE_WORK = {
    "shipping.orders.upload_work.Turn.take",
    "shipping.orders.upload_work.Turn._read",
    "shipping.orders.upload_work.Turn._check",
    "shipping.orders.upload_work.Turn._make_job",
    "shipping.orders.upload_work.Turn._import",
    "shipping.orders.upload_work.Turn.hand_back",
    "shipping.orders.upload_upkeep._queue_again",
    "shipping.orders.upload_upkeep._remove_old",
    "shipping.orders.importer._insert",
    "shipping.orders.importer.finish",
}
# What every process shares of a carrier's pace stands beside the engine, too.
PACE_WORK = {"shipping.pace._draw", "shipping.pace._pass_on"}


def functions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions and methods of a module by their qualified names."""
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield f"{prefix}.{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node.body, f"{prefix}.{node.name}")


def names_in(node: ast.AST) -> set[str]:
    """Every name that a piece of code uses, attributes included."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return names | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def engine_functions() -> dict[str, ast.FunctionDef]:
    return {
        name: node
        for path in sorted(ENGINE.glob("*.py"))
        for name, node in functions(ast.parse(path.read_text()).body, f"shipping.engine.{path.stem}")
    }


def transactions() -> set[str]:
    """The engine's functions that open a transaction."""
    return {name for name, node in engine_functions().items() if names_in(node) & OPENERS and node.name not in OPENERS}


def requests() -> set[str]:
    """What the wire calls of a carrier."""
    return {
        node.func.attr
        for function in engine_functions().values()
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "carrier"
    }


def filing() -> set[str]:
    """The functions that file an answer, one for each kind of letter."""
    body = engine_functions()["shipping.engine.books._file_reply"]
    called = {node.func.id for node in ast.walk(body) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return {name for name in called if name.lstrip("_").startswith("settle_")}


def moments_of(name: str) -> set[Moment]:
    """Where around a call of that name workers die."""
    return {case.boundary.moment for case in CASES if case.boundary.point.replace(":", ".").endswith(f".{name}")}


def test_the_code_is_read_as_it_is() -> None:
    assert {"shipping.engine.books.tick", "shipping.engine.worker.ShippingWorker._work_one"} <= transactions()
    assert requests() == {"buy", "prepare", "lookup", "void", "refund_state", "fetch_label"}
    assert len(filing()) == len(get_args(Letter))


@pytest.mark.parametrize("name", sorted(transactions() | FILE_WORK | PACE_WORK))
def test_workers_die_on_both_sides_of_the_commit_of(name: str) -> None:
    moments = {case.boundary.moment for case in CASES if case.place.within == name}
    assert {Moment.before_commit, Moment.after_commit} <= moments


@pytest.mark.parametrize("request_name", sorted(requests()))
def test_workers_die_before_during_and_after_the_request(request_name: str) -> None:
    moments = {case.boundary.moment for case in CASES if case.boundary.point == f"{CARRIER}.{request_name}"}
    assert {Moment.before, Moment.during, Moment.after} <= moments


@pytest.mark.parametrize("name", sorted(filing()))
def test_workers_die_on_both_sides_of_filing_an_answer(name: str) -> None:
    assert {Moment.before_commit, Moment.after_commit} <= moments_of(name)


@pytest.mark.parametrize("letter", get_args(Letter))
def test_workers_die_on_both_sides_of_noting_what_is_sent(letter: type) -> None:
    assert {Moment.before_commit, Moment.after_commit} <= moments_of(letter.__name__)


def test_boundaries_have_names_of_their_own() -> None:
    names = [str(case) for case in CASES]
    assert len(names) == len(set(names))


def test_the_waits_keep_the_rules_of_the_system_checks(settings: Any) -> None:
    for name, value in WAITS.items():
        setattr(settings, name, value)
    assert not check_settings()
