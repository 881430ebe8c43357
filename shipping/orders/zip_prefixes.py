"""Which states the first three digits of a ZIP code may belong to.

From the Postal Service's own allocation (Domestic Mail Manual, labeling list L002): ranges of prefixes by state. A
few prefixes serve places of two states; those are listed with both. What is not listed is not judged.
"""

_RANGES = {
    "AK": "995-999", "AL": "350-352 354-369", "AR": "716-729", "AZ": "850-853 855-857 859-860 863-865",
    "CA": "900-908 910-928 930-961", "CO": "800-816", "CT": "060-069", "DC": "200 202-205 569", "DE": "197-199",
    "FL": "320-339 341-342 344 346-347 349", "GA": "300-319 398-399", "HI": "967-968", "IA": "500-516 520-528",
    "ID": "832-838", "IL": "600-620 622-629", "IN": "460-479", "KS": "660-662 664-679", "KY": "400-418 420-427",
    "LA": "700-701 703-708 710-714", "MA": "010-027 055", "MD": "206-212 214-219", "ME": "039-049", "MI": "480-499",
    "MN": "550-551 553-567", "MO": "630-631 633-641 644-658", "MS": "386-397", "MT": "590-599",
    "NC": "270-289", "ND": "580-588", "NE": "680-681 683-693", "NH": "030-038", "NJ": "070-089",
    "NM": "870-871 873-875 877-884", "NV": "889-891 893-895 897-898", "NY": "005 063 100-149", "OH": "430-459",
    "OK": "730-731 734-741 743-749", "OR": "970-979", "PA": "150-196", "RI": "028-029", "SC": "290-299",
    "SD": "570-577", "TN": "370-385", "TX": "733 750-799 885", "UT": "840-847", "VA": "201 220-246",
    "VT": "050-054 056-059", "WA": "980-986 988-994", "WI": "530-532 534-535 537-549", "WV": "247-268",
    "WY": "820-831 834", "PR": "006-007 009", "VI": "008", "GU": "969", "MP": "969", "AS": "967",
    "AA": "340", "AE": "090-099", "AP": "962-966",
}  # fmt: skip


def _by_prefix() -> dict[str, frozenset[str]]:
    states: dict[str, set[str]] = {}
    for state, ranges in _RANGES.items():
        for each in ranges.split():
            first, _dash, last = each.partition("-")
            for prefix in range(int(first), int(last or first) + 1):
                states.setdefault(f"{prefix:03}", set()).add(state)
    return {prefix: frozenset(found) for prefix, found in states.items()}


_STATES_BY_PREFIX = _by_prefix()


def states_of(zip_code: str) -> frozenset[str]:
    """The states (two-letter codes) that a ZIP code may belong to by its first three digits; empty when unknown."""
    return _STATES_BY_PREFIX.get(zip_code[:3], frozenset())
