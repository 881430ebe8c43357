"""One question to the whole books: jobs, order references, recipients and tracking numbers that begin (or end) so.

Every look-up is the beginning of a key (`shipping.models.search_key`), so a range of an index, read in its order: it
costs the same in a thousand rows and in a million, however many of them fit.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from shipping.models import Job, Label, Row
from shipping.models.job import CODE_ALPHABET, CODE_LENGTH
from shipping.models.search_key import name_key, reference_key, reversed_key

HITS = 20
LONGEST_QUESTION = 100
SHORTEST_QUESTION = 2
# Fewer digits than this end too many tracking numbers to be of use.
SHORTEST_END = 4
# Jobs whose name holds the words anywhere are looked for among the newest ones only.
NEWEST_JOBS = 1_000

# Sorts after every key that goes on from the same beginning.
_LAST = "\U0010ffff"
_LARGEST_ID = 2**63 - 1
# Our own name for an attempt at a row (`Job.reference`), as the carrier shows it; the attempt may be missing.
_ROW_REFERENCE = re.compile(rf"([{CODE_ALPHABET}]{{{CODE_LENGTH}}})[- ]?0*(\d{{1,9}})(?:[- ](\d{{1,9}}))?\Z")

Record = TypeVar("Record", bound=Model)


class Place(StrEnum):
    """Where something was looked for; each has an order of its own and is paged by itself."""

    jobs = "jobs"
    row = "row"
    references = "references"
    tracking = "tracking"
    names = "names"
    surnames = "surnames"
    tracking_ends = "tracking_ends"


@dataclass(frozen=True, slots=True)
class Hits:
    """What one place holds, at most HITS; `next_after` is the id to go on from. `exact`: the first is what was
    asked for, and not only begins like it.
    """

    place: Place
    records: Sequence[Any]
    next_after: int | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """All that was found, what was asked for exactly before everything else. `too_short`: nothing was looked for."""

    question: str
    too_short: bool
    found: tuple[Hits, ...]


def search(question: str, *, place: Place | None = None, after: int | None = None) -> Answer:
    """Look everywhere, or on in one `place` after the record of that id. A fixed number of quick queries."""
    asked = question.strip()[:LONGEST_QUESTION]
    reference = reference_key(asked)
    if len(reference) < (1 if reference.isdecimal() else SHORTEST_QUESTION):
        return Answer(question=asked, too_short=True, found=())
    places = Place if place is None else (place,)
    hits = [_LOOK_UPS[each](asked, after) for each in places]
    found = sorted((each for each in hits if each.records), key=lambda each: not each.exact)
    return Answer(question=asked, too_short=False, found=tuple(found))


# --- Places ----------------------------------------------------------------------------------------------


def _jobs(asked: str, after: int | None) -> Hits:
    """By code or id, then by the beginning of the name, then newest ones that have the words anywhere in it."""
    named = _beginning_with(Job.objects.all(), "name_key", name_key(asked), after)
    if after is not None:
        return _hits(Place.jobs, named)
    itself = list(_job_itself(asked))
    words = name_key(asked)
    newest = Job.objects.filter(pk__in=Job.objects.order_by("-pk").values("pk")[:NEWEST_JOBS])
    anywhere = newest.filter(name_key__contains=words).order_by("-pk")[:HITS] if words else ()
    if len(named) > HITS:
        # The order of the pages that follow must hold from the first on.
        return _hits(Place.jobs, named, exact=bool(itself))
    together = {job.pk: job for job in (*itself, *named, *anywhere)}
    return Hits(Place.jobs, list(islice(together.values(), HITS)), exact=bool(itself))


def _job_itself(asked: str) -> QuerySet[Job]:
    code = asked.upper().replace(" ", "")
    jobs = Job.objects.none()
    if len(code) == CODE_LENGTH:
        jobs = Job.objects.filter(code=code)
    if asked.isascii() and asked.isdecimal() and 0 < int(asked) <= _LARGEST_ID:
        jobs |= Job.objects.filter(pk=int(asked))
    return jobs


def _row(asked: str, _after: int | None) -> Hits:
    """The row that one of our own references names, whichever attempt."""
    named = _ROW_REFERENCE.match(asked.upper())
    rows = _rows().filter(job__code=named[1], number=int(named[2])) if named else Row.objects.none()
    return Hits(Place.row, list(rows), exact=True)


def _references(asked: str, after: int | None) -> Hits:
    key = reference_key(asked)
    return _hits(Place.references, _beginning_with(_rows(), "reference_key", key, after), "reference_key", key)


def _names(asked: str, after: int | None) -> Hits:
    return _hits(Place.names, _beginning_with(_rows(), "name_key", name_key(asked), after))


def _surnames(asked: str, after: int | None) -> Hits:
    return _hits(Place.surnames, _beginning_with(_rows(), "surname_key", name_key(asked), after))


def _tracking(asked: str, after: int | None) -> Hits:
    key = reference_key(asked)
    return _hits(Place.tracking, _beginning_with(_labels(), "tracking_key", key, after), "tracking_key", key)


def _tracking_ends(asked: str, after: int | None) -> Hits:
    """Labels whose number ends so; those that are it wholly, `_tracking` has found."""
    key = reversed_key(asked)
    labels = _labels().exclude(tracking_end_key=key)
    long_enough = len(key) >= SHORTEST_END
    return _hits(Place.tracking_ends, _beginning_with(labels, "tracking_end_key", key, after) if long_enough else [])


_LOOK_UPS = {
    Place.jobs: _jobs,
    Place.row: _row,
    Place.references: _references,
    Place.tracking: _tracking,
    Place.names: _names,
    Place.surnames: _surnames,
    Place.tracking_ends: _tracking_ends,
}


# --- Parts -----------------------------------------------------------------------------------------------


def _rows() -> QuerySet[Row]:
    return Row.objects.select_related("job", "label")


def _labels() -> QuerySet[Label]:
    return Label.objects.select_related("job", "row")


def _beginning_with(records: QuerySet[Record], key: str, beginning: str, after: int | None) -> list[Record]:
    """At most HITS records and one more by rising key, those after the record of the id `after`."""
    if not beginning:
        return []
    chosen = records.filter(**{f"{key}__gte": beginning, f"{key}__lt": beginning + _LAST})
    if after is not None:
        last = records.filter(pk=after).values_list(key, flat=True).first() or ""
        chosen = chosen.filter(**{f"{key}__gte": last}).exclude(**{key: last, "pk__lte": after})
    return list(chosen.order_by(key, "pk")[: HITS + 1])


def _hits(place: Place, records: Sequence[Any], key: str = "", asked: str = "", *, exact: bool = False) -> Hits:
    """A page of what was found; exact also when the first record's `key` is what was asked for."""
    shown = records[:HITS]
    exact = exact or bool(key and shown and getattr(shown[0], key) == asked)
    return Hits(place, shown, next_after=shown[-1].pk if len(records) > HITS else None, exact=exact)
