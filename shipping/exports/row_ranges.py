"""Rows as people name them: "1-50, 77"."""

import re
from dataclasses import dataclass
from typing import Self

from django.db.models import Q
from django.utils.translation import gettext as _

MOST_RANGES = 100
_LARGEST_NUMBER = 2_147_483_647
_RANGE = re.compile(r"\s*(\d{1,10})\s*(?:[-–—]\s*(\d{1,10})\s*)?")


class BadRange(ValueError):
    """A text that names no rows. The message is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class RowRanges:
    """Rows of a job by their numbers, each range with its first and its last row."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Ranges from text such as "1-50, 77", in rising order and joined where they touch. Raises BadRange."""
        found: list[tuple[int, int]] = []
        for part in text.replace(";", ",").split(","):
            if not part.strip():
                continue
            match = _RANGE.fullmatch(part)
            first = int(match[1]) if match else 0
            last = int(match[2] or first) if match else 0
            if not 1 <= first <= last <= _LARGEST_NUMBER:
                raise BadRange(
                    _("“%(part)s” names no rows. Write row numbers and ranges, such as 1-50, 77.")
                    % {"part": part.strip()[:40]}
                )
            found.append((first, last))
        if not found:
            raise BadRange(_("Write row numbers and ranges, such as 1-50, 77."))
        if len(found) > MOST_RANGES:
            raise BadRange(_("At most %(count)s ranges can be named at once.") % {"count": MOST_RANGES})
        return cls(_joined(sorted(found)))

    def __str__(self) -> str:
        return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in self.ranges)

    def within(self, field: str) -> Q:
        """The condition that `field` holds one of these numbers."""
        chosen = Q()
        for first, last in self.ranges:
            chosen |= Q(**{f"{field}__gte": first, f"{field}__lte": last})
        return chosen


def _joined(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined = [ranges[0]]
    for first, last in ranges[1:]:
        if first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)
