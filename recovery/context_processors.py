"""The banner of interrupted jobs on every page."""

from functools import cache
from typing import Any

from django.http import HttpRequest

from recovery.banner import Banner, may_see_banner, read_banner


def interrupted_jobs(request: HttpRequest) -> dict[str, Any]:
    """`interrupted_banner` and `interrupted_count`: asked for only by templates that show them, once a request, and
    only for people who may view jobs.
    """

    @cache
    def interrupted_banner() -> Banner:
        return read_banner() if may_see_banner(getattr(request, "user", None)) else Banner()

    return {"interrupted_banner": interrupted_banner, "interrupted_count": lambda: interrupted_banner().number}
