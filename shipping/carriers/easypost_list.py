"""EasyPost's list of an account's shipments, part by part (docs.easypost.com, "Pagination" and "Retrieve a list of
Shipments").

The list is newest first, at most 100 a page; `before_id` continues it. It never covers more than it was asked for:
without dates the last month alone, with a first date alone the month after it. So each request names both ends of
a window of less than a month, and the windows follow each other into the past. They overlap a little when asked for,
since neither the precision of the dates nor whether the ends belong to them is documented; what comes twice that way
is dropped by its own date.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shipping.carriers.easypost_replies import Unreadable, listed_of, made_at
from shipping.carriers.easypost_wire import JsonObject
from shipping.carriers.port import PurchasePage

PAGE_SIZE = 100
_WINDOW = timedelta(days=27)
_OVERLAP = timedelta(minutes=5)
# The carrier's clock may be ahead of ours.
_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the list a page begins: after the shipment `before_id`, in the window that ends before `until`."""

    since: datetime
    until: datetime
    before_id: str = ""

    @classmethod
    def of(cls, page: str, *, since: datetime) -> "Place":
        """The place that a page's name (`str` of a place) stands for; the newest end of the list for ""."""
        if not page:
            return cls(since, datetime.now(tz=UTC) + _AHEAD)
        until, _, before_id = page.partition(" ")
        return cls(since, datetime.fromisoformat(until), before_id)

    def __str__(self) -> str:
        return f"{self.until.isoformat()} {self.before_id}"

    @property
    def start(self) -> datetime:
        """The first moment of the window."""
        return max(self.since, self.until - _WINDOW)

    def parameters(self) -> JsonObject:
        """What to ask for."""
        asked: JsonObject = {
            "purchased": True,
            "page_size": PAGE_SIZE,
            "start_datetime": _written(self.start - _OVERLAP),
            "end_datetime": _written(self.until + _OVERLAP),
        }
        return {**asked, "before_id": self.before_id} if self.before_id else asked

    def after(self, last: JsonObject | None) -> "Place | None":
        """Where the list goes on: after the last shipment of a page that more follow, or else (None) in the window
        before; None at the list's end. Raises Unreadable for a list that goes in circles.
        """
        if last is not None and made_at(last) >= self.start - _OVERLAP:
            if last["id"] == self.before_id:
                raise Unreadable("UNREADABLE_ANSWER", "The carrier's list of shipments goes in circles.")
            return Place(self.since, self.until, last["id"])
        return Place(self.since, self.start) if self.start > self.since else None


def page_of(reply: JsonObject, place: Place) -> PurchasePage:
    """The purchases of a page, each in one window only. Raises Unreadable for anything that is not wholly a page."""
    shipments, more = reply.get("shipments"), reply.get("has_more")
    if not isinstance(shipments, list) or not isinstance(more, bool) or (more and not shipments):
        raise Unreadable("UNREADABLE_ANSWER", "The carrier's answer is not a list of shipments.")
    if not all(isinstance(shipment, dict) for shipment in shipments):
        raise Unreadable("UNREADABLE_ANSWER", "The carrier's list holds something that is not a shipment.")
    # Each is read, so that one without id or date is noticed wherever it stands.
    read = [(made_at(shipment), listed_of(shipment)) for shipment in shipments]
    following = place.after(shipments[-1] if more else None)
    return PurchasePage(
        purchases=[listed for made, listed in read if listed is not None and place.start <= made < place.until],
        next_page="" if following is None else str(following),
    )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
