"""What a person chooses for themselves: the time zone of their pages, and whether a checked file ships at once."""

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from shipping.models import Preference
from shipping.preference_form import AT_ONCE, PreferenceForm
from shipping.preferences import TIME_ZONE_COOKIE, TIME_ZONES, preference_of, save_preference
from shipping.views.access import CHANGE, PageRequest, go_to, page


@require_http_methods(["GET", "HEAD", "POST"])
@page(None)
def preferences(request: PageRequest) -> HttpResponseBase:
    """Show the choices of whoever is signed in, and keep them."""
    preference = preference_of(request.user) or Preference(user=request.user)
    initial = {"time_zone": preference.time_zone, "ships_at_once": AT_ONCE if preference.ships_at_once else ""}
    form = PreferenceForm(request.POST if request.method == "POST" else None, initial=initial)
    if not request.user.has_perm(CHANGE):
        del form.fields["ships_at_once"]
    if form.is_valid():
        kept = {"ships_at_once": preference.ships_at_once, **form.cleaned_data}
        save_preference(request.user, **kept)
        messages.success(request, _("Your preferences are kept."))
        return go_to(request, "shipping:preferences")
    browser = request.COOKIES.get(TIME_ZONE_COOKIE, "")
    context = {"form": form, "browser_zone": browser.replace("_", " ") if browser in TIME_ZONES else ""}
    return render(request, "shipping/preferences.html", context)
