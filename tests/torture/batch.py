"""One batch: kills at random instants, choices by a person, until the job is over and nothing moves any more."""

import contextlib
import threading
import time
from random import Random

from django.contrib.auth.models import User
from django.db import OperationalError

from recovery import RecoveryChoice, handle_recovery_choice
from shipping.liveness import Condition, condition
from shipping.models import Job, Label, Row
from shipping.services import JobService, Refused
from shipping.states import EventKind, JobStatus
from tests.factories import make_job, row_of
from tests.support.ledger import Comparison, compare_at_any_time, compare_when_over
from tests.torture.person import NoAnswer, Person, Post
from tests.torture.scene import FORGETFUL, Scene
from tests.torture.stage import Stage
from tests.torture.tally import Tally

SECONDS_PER_BATCH = 300.0
MOST_RESTARTS = 2
# The share of a person's posts during which the web server dies.
POSTS_KILLED = 0.2
# The share of rows in review that a person decides instead of having the carrier asked once more.
DECIDED = 0.7
# How often a person has the carrier asked again about rows in review before they are left as they are: shown.
MOST_QUESTIONS = 30


class Batch:
    """Plays one scene. `played` is what it found; any of its breaches ends the run."""

    def __init__(self, name: str, scene: Scene, stage: Stage, person: Person, tally: Tally) -> None:
        """`name` is the seed and the number: what is drawn by chance is drawn from it, each kind on its own, so that
        one more question does not move the kills.
        """
        self.scene, self.stage, self.person, self.tally = scene, stage, person, tally
        self.strikes = Random(f"{name}/strikes")
        self.wishes = Random(f"{name}/wishes")
        self.clerk = User.objects.get(username=person.username)
        self.kills_left = scene.kills
        self.pauses_left = scene.pauses
        self.strike_at: float | None = None
        self.pause_at: float | None = None
        self.act_at: float | None = None
        self.killed_at: float | None = None
        self.chosen: tuple[float, int] | None = None
        self.restarts = self.questions = 0
        self.void_asked = False
        self.said: list[str] = []
        self.job = Job()
        self.charged_before = 0

    def play(self) -> Comparison:
        """The whole batch. Returns the comparison at its end, or the first that found a breach."""
        self._set_up()
        ends_at = time.monotonic() + SECONDS_PER_BATCH
        while not self._is_over():
            if time.monotonic() > ends_at:
                return self._breach("never over", f"not over after {SECONDS_PER_BATCH:g} s: {self._standing()}")
            found = self._step()
            if found is not None and found.breaches:
                return found
            time.sleep(0.01 if self.killed_at else 0.06)
        return self._final()

    def _set_up(self) -> None:
        self.tally.rows += self.scene.rows
        self.tally.forgetful += FORGETFUL in self.scene.faults
        self.tally.three_workers += self.scene.workers == 3
        self.tally.by_reference += self.scene.carrier != "sandbox"
        self.job = make_job(
            self.scene.rows,
            carrier=self.scene.carrier,
            created_by=self.clerk,
            stop_on_error=self.scene.stop_on_error,
        )
        for number, street in self.scene.refused.items():
            row = row_of(self.job, number)
            row.order = {**row.order, "to_street1": street}
            row.save()
        self.charged_before = max((charge["id"] for charge in self.stage.carrier.ledger()), default=0)
        self.stage.carrier.faults(self.scene.faults)
        self.stage.call_workers(self.scene.workers)

    # --- One step ----------------------------------------------------------------------------------------

    def _step(self) -> Comparison | None:
        """Whatever is due at this moment. Returns a comparison where one was made."""
        calm = self.kills_left <= 0
        self.stage.revive(at_once=calm)
        if self.stage.ended_by_themselves:
            return self._breach("crash", *self.stage.ended_by_themselves)
        self.job = Job.objects.get(pk=self.job.pk)
        now = condition(self.job)
        self._measure(now)
        self._plan_strike(now)
        if self.strike_at is not None and time.monotonic() >= self.strike_at and self.stage.living():
            self.strike_at = None
            return self._strike(now)
        self._plan_act(now)
        if self.act_at is not None and time.monotonic() >= self.act_at:
            self.act_at = None
            return self._act(now)
        return None

    def _plan_strike(self, now: Condition) -> None:
        if self.kills_left <= 0 or self.strike_at is not None:
            return
        if now is Condition.working or self.strikes.random() < 0.02:
            self.strike_at = time.monotonic() + self.strikes.uniform(0.0, 1.5)

    def _plan_act(self, now: Condition) -> None:
        if now is Condition.working and self.pauses_left and self.pause_at is None:
            self.pause_at = time.monotonic() + self.wishes.uniform(0.2, 3.0)
        if now is Condition.working and self.pause_at is not None and time.monotonic() >= self.pause_at:
            self.pause_at, self.act_at = None, time.monotonic()
            return
        if now in (Condition.working, Condition.waiting_for_worker):
            self.act_at = None
        elif self.act_at is None:
            self.act_at = time.monotonic() + self.wishes.uniform(0.0, 0.6)

    def _measure(self, now: Condition) -> None:
        if self.killed_at is not None:
            if now is Condition.interrupted:
                self.tally.to_interrupted.append(time.monotonic() - self.killed_at)
            self.killed_at = None
        if self.chosen is not None:
            since, newest = self.chosen
            if Label.objects.filter(job=self.job, pk__gt=newest, adopted=False).exists():
                self.tally.to_first_row.append(time.monotonic() - since)
                self.chosen = None

    # --- Kills -------------------------------------------------------------------------------------------

    def _strike(self, now: Condition) -> Comparison | None:
        living = self.stage.living()
        kind = self.strikes.choices(["worker", "every worker", "web", "carrier"], [45, 15, 20, 20])[0]
        if kind == "web" and "web" in living:
            return self._strike_web(now)
        victims = [name for name in living if name.startswith("worker" if "worker" in kind else kind)]
        if not victims:
            return None
        if kind != "every worker":
            victims = [self.strikes.choice(victims)]
        for name in victims[: self.kills_left]:
            self._kill(name)
        return None

    def _kill(self, name: str) -> None:
        self.stage.kill(name, self.strikes)
        self.tally.kills[name.split(maxsplit=1)[0]] += 1
        self.kills_left -= 1
        self.chosen = None
        if name.startswith("worker"):
            self.killed_at = time.monotonic()
        if self.kills_left == 0:
            # From here on nothing is in the way of the work any more.
            self.stage.revive(at_once=True)
            self.stage.carrier.faults(self.scene.faults_at_last)

    def _strike_web(self, now: Condition) -> Comparison | None:
        """Kill the web server in the middle of a post: a choice when one is due, else a button of the job's page."""
        post, name = None, ""
        if self.stage.web_is_ready():
            with contextlib.suppress(NoAnswer):
                post, name = self._wish(now)
        if post is None:
            self._kill("web")
            return None
        found = self._look_at_books()
        self._kill_web_during(post, name)
        return found

    def _kill_web_during(self, post: Post, name: str) -> None:
        sending = threading.Thread(target=self._send_into_the_dark, args=(post,))
        sending.start()
        time.sleep(self.strikes.uniform(0.0, 0.12))
        self._kill("web")
        sending.join()
        self.tally.choices[f"{name}, its page killed"] += 1

    def _send_into_the_dark(self, post: Post) -> None:
        with contextlib.suppress(NoAnswer):
            self.person.send(post)

    # --- What a person does ------------------------------------------------------------------------------

    def _act(self, now: Condition) -> Comparison | None:
        """Look at the books, then do what is to be done, on the page or (one in four choices) at the terminal."""
        found = self._look_at_books()
        if found is not None and found.breaches:
            return found
        if now is Condition.interrupted and self.wishes.random() < 0.25:
            self._choose_at_the_terminal()
            return found
        if self.stage.web_is_ready():
            with contextlib.suppress(NoAnswer):
                self._act_on_the_page(now)
        return found

    def _act_on_the_page(self, now: Condition) -> None:
        """Fill the form in and send it; now and then the web server dies meanwhile. Raises NoAnswer."""
        post, name = self._wish(now)
        if post is None:
            return
        if self.kills_left > 0 and self.strikes.random() < POSTS_KILLED:
            self._kill_web_during(post, name)
            return
        newest, began = self._newest_label(), time.monotonic()
        self.person.send(post)
        self.tally.choices[name] += 1
        if name in ("resume", "restart", "void first"):
            self.chosen = (began, newest)

    def _wish(self, now: Condition) -> tuple[Post | None, str]:
        """The form that a person would send as the job stands, and what it is called. Raises NoAnswer."""
        match now:
            case Condition.interrupted:
                return self._wished_choice()
            case Condition.not_started:
                return self._button("start"), "start"
            case Condition.paused if self._mischief(0.2):
                return self.person.cancel(self.job.pk), "cancel"
            case Condition.paused:
                return self._button("start"), "go on"
            case Condition.working if self.pauses_left:
                self.pauses_left -= 1
                return self._button("pause"), "pause"
        return self._wish_afterwards()

    def _wish_afterwards(self) -> tuple[Post | None, str]:
        """Nothing is to be chosen: have the labels voided now and then, ask about what is in doubt, and decide what
        asking did not settle, by what the carrier's own list says.
        """
        if self.job.is_over and not self.void_asked:
            self.void_asked = True
            if self._mischief(1.0):
                return self.person.void(self.job.pk), "void all"
        self.questions += 1
        row = Row.objects.filter(job=self.job).in_review().order_by("number").first()
        if row is not None and self.wishes.random() < DECIDED and self.stage.carrier_is_up():
            reference = self.job.reference(row.number, row.attempt)
            charged = any(charge["reference"] == reference for charge in self.stage.carrier.ledger())
            decision = "record_bought" if charged else "send_again" if self.job.is_open else "skip"
            return self.person.decide(self.job.pk, row.number, decision), decision.replace("_", " ")
        return self._button("check"), "check again"

    def _button(self, name: str) -> Post:
        return Post(f"/jobs/{self.job.pk}/{name}/")

    def _wished_choice(self) -> tuple[Post | None, str]:
        choice = self._choice()
        if choice == "cancel":
            return self.person.cancel_interrupted(self.job.pk), choice
        if choice == "resume":
            return self.person.resume(self.job.pk, skip=self._skips(), retry_failed=self.wishes.random() < 0.3), choice
        self.restarts += 1
        return self.person.restart(self.job.pk, void_first=choice == "void first"), choice

    def _choose_at_the_terminal(self) -> None:
        choice = self._choice()
        newest, began = self._newest_label(), time.monotonic()
        try:
            self._choose_here(choice)
        except (Refused, OperationalError) as refusal:
            self.said.append(str(refusal))
            return
        self.tally.choices[choice] += 1
        if choice != "cancel":
            self.chosen = (began, newest)

    def _choose_here(self, choice: str) -> None:
        service, job_id = JobService(), self.job.pk
        if choice in ("restart", "void first"):
            self.restarts += 1
            shown = handle_recovery_choice(RecoveryChoice.restart, job_id, service, actor=self.clerk)
            handle_recovery_choice(
                RecoveryChoice.restart,
                job_id,
                service,
                actor=self.clerk,
                confirmation=shown["confirmation"],
                void_first=choice == "void first",
            )
        elif choice == "cancel":
            handle_recovery_choice(choice, job_id, service, actor=self.clerk)
        else:
            skip = self._skips() and service.halting_row(self.job) is not None
            handle_recovery_choice(choice, job_id, service, actor=self.clerk, skip_failed_row=skip)

    def _choice(self) -> str:
        if not self._mischief(1.0):
            return "resume"
        others = ["restart", "void first", "cancel"] if self.restarts < MOST_RESTARTS else ["resume", "cancel"]
        return self.wishes.choices(others, [3] * (len(others) - 1) + [1])[0]

    def _mischief(self, share: float) -> bool:
        return self.kills_left > 0 and self.wishes.random() < self.scene.mischief * share

    def _skips(self) -> bool:
        """A row that halts the job is skipped in the end."""
        return self.kills_left <= 0 or self.wishes.random() < 0.5

    # --- The books ---------------------------------------------------------------------------------------

    def _look_at_books(self) -> Comparison | None:
        """What has to hold at any time; nothing while the carrier can't show its ledger."""
        if not self.stage.carrier_is_up():
            return None
        try:
            found = compare_at_any_time(self.job, self.stage.carrier.ledger(after=self.charged_before))
        except OperationalError:
            return None  # the database was locked for too long
        self.tally.comparisons += 1
        self.tally.note_breaches(found)
        return found

    def _is_over(self) -> bool:
        job = Job.objects.get(pk=self.job.pk)
        if job.is_open or job.sweep or job.status == JobStatus.pending:
            return False
        if not self.void_asked and self.kills_left > 0:
            return False
        owed = Row.objects.filter(job=job).owed()
        if self.questions >= MOST_QUESTIONS:
            owed = owed.owed_to_us()
        return not owed.exists() and not Label.objects.void_may_have_begun().filter(job=job).exists()

    def _final(self) -> Comparison:
        self.stage.revive(at_once=True)
        found = compare_when_over(self.job, self.stage.carrier.ledger(after=self.charged_before))
        restarts = self.job.events.filter(kind=EventKind.restarted).count()
        if restarts > self.restarts:
            found.breaches["duplicate"].append(f"{restarts} restarts, of which {self.restarts} were ordered")
        self.tally.comparisons += 1
        self.tally.add(found)
        self.tally.bought_rows += Job.objects.get(pk=self.job.pk).successful_rows
        self.tally.note_breaches(found)
        return found

    def _breach(self, kind: str, *said: str) -> Comparison:
        found = Comparison()
        found.breaches[kind] += said
        self.tally.note_breaches(found)
        return found

    def _standing(self) -> str:
        job = Job.objects.get(pk=self.job.pk)
        owed = Row.objects.filter(job=job).owed().count()
        voids = Label.objects.void_may_have_begun().filter(job=job).count()
        return f"{condition(job).value}, {job.remaining_rows} rows left, {owed} owed, {voids} voids, {self.said[-3:]}"

    def _newest_label(self) -> int:
        return Label.objects.filter(job=self.job).order_by("-pk").values_list("pk", flat=True).first() or 0
