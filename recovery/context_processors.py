"""The banner that counts interrupted jobs on every page."""

from typing import Any

from django.http import HttpRequest


def interrupted_jobs(request: HttpRequest) -> dict[str, Any]:
    return {}
