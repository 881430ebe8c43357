"""Interrupted jobs: what is known about them, and the choices that a person has.

The five names are handed on lazily (PEP 562): an app's package is imported before the models exist.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recovery.choices import handle_recovery_choice
    from recovery.confirmation import RecoveryChoice
    from recovery.facts import InterruptedJobInfo, check_interrupted_jobs
    from recovery.prompt import get_recovery_prompt

__all__ = [
    "InterruptedJobInfo",
    "RecoveryChoice",
    "check_interrupted_jobs",
    "get_recovery_prompt",
    "handle_recovery_choice",
]

_HOMES = {
    "InterruptedJobInfo": "recovery.facts",
    "RecoveryChoice": "recovery.confirmation",
    "check_interrupted_jobs": "recovery.facts",
    "get_recovery_prompt": "recovery.prompt",
    "handle_recovery_choice": "recovery.choices",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
