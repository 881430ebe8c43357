"""The canonical columns in the words of the pages."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

COLUMN_NAMES: Mapping[str, str | Promise] = {
    "reference": _("Order reference"),
    "to_name": _("Name"),
    "to_company": _("Company"),
    "to_street1": _("Street and number"),
    "to_street2": _("Apartment, suite or floor"),
    "to_city": _("City"),
    "to_state": _("State or province"),
    "to_zip": _("ZIP or postal code"),
    "to_country": _("Country"),
    "to_phone": _("Phone"),
    "to_email": _("Email"),
    "weight": _("Weight (ounces)"),
    "length": _("Length (inches)"),
    "width": _("Width (inches)"),
    "height": _("Height (inches)"),
    "service": _("Service"),
}
