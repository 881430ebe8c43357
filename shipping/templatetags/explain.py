"""`{% explanations "job" "row" "run" %}`: what each state means, opened by its badge; once on a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import reverse
from django.utils.functional import Promise

from shipping.conditions import (
    CONDITION_NAMES,
    JOB_EXPLANATIONS,
    ROW_EXPLANATIONS,
    ROW_NAMES,
    RUN_EXPLANATIONS,
    RUN_NAMES,
    Explanation,
)

register = template.Library()

KINDS: Mapping[str, tuple[Mapping[Any, str | Promise], Mapping[Any, Explanation]]] = {
    "job": (CONDITION_NAMES, JOB_EXPLANATIONS),
    "row": (ROW_NAMES, ROW_EXPLANATIONS),
    "run": (RUN_NAMES, RUN_EXPLANATIONS),
}


@dataclass(frozen=True, slots=True)
class ExplainedState:
    """One state as its explanation shows it; `identity` is the id that badges point at."""

    identity: str
    name: str | Promise
    sentence: str | Promise
    help_address: str


@register.inclusion_tag("shipping/explanations.html")
def explanations(*kinds: str) -> dict[str, Any]:
    """The explanations of these kinds of states; must stand outside of every part of the page that polls, which
    would close the one that is being read.
    """
    return {"states": [state for kind in kinds for state in _states(kind)]}


def _states(kind: str) -> list[ExplainedState]:
    names, explained = KINDS[kind]
    return [
        ExplainedState(
            identity=f"why-{kind}-{getattr(state, 'value', state)}",
            name=names[state],
            sentence=explanation.sentence,
            help_address=reverse("shipping:help_page", args=[explanation.help]) if explanation.help else "",
        )
        for state, explanation in explained.items()
    ]
