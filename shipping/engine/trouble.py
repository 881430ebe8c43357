"""A carrier in trouble: when to try again, and when to stop trying."""

import random

from django.conf import settings

from shipping.carriers.port import CarrierError, Rejected, Unavailable, Unknown, Unsent
from shipping.models.clock import local_seconds

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


class Trouble:
    """Failures in a row of one kind of request, with back-off and jitter. Times are `local_seconds()`.

    `failing_for`: for how many seconds the carrier has failed already, as an earlier run of the job has seen it.
    """

    def __init__(self, failing_for: float = 0.0) -> None:
        self.failures = 0
        self.since: float | None = local_seconds() - failing_for if failing_for else None
        self.named_until = 0.0
        self.backed_off_until = 0.0

    @property
    def lasting(self) -> bool:
        """Whether the carrier has failed since its last good answer: probe it with one request at a time."""
        return self.since is not None

    @property
    def failing_for(self) -> float:
        """For how many seconds the carrier has failed; 0 when it has not."""
        return 0.0 if self.since is None else local_seconds() - self.since

    @property
    def wait_until(self) -> float:
        """Until when nothing is sent: for as long as the carrier has named, and as backing off takes."""
        return max(self.named_until, self.backed_off_until)

    def lift(self) -> None:
        """What the carrier has named is over, or a person wants it to be asked all the same."""
        self.named_until = 0.0

    @property
    def waiting(self) -> bool:
        return local_seconds() < self.wait_until

    def note(self, outcome: object) -> None:
        """Take an answer into account: trouble, or the end of it. Whatever is definite ends it."""
        if isinstance(outcome, Unsent):
            return
        if isinstance(outcome, Unavailable | Unknown):
            self._add(outcome)
        elif isinstance(outcome, Rejected) or not isinstance(outcome, CarrierError):
            self.failures = 0
            self.since = None
            self.named_until = self.backed_off_until = 0.0

    def too_long(self) -> bool:
        """Whether this has lasted for HALT_AFTER_SECONDS, or will have when the carrier's own Retry-After ends."""
        until = max(local_seconds(), self.wait_until)
        return self.since is not None and until - self.since >= settings.HALT_AFTER_SECONDS

    def _add(self, error: Unavailable | Unknown) -> None:
        now = local_seconds()
        if self.since is None:
            self.since = now
        named = error.retry_after if isinstance(error, Unavailable) else None
        self.named_until = max(self.named_until, now + (named or 0.0))
        if self.failures and now < self.backed_off_until:
            return  # sent before the last wait began: the same trouble, not more of it
        self.failures += 1
        longest = min(LONGEST_WAIT_SECONDS, settings.HALT_AFTER_SECONDS / 2)
        wait = min(longest, FIRST_WAIT_SECONDS * 2 ** min(self.failures - 1, 10))
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
        self.backed_off_until = now + wait
