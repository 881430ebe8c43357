"""What a person has chosen for themselves, and the time zone that their pages are shown in."""

import zoneinfo

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest

from shipping.models import Preference

# The browser's own zone (site.js writes it), until the person has chosen one.
TIME_ZONE_COOKIE = "time_zone"

TIME_ZONES = frozenset(zoneinfo.available_timezones())


def preference_of(user: AbstractBaseUser | AnonymousUser) -> Preference | None:
    """What this person has chosen; None for somebody who has chosen nothing or is not signed in.

    One query for each user object, whatever it finds: Django keeps the answer on the user, "none" as well.
    """
    # "There is none" is an AttributeError too.
    preference: Preference | None = getattr(user, "preference", None)
    return preference


def save_preference(user: User, *, time_zone: str, ships_at_once: bool) -> Preference:
    """Keep what this person has chosen. `time_zone` is one of TIME_ZONES, or empty: what the browser says.

    Raises ValueError for a time zone that there is not.
    """
    if time_zone and time_zone not in TIME_ZONES:
        raise ValueError(f"There is no time zone {time_zone!r}.")
    chosen = {"time_zone": time_zone, "ships_at_once": ships_at_once}
    preference, _created = Preference.objects.update_or_create(user=user, defaults=chosen)
    return preference


def time_zone_of(request: HttpRequest) -> zoneinfo.ZoneInfo | None:
    """The zone to show times in: the person's choice, else the browser's; None when neither is known."""
    preference = preference_of(request.user)
    name = (preference.time_zone if preference else "") or request.COOKIES.get(TIME_ZONE_COOKIE, "")
    return zoneinfo.ZoneInfo(name) if name in TIME_ZONES else None
