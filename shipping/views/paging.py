"""Pages by key: "after row 150" costs the same at row 150 and at row 99,950."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

Item = TypeVar("Item", bound=Model)


@dataclass(frozen=True, slots=True)
class KeyPage(Generic[Item]):
    """Some items in order, and the keys that the links to the neighbouring pages carry (None: there is none)."""

    items: list[Item]
    previous_before: int | None
    next_after: int | None


def key_page(
    items: QuerySet[Item], key: str, *, size: int, after: int | None = None, before: int | None = None
) -> KeyPage[Item]:
    """At most `size` items by rising `key`: those after a key, or the last ones before a key, or the first."""
    if before is not None:
        found = list(items.filter(**{f"{key}__lt": before}).order_by(f"-{key}")[: size + 1])
        shown = found[:size][::-1]
        has_previous, has_next = len(found) > size, True
    else:
        chosen = items if after is None else items.filter(**{f"{key}__gt": after})
        found = list(chosen.order_by(key)[: size + 1])
        shown = found[:size]
        has_previous, has_next = bool(after), len(found) > size
    first = getattr(shown[0], key) if shown else None
    last = getattr(shown[-1], key) if shown else None
    return KeyPage(
        items=shown,
        previous_before=first if has_previous else None,
        next_after=last if has_next else None,
    )


def newest_first(items: QuerySet[Item], *, size: int, before: int | None = None) -> KeyPage[Item]:
    """At most `size` items by falling id, those older than `before`; `next_after` is the id to go on from."""
    chosen = items if before is None else items.filter(pk__lt=before)
    found = list(chosen.order_by("-pk")[: size + 1])
    more = len(found) > size
    return KeyPage(items=found[:size], previous_before=None, next_after=found[size - 1].pk if more else None)
