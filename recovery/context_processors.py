"""The banner that counts interrupted jobs on every page."""

from functools import cache
from typing import Any

from django.http import HttpRequest

from shipping.services import JobService


def interrupted_jobs(request: HttpRequest) -> dict[str, Any]:
    """`interrupted_count`: asked for only by templates that show it, once, and only for people who may view jobs."""

    @cache
    def interrupted_count() -> int:
        user = getattr(request, "user", None)
        if user is None or not user.has_perm("shipping.view_job"):
            return 0
        return JobService().interrupted_jobs().count()

    return {"interrupted_count": interrupted_count}
