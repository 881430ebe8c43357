"""Orders to try the site with: made-up people at real cities and ZIP codes of the United States."""

import csv
from collections.abc import Iterator
from pathlib import Path

COLUMNS = (
    "reference", "to_name", "to_company", "to_street1", "to_street2", "to_city", "to_state", "to_zip", "to_country",
    "to_phone", "to_email", "length", "width", "height", "weight", "service",
)  # fmt: skip

_FIRST_NAMES = (
    "Ada", "Bruno", "Clara", "Dmitri", "Esther", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko", "Liam", "Maya",
    "Noor", "Oscar", "Priya", "Quinn", "Rosa", "Samuel", "Tessa", "Umar", "Vera", "Walt", "Ximena", "Yusuf", "Zoe",
    "Anneliese",
)  # fmt: skip
_LAST_NAMES = (
    "Abbott", "Barros", "Castellan", "Dufour", "Eklund", "Farrow", "Galvez", "Hartwell", "Ibarra", "Jansson", "Kowal",
    "Lindqvist", "Marchetti", "Nakata", "Okafor", "Pemberton", "Quigley", "Rasmus", "Silveira", "Thackeray", "Ulrich",
    "Vandermeer", "Whitlock",
)  # fmt: skip
_STREETS = (
    "Alder St", "Birch Ave", "Cedar Ln", "Dogwood Dr", "Elm St", "Foundry Rd", "Garden Ct", "Harbor Blvd",
    "Juniper Way", "Mill Rd", "Orchard St", "Prospect Ave", "Quarry Rd",
)  # fmt: skip
_COMPANIES = ("", "", "", "", "Larkspur Books", "", "", "Tin Roof Bakery", "", "", "Cobalt Cycles")
_PLACES = (
    ("Portland", "OR", "97205"), ("Seattle", "WA", "98101"), ("San Francisco", "CA", "94103"),
    ("Los Angeles", "CA", "90012"), ("San Diego", "CA", "92101"), ("Phoenix", "AZ", "85004"),
    ("Tucson", "AZ", "85701"), ("Las Vegas", "NV", "89101"), ("Salt Lake City", "UT", "84101"),
    ("Boise", "ID", "83702"), ("Denver", "CO", "80202"), ("Albuquerque", "NM", "87102"),
    ("Austin", "TX", "78701"), ("Houston", "TX", "77002"), ("Dallas", "TX", "75201"),
    ("Oklahoma City", "OK", "73102"), ("Kansas City", "MO", "64106"), ("St. Louis", "MO", "63101"),
    ("Omaha", "NE", "68102"), ("Minneapolis", "MN", "55401"), ("Madison", "WI", "53703"),
    ("Chicago", "IL", "60602"), ("Indianapolis", "IN", "46204"), ("Columbus", "OH", "43215"),
    ("Detroit", "MI", "48226"), ("Louisville", "KY", "40202"), ("Nashville", "TN", "37203"),
    ("New Orleans", "LA", "70112"), ("Atlanta", "GA", "30303"), ("Miami", "FL", "33130"),
    ("Charlotte", "NC", "28202"), ("Richmond", "VA", "23219"), ("Baltimore", "MD", "21202"),
    ("Philadelphia", "PA", "19103"), ("New York", "NY", "10001"), ("Hartford", "CT", "06103"),
    ("Boston", "MA", "02108"), ("Burlington", "VT", "05401"), ("Portland", "ME", "04101"),
    ("Anchorage", "AK", "99501"), ("Honolulu", "HI", "96813"),
)  # fmt: skip
# Inches and ounces: a padded mailer, a shoe box, a book, a moving box.
_PARCELS = ((10, 7, 1, 8.5), (13, 8, 5, 42), (9, 6, 2, 19.2), (18, 14, 12, 168))
_SERVICES = ("", "", "", "Priority", "", "GroundAdvantage")


def sample_orders(count: int) -> Iterator[dict[str, str]]:
    """So many orders by column, always the same ones. The lists' lengths share no factor, so people hardly repeat."""
    for number in range(1, count + 1):
        first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
        last = _LAST_NAMES[number % len(_LAST_NAMES)]
        city, state, zip_code = _PLACES[number * 7 % len(_PLACES)]
        length, width, height, weight = _PARCELS[number % len(_PARCELS)]
        yield {
            "reference": f"S-{1000 + number}",
            "to_name": f"{first} {last}",
            "to_company": _COMPANIES[number % len(_COMPANIES)],
            "to_street1": f"{100 + number * 37 % 9000} {_STREETS[number % len(_STREETS)]}",
            "to_street2": f"Apt {number % 40 + 1}" if number % 9 == 0 else "",
            "to_city": city,
            "to_state": state,
            "to_zip": zip_code,
            "to_country": "US",
            # 555-0100 to 555-0199 are kept free for fiction by the North American Numbering Plan.
            "to_phone": f"555-555-01{number % 100:02d}",
            "to_email": f"{first}.{last}@example.com".lower(),
            "length": str(length),
            "width": str(width),
            "height": str(height),
            "weight": str(weight),
            "service": _SERVICES[number % len(_SERVICES)],
        }


def write_sample_orders(path: Path, count: int) -> None:
    """Write so many orders as a CSV file (UTF-8, with headers)."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(sample_orders(count))
