"""The page for what went wrong on the server; nothing here reads the database."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader

RETRY_AFTER_SECONDS = 5


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (Django calls it with the request)
    """Tell a database that could not be had (503, come back) from everything else (500)."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        page = loader.get_template("503.html").render()
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    return HttpResponse(loader.get_template("500.html").render(), status=500)
