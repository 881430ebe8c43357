"""What the documentation says, held against the code."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

BASE_DIR = Path(settings.BASE_DIR)
README = BASE_DIR / "README.md"
PAGES = [README, BASE_DIR / "CHANGELOG.md", *sorted((BASE_DIR / "docs").glob("*.md"))]
SETTINGS_PAGE = (BASE_DIR / "docs" / "settings.md").read_text("utf-8")
# Read by the supervisor of `make demo` and `make run`, not by the settings.
SUPERVISOR_VARIABLES = {"PORT", "SANDBOX_PORT"}


def variables_read() -> dict[str, ast.expr]:
    """Each environment variable that the settings read, with the expression of its default."""
    tree = ast.parse((BASE_DIR / "shipping" / "project" / "settings.py").read_text("utf-8"))
    found: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="env")), args=[ast.Constant(value=str(name))]):
                found[name] = next(keyword.value for keyword in node.keywords if keyword.arg == "default")
    return found


def documented_defaults() -> dict[str, str]:
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| .+ \|$", SETTINGS_PAGE, re.MULTILINE))


def test_every_variable_is_documented_and_no_other() -> None:
    read = set(variables_read())
    assert "LEASE_SECONDS" in read
    assert set(documented_defaults()) == read | SUPERVISOR_VARIABLES


def plain_defaults() -> list[tuple[str, str]]:
    """Defaults that are written as a plain number, text or truth in the settings, as the page should show them."""
    shown = []
    for name, expression in variables_read().items():
        if isinstance(expression, ast.Constant):
            value = expression.value
            text = str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")
            shown.append((name, f"`{text}`" if text else "empty"))
    return shown


@pytest.mark.parametrize(("name", "shown"), plain_defaults())
def test_a_documented_default_is_the_real_one(name: str, shown: str) -> None:
    assert documented_defaults()[name] == shown


def test_the_ports_documented_are_those_that_are_used() -> None:
    from shipping.project import local

    assert documented_defaults()["PORT"] == f"`{local.DEFAULT_PORT}`"
    assert documented_defaults()["SANDBOX_PORT"] == f"`{local.DEFAULT_SANDBOX_PORT}`"


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (BASE_DIR / "Makefile").read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_command_named_exists(page: Path) -> None:
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text("utf-8"))) <= make_targets()


def test_the_readme_names_every_make_command() -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)", README.read_text("utf-8")))
    assert make_targets() - {"help", "format"} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_management_command_named_exists(page: Path) -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", page.read_text("utf-8")))
    assert named <= set(get_commands())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_into_the_repository_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text("utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) < 200


@pytest.mark.parametrize("name", ["base", "celery", "dev"])
def test_every_dependency_has_its_reason(name: str) -> None:
    wanted = {
        re.split(r"[<>=\[]", line)[0]
        for line in (BASE_DIR / "requirements" / f"{name}.in").read_text("utf-8").split()
        if not line.endswith(".txt") and line not in ("-r", "-c")
    }
    page = (BASE_DIR / "docs" / "dependencies.md").read_text("utf-8")
    section = page.partition(f"requirements/{name}.in`)")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)) == wanted


@pytest.mark.parametrize("name", ["base", "celery", "dev"])
def test_pinned_requirements_name_no_package_index(name: str) -> None:
    lines = (BASE_DIR / "requirements" / f"{name}.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.lstrip().startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+(\[[a-z,]+\])?==[0-9a-z.]+", pin) for pin in pins if pin), pins
