"""Checking postal addresses: those of recipients and senders alike."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _

from shipping.orders.places import US_TERRITORIES, country_code, state_code

# Characters that a column may have. Names fit `Row.recipient`, all fit `Sender`; carriers cut or refuse on their own.
LONGEST: Mapping[str, int] = {
    "name": 100, "company": 100, "street1": 100, "street2": 100, "city": 100, "state": 50, "zip": 20, "country": 60,
    "phone": 50, "email": 200,
}  # fmt: skip
ADDRESS_FIELDS = tuple(LONGEST)

_US_ZIP = re.compile(r"([0-9]{5})(?:[- ]?([0-9]{4}))?")
# Canada Post: letter digit letter, digit letter digit; no D F I O Q U, and no W or Z in front.
_CANADIAN_POSTCODE = re.compile(r"([ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z])[- ]?([0-9][ABCEGHJ-NPRSTV-Z][0-9])")
# What surrounds a value without belonging to it: white space, and the invisible marks that other programs leave
# (byte order mark, zero width space, marks and embeddings of writing direction).
_AROUND = " \t\r\n\v\f\u00a0\u2007\u202f\u3000\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
# Overrides and embeddings that could make a label read differently from what it holds (Unicode annex 9).
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """The address with country and state as codes and the ZIP code in its usual form, and what is wrong with it:
    sentences by field.
    """

    fields: Mapping[str, str]
    problems: Mapping[str, str]


def tidy(text: str) -> str:
    """A value without what surrounds it."""
    return text.strip(_AROUND)


def text_problem(value: str, longest: int) -> str | None:
    """Why a value can't go on a label, whatever it means: too long, or characters that don't print."""
    if len(value) > longest:
        return _("It has %(characters)s characters; at most %(longest)s are allowed.") % {
            "characters": intcomma(len(value)),
            "longest": longest,
        }
    if value.isprintable():
        return None
    for character in value:
        if character in "\r\n\v\f\u2028\u2029\x85":
            return _("It holds a line break; write it in one line.")
        if character < " " or "\x7f" <= character <= "\x9f":
            return _("It holds a control character (U+%(code)s).") % {"code": f"{ord(character):04X}"}
        if character in _DIRECTION:
            return _("It holds an invisible character that turns the writing direction (U+%(code)s).") % {
                "code": f"{ord(character):04X}"
            }
    return None


def check_address(address: Mapping[str, str]) -> CheckedAddress:
    """Check and normalise an address whose values are tidied; fields as in `LONGEST`, missing ones are empty.

    An empty country is the United States. State and ZIP code are required and checked for the United States and
    Canada; other countries' are taken as they are.
    """
    fields = {field: address.get(field, "") for field in ADDRESS_FIELDS}
    problems = {field: problem for field, value in fields.items() if (problem := text_problem(value, LONGEST[field]))}
    if not fields["name"] and not fields["company"]:
        problems["name"] = _("A name or a company is needed.")
    for field in ("street1", "city"):
        if not fields[field]:
            problems[field] = _("This is needed.")
    country = country_code(fields["country"]) if fields["country"] else "US"
    if country is None:
        problems.setdefault(
            "country", _("This country is not known. Write its two-letter code (ISO 3166), such as US or CA.")
        )
        return CheckedAddress(fields, problems)
    if country in US_TERRITORIES:
        # The Postal Service has them as states.
        fields["state"] = fields["state"] or country
        country = "US"
    fields["country"] = country
    if country in {"US", "CA"}:
        for field, check in (("state", _checked_state), ("zip", _checked_zip)):
            if field not in problems:
                fields[field], problem = check(country, fields[field])
                if problem:
                    problems[field] = problem
    return CheckedAddress(fields, problems)


def _checked_state(country: str, state: str) -> tuple[str, str]:
    if not state:
        return state, _("A US state is needed.") if country == "US" else _("A Canadian province is needed.")
    code = state_code(country, state)
    if code is None:
        in_the_us = _("This is no US state. Write its two-letter code.")
        in_canada = _("This is no Canadian province. Write its two-letter code.")
        return state, in_the_us if country == "US" else in_canada
    return code, ""


def _checked_zip(country: str, code: str) -> tuple[str, str]:
    if country == "CA":
        if not code:
            return code, _("A postal code is needed.")
        match = _CANADIAN_POSTCODE.fullmatch(code.upper())
        return (f"{match[1]} {match[2]}", "") if match else (code, _("A Canadian postal code looks like K1A 0B1."))
    if not code:
        return code, _("A ZIP code is needed.")
    if match := _US_ZIP.fullmatch(code):
        return "-".join(part for part in match.groups() if part), ""
    return code, _us_zip_problem(code)


def _us_zip_problem(code: str) -> str:
    """Spreadsheets take ZIP codes for numbers and drop their leading zeros: 01027 becomes 1027, 00501 becomes 501."""
    five, dash, four = code.partition("-")
    if re.fullmatch(r"[0-9]{3,4}", five) and (not dash or re.fullmatch(r"[0-9]{4}", four)):
        right = five.zfill(5) + dash + four
        return _(
            "A ZIP code has 5 or 9 digits. A spreadsheet may have dropped a leading zero: then it is %(right)s."
        ) % {"right": right}
    if re.fullmatch(r"[0-9]{7,8}", code):
        right = f"{code.zfill(9)[:5]}-{code[-4:]}"
        return _(
            "A ZIP code has 5 or 9 digits. A spreadsheet may have dropped a leading zero: then it is %(right)s."
        ) % {"right": right}
    return _("A US ZIP code has 5 digits, or 9 as in 01027-1234.")
