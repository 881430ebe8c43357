"""The carrier's own list, asked for with patience: every question has a total deadline, and is asked again when it was
not answered (asking costs nothing and changes nothing), not before the carrier wants to be asked again.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeVar

from django.conf import settings
from django.utils.translation import gettext as _

from shipping.backoff import wait_after
from shipping.carriers.port import CarrierError, ListedPurchase, Unknown
from shipping.carriers.registry import get_carrier
from shipping.models.clock import local_seconds
from shipping.pace import attend, attend_until

Answer = TypeVar("Answer")

_LONGEST_WAIT_SECONDS = 30.0


class CouldNotCheck(Exception):
    """The carrier could not be asked, so nothing is known. The message is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class _Asker:
    """One thread that asks, so that a carrier that answers drop by drop can be given up at the deadline. A daemon:
    what never comes back must not keep the process from ending.
    """

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="audit", daemon=True).start()

    def ask(self, question: Callable[[], Answer], account: str, timeout: float) -> Answer:
        """The answer. Raises queue.Empty when it did not come in time, after which no more may be asked here."""
        self._questions.put(question)
        answer = attend_until(self._answers.get, account, timeout, unanswered=queue.Empty)
        if isinstance(answer, _Failed):
            raise answer.error
        return answer  # type: ignore[no-any-return]

    def end(self) -> None:
        self._questions.put(None)

    def _work(self) -> None:
        while question := self._questions.get():
            try:
                self._answers.put(question())
            except Exception as error:
                self._answers.put(_Failed(error))


class CarrierList:
    """The list of one carrier account, for the length of a `with` block."""

    def __init__(self, account: str, *, patience: float, before_asking: Callable[[], None] = lambda: None) -> None:
        """`patience`: for how many seconds a question that is not answered is asked again. `before_asking` is called
        before each new question, and what it raises ends the asking. Raises UnknownCarrier.
        """
        self._account = account
        self._carrier = get_carrier(account)
        self._patience = patience
        self._before_asking = before_asking
        self._asker = _Asker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._asker.end()

    def pages(self, since: datetime) -> Iterator[Sequence[ListedPurchase]]:
        """All purchases of the account that were prepared since then, part by part. Raises CouldNotCheck."""
        page = ""
        while True:
            part = self._ask(partial(self._carrier.list_purchases, since, page))
            yield part.purchases
            page = part.next_page
            if not page:
                return

    def purchase(self, purchase_id: str) -> ListedPurchase | None:
        """One purchase as the carrier tells it now, None when it knows none. Raises CouldNotCheck."""
        return self._ask(partial(self._carrier.listed_purchase, purchase_id))

    def _ask(self, question: Callable[..., Answer]) -> Answer:
        self._before_asking()
        ends_at = local_seconds() + self._patience
        failures = 0
        while True:
            try:
                return self._ask_once(question)
            except CarrierError as error:
                failures += 1
                wait = wait_after(failures, error, longest=_LONGEST_WAIT_SECONDS)
                if local_seconds() + wait > ends_at:
                    raise CouldNotCheck(
                        _("The carrier could not be asked for its list: %(error)s") % {"error": error.message}
                    ) from error
            time.sleep(wait)

    def _ask_once(self, question: Callable[..., Answer]) -> Answer:
        timeout = float(settings.REQUEST_TIMEOUT_SECONDS)
        attend(self._account, 1)
        try:
            return self._asker.ask(partial(question, timeout=timeout), self._account, timeout)
        except queue.Empty:
            self._asker.end()
            self._asker = _Asker()
            raise Unknown("no_answer", _("The carrier did not answer in time.")) from None
