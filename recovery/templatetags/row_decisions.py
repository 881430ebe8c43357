"""`{% row_decisions job row live_runs %}`: what can be done about a row now, as forms that lead back to its page."""

from collections.abc import Collection
from typing import Any

from django import template
from django.template import Context

from recovery.review_desk import row_lines
from shipping.models import Job, Row

register = template.Library()


@register.inclusion_tag("recovery/row_choices.html", takes_context=True)
def row_decisions(context: Context, job: Job, row: Row, live_runs: Collection[int]) -> dict[str, Any]:
    """The choices about one row, for whoever has the rights; costs only the clock's query."""
    return {
        "line": row_lines(job, [row], live_runs)[0],
        "row": row,
        "job": job,
        "back": "row",
        "perms": context["perms"],
        "csrf_token": context["csrf_token"],
    }
