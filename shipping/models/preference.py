"""What a person has chosen for themselves."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Preference(models.Model):
    """One line for each person who has chosen something; without one, the defaults hold."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preference")
    time_zone = models.CharField(
        max_length=63, blank=True, help_text=_("An IANA name; empty means what the browser says, else the site's.")
    )
    ships_at_once = models.BooleanField(
        default=False, help_text=_("A checked file is shipped without a person confirming its preview.")
    )

    def __str__(self) -> str:
        return f"preferences of {self.user}"
