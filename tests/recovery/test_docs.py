"""docs/recovery.md, held against the commands and the prompt."""

import argparse
import re

import pytest

from recovery import InterruptedJobInfo, get_recovery_prompt
from recovery.management.commands import orphans, recover
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "recovery.md").read_text("utf-8")


def test_every_option_is_documented_and_no_other() -> None:
    options: set[str] = set()
    for command in (recover.Command(), orphans.Command()):
        parser = argparse.ArgumentParser(add_help=False)
        command.add_arguments(parser)  # type: ignore[arg-type]  # Django's parser is a subclass
        options |= set(re.findall(r"--[a-z][a-z-]+", parser.format_help()))
    assert options == set(re.findall(r"--[a-z][a-z-]+", PAGE))


def test_the_prompt_shown_is_the_real_one() -> None:
    info = InterruptedJobInfo(
        job_id=12,
        job_name="Autumn orders",
        completed_rows=47,
        total_rows=200,
        remaining_rows=152,
        last_row_number=47,
        last_tracking_number="9400100000000000000047",
        last_recipient="Jane Doe",
        error_code="ADDRESS.INVALID",
        error_message="No such street.",
        error_row_number=48,
        in_flight_count=3,
        failed_rows=1,
        cost=35250,
    )
    assert f"```\n{get_recovery_prompt(info)}\n```" in PAGE


@pytest.mark.django_db
def test_the_example_in_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.factories import make_interrupted_job

    make_interrupted_job(3, completed=1)
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    exec(compile(example[1], "docs/recovery.md", "exec"), {})  # noqa: S102  # our own page
    assert "was interrupted at row 1/3" in capsys.readouterr().out
