"""The page for what went wrong on the server; nothing here reads the database."""

import sys

from django.http import HttpRequest, HttpResponse
from django.template import loader

from shipping.models.clock import boot_id
from shipping.outages import WORDS, Outage, outage_of

RETRY_AFTER_SECONDS = 5

# A database that is busy or away comes back by itself; for the others somebody has to do something.
_NEEDS_HELP = frozenset({Outage.disk_full, Outage.read_only, Outage.no_file_handles})


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (Django calls it with the request)
    """Tell a database, a disk or a file handle that could not be had (503, come back) from everything else (500)."""
    error = sys.exc_info()[1]
    outage = outage_of(error) if error is not None else None
    if outage is not None:
        page = loader.get_template("503.html").render({"said": WORDS[outage] if outage in _NEEDS_HELP else ""})
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    return HttpResponse(loader.get_template("500.html").render(), status=500)


def read_what_errors_need() -> None:
    """Read every file once that an answer of this kind needs: when it is wanted, there may be no file handle left."""
    for name in ("500.html", "503.html"):
        loader.get_template(name).render()
    # Django writes the address of the request into its log in this encoding, whose module is read at its first use.
    "".encode("unicode_escape")
    boot_id()
