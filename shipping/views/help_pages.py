"""Help for clerks: one page for each question, open to everybody who is signed in."""

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipping.views.access import PageRequest, page

# The order in which the list shows them: the bad hour first. Each slug has its template in templates/help/.
TOPICS: dict[str, str | Promise] = {
    "stuck": gettext_lazy("My job is stuck"),
    "resume": gettext_lazy("What “resume” does"),
    "restart": gettext_lazy("What “restart” does"),
    "cancel": gettext_lazy("What “cancel” does"),
    "pause": gettext_lazy("What “pause” does"),
    "doubt": gettext_lazy("What “in doubt” means"),
    "review": gettext_lazy("Rows that need a decision"),
    "charges": gettext_lazy("Charges that no row owns"),
    "void": gettext_lazy("Voiding labels and refunds"),
    "upload": gettext_lazy("The file of orders"),
    "printing": gettext_lazy("Printing labels"),
    "two-tabs": gettext_lazy("Two windows, two people, two clicks"),
    "no-worker": gettext_lazy("No worker is running"),
}


@page(None)
def topics(request: PageRequest) -> HttpResponseBase:
    """All topics."""
    return render(request, "help/topics.html", {"topics": TOPICS})


@page(None)
def topic(request: PageRequest, slug: str) -> HttpResponseBase:
    """One topic; the others are linked below it."""
    if slug not in TOPICS:
        raise Http404(_("There is no help page of this name."))
    others = {other: name for other, name in TOPICS.items() if other != slug}
    return render(request, f"help/{slug}.html", {"name": TOPICS[slug], "others": others})
