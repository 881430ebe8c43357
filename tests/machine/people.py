"""What people do: they look, choose and confirm, through the doors that pages, admin and terminal use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from recovery import review
from recovery.choices import handle_recovery_choice
from shipping.models import Event, Row
from shipping.refusals import Refused
from shipping.services import JobService
from shipping.states import JobStatus, RowStatus
from shipping.voids import void_chosen
from tests.machine.carrier import Verdict
from tests.machine.couriers import Ruling, answer_at_the_desk
from tests.machine.play import Processes
from tests.machine.promise import Books, Breach

REASON = "a move of the machine"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person saw of a job: the books of that moment, and the confirmation that the page held for a restart."""

    books: Books
    confirmation: str

    @property
    def mark(self) -> int:
        """The newest label."""
        return max(self.books.labels, default=0)

    def labels(self, books: Books) -> Mapping[int, int]:
        """Bought rows whose label is not newer than the mark, in those books: the label by the row."""
        return {
            key: row["label_id"]
            for key, row in books.rows.items()
            if row["status"] == RowStatus.completed and row["label_id"] <= self.mark
        }

    def facts(self, books: Books) -> tuple[Any, ...]:
        """What a confirmed restart is bound to, read from those books."""
        job = books.job
        paid = [label for label in self.labels(books).values() if books.labels[label]["voided_at"] is None]
        cents = sum(books.labels[label]["cost_cents"] for label in paid)
        return job["epoch"], job["status"], job["error_row_number"], self.labels(books), cents


class Play(Processes):
    """All moves: those of processes, carrier and time, and those of people. A command that is refused returns False
    and must have changed nothing.
    """

    service = JobService()

    # --- Choices about the job ----------------------------------------------------------------------------

    def begin(self, person: int = 0) -> bool:
        """Start the job, or carry it on after a pause."""
        actor = self.people[person]
        return self._choose(
            "starts the job", actor, lambda: self.service.start(self.job_id, actor=actor, reason=REASON)
        )

    def pause(self, person: int = 0) -> bool:
        actor = self.people[person]
        return self._choose("pauses", actor, lambda: self.service.pause(self.job_id, actor=actor, reason=REASON))

    def resume(self, person: int = 0, *, retry_failed: bool = False) -> bool:
        """Resume an interrupted job."""
        return self._recover("resume", "resumes", person, retry_failed=retry_failed)

    def cancel_interrupted(self, person: int = 0) -> bool:
        """Cancel an interrupted job."""
        return self._recover("cancel", "cancels the interrupted job", person)

    def cancel(self, person: int = 0) -> bool:
        """Cancel a job, interrupted or not."""
        actor = self.people[person]
        return self._choose("cancels", actor, lambda: self.service.cancel(self.job_id, actor=actor, reason=REASON))

    def look(self) -> Shown | None:
        """Read what a restart would do; None when none is offered."""
        with self.move("a person looks at what a restart would do"):
            try:
                answer = handle_recovery_choice("restart", self.job_id, self.service)
            except Refused:
                return None
        return Shown(self.books, answer["confirmation"])

    def restart(self, shown: Shown, person: int = 0, *, void_first: bool = False) -> bool:
        """Confirm what was shown, a moment or a while ago."""
        before = self.books
        # What is named may be bought again from the commit on; when it is refused, nothing may.
        permits = dict(self.witness.permits)
        self.witness.permits |= dict.fromkeys(shown.labels(shown.books).values(), void_first)
        words = "confirms a restart" + (" with voids first" if void_first else "")
        extra = {"confirmation": shown.confirmation, "void_first": void_first}
        done = self._recover("restart", words, person, **extra)
        if not done:
            self.witness.permits = permits
        elif shown.facts(shown.books) != shown.facts(before):
            raise Breach(6, "a restart was accepted that had been confirmed with other facts")
        return done

    def _recover(self, choice: str, words: str, person: int, **options: Any) -> bool:
        actor = self.people[person]
        return self._choose(
            words,
            actor,
            lambda: handle_recovery_choice(choice, self.job_id, self.service, actor=actor, reason=REASON, **options),
        )

    def _choose(self, words: str, actor: User, act: Callable[[], object]) -> bool:
        """A choice: it raises the epoch, ends what ran before and leaves the bought rows to the sweep."""
        before = self.books
        done = self._order(words, actor, act)
        if not done:
            return False
        after = self.books
        older = [run for run in after.runs.values() if run["epoch"] < after.job["epoch"]]
        if after.job["epoch"] <= before.job["epoch"] or any(run["ended_at"] is None for run in older):
            raise Breach(5, "a choice left an older run unfenced")
        bought = {key for key, row in before.rows.items() if row["status"] == RowStatus.completed}
        if any(after.rows[key] != before.rows[key] for key in bought):
            raise Breach(8, "a choice itself changed what only a sweep may, a chunk at a time")
        return True

    def _order(self, words: str, actor: User, act: Callable[[], object]) -> bool:
        """Anything that a person has done: it leaves a trace, or was refused and changed nothing."""
        before = self.books
        refusal: Refused | None = None
        with self.move(f"{actor.username} {words}"):
            try:
                act()
            except Refused as refused:
                refusal = refused
        if refusal is not None:
            self.story[-1] += f", and is refused: {refusal}"
            if (before.job, before.rows, before.labels, before.runs) != (
                self.books.job,
                self.books.rows,
                self.books.labels,
                self.books.runs,
            ):
                raise Breach(7, "a command was refused, and yet changed something")
            return False
        written = [event["id"] for event in self.books.events if event["actor_id"] == actor.pk]
        if not Event.objects.filter(pk__in=written, details__reason=REASON).exists():
            raise Breach(7, "a person chose, and no event tells who and why")
        return True

    # --- Decisions about rows and labels ------------------------------------------------------------------

    def send_again(self, row_id: int, person: int = 0) -> bool:
        """Say that a row was not bought, after a look into the carrier's own list."""
        return self._decide(review.send_again, "has sent again", row_id, person)

    def leave_out(self, row_id: int, person: int = 0) -> bool:
        """Leave a row out, after the same look."""
        return self._decide(review.skip, "leaves out", row_id, person)

    def _decide(self, decide: Callable[..., Row], words: str, row_id: int, person: int) -> bool:
        actor, row = self.people[person], self.books.rows[row_id]
        assert not row["handle"] or not self.ledger.of(row["handle"]), "a person tells the truth"
        if row["due"] is None or self.clock.seconds >= row["due"] + settings.QUIET_SECONDS:
            self.witness.answered.add((row_id, row["claims"]))
        shown = Row.objects.get(pk=row_id)
        return self._order(
            f"{words} {self.row_words(row_id)}", actor, lambda: decide(shown, actor=actor, reason=REASON)
        )

    def record_bought(
        self, row_id: int, person: int = 0, *, verdict: Verdict = Verdict.done, void: bool = False
    ) -> bool:
        """Have the label recorded that the carrier says was bought, and with `void` given back."""
        actor, row = self.people[person], self.books.rows[row_id]
        answer_at_the_desk(Ruling(verdict))
        asked_late = row["due"] is not None and self.clock.seconds >= row["due"] + settings.QUIET_SECONDS
        if verdict == Verdict.done and asked_late:
            self.witness.answered.add((row_id, row["claims"]))
        decide = review.void_bought if void else review.record_bought
        shown = Row.objects.select_related("job").get(pk=row_id)
        words = f"has the label of {self.row_words(row_id)} recorded" + (" and voided" if void else "")
        return self._order(words, actor, lambda: decide(shown, actor=actor, reason=REASON))

    def void(self, label_id: int, person: int = 0) -> bool:
        """Order the void of one label."""
        actor = self.people[person]
        return self._order(
            f"has label {label_id} voided",
            actor,
            lambda: void_chosen(self.job_id, [label_id], actor=actor, reason=REASON),
        )

    def void_all(self, person: int = 0) -> bool:
        """Order the void of all labels of a job that is over."""
        actor = self.people[person]
        return self._order(
            "has all labels voided", actor, lambda: self.service.void_labels(self.job_id, actor=actor, reason=REASON)
        )

    def check_again(self) -> None:
        """Have the carrier asked again about every row that owes an answer."""
        with self.move("a person has the carrier asked again"):
            self.service.check_again(self.job_id, actor=self.people[0], reason=REASON)

    @property
    def is_over(self) -> bool:
        return self.books.job["status"] not in (JobStatus.pending, JobStatus.running, JobStatus.paused)
