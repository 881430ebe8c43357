"""Parts of pages that look again by themselves: they say which state they show, and get no answer while it stands."""

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict

# htmx swaps the body of any 200 or 304; a 204 it leaves alone, and the polling goes on.
NOTHING_NEW = 204


def version_of(*facts: Any) -> str:
    """A short name for what a part of a page shows; it changes when one of the facts does.

    Facts must print the same for the same state: numbers, strings, tuples and dates, no objects of their own.
    """
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def nothing_new(request: HttpRequest, version: str) -> HttpResponse | None:
    """The answer to a poll that has seen this version already (`?seen=<version>`), or None when there is news."""
    return HttpResponse(status=NOTHING_NEW) if request.GET.get("seen") == version else None


def address(path: str, query: QueryDict) -> str:
    """Where a page is found again: its path with its query string, without the version that a poll has seen."""
    kept = query.copy()
    kept.pop("seen", None)
    return f"{path}?{kept.urlencode()}" if kept else path


def seen_address(path: str, query: QueryDict, version: str) -> str:
    """Where a poll asks again for what a page shows, saying which version it has."""
    seen = query.copy()
    seen["seen"] = version
    return f"{path}?{seen.urlencode()}"
