"""`{{ job.spent_cents|money:job.currency }}`: whole cents as people write them."""

from decimal import Decimal

from django import template
from django.utils import formats

register = template.Library()


@register.filter
def money(cents: int | None, currency: str = "USD") -> str:
    """An amount in hundredths of `currency` as "$1,234.50", or "1,234.50 CAD" in any other currency."""
    amount = Decimal(cents or 0) / 100
    written = formats.number_format(abs(amount), decimal_pos=2, use_l10n=True, force_grouping=True)
    sign = "−" if amount < 0 else ""
    return f"{sign}${written}" if currency == "USD" else f"{sign}{written} {currency}"
