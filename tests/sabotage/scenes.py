"""For each broken build the moves that show it. The same moves break nothing of the sound product."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.machine.people import Play
from tests.sabotage import choosing, claiming, moves, settling
from tests.sabotage.altering import Build


@dataclass(frozen=True, slots=True)
class Scene:
    """Moves, with the job and the carrier they are for, and the rule that is broken in them. In the end, all that
    moves by itself comes to rest.
    """

    build: Build
    rule: str
    moves: Callable[[Play], None]
    rows: int = 1
    carrier: Mapping[str, bool] = field(default_factory=lambda: {"exactly_once": True})


SEND_AGAIN = {"exactly_once": False, "send_again": True}

SCENES = (
    Scene(claiming.claim_after_money, "1", moves.money_first),
    Scene(claiming.send_what_no_commit_confirmed, "1", moves.commit_lost),
    Scene(settling.drop_when_fenced, "2", moves.paused_with_an_answer_on_its_way),
    Scene(settling.swallow_second_charge, "2", moves.charged_twice_through_the_window, carrier=SEND_AGAIN),
    Scene(settling.delete_voided_labels, "2", moves.voided_and_bought_again, rows=2),
    Scene(settling.believe_at_once, "3", moves.asked_at_once),
    Scene(settling.doubt_means_no, "3", moves.asked_in_vain),
    Scene(settling.lost_answer_means_no, "3", moves.answer_lost),
    Scene(settling.late_answer_for_a_newer_claim, "3", moves.two_claims_and_a_late_no),
    Scene(settling.any_label_ends_the_doubt, "3", moves.two_claims_and_a_late_label),
    Scene(settling.forget_cancelled_jobs, "3", moves.cancelled_in_doubt),
    Scene(claiming.send_after_its_due, "3", moves.frozen_past_the_due),
    Scene(settling.void_before_the_answer, "3", moves.voided_while_it_owes),
    Scene(choosing.decide_too_early, "3", moves.decided_early),
    Scene(choosing.restart_without_waiting, "3", moves.restarted_while_it_owes, rows=2),
    Scene(claiming.resend_when_unanswered, "4", moves.answer_lost),
    Scene(claiming.epoch_read_before_the_lock, "5", moves.paused_and_gone_on_with),
    Scene(claiming.claim_without_a_guard, "5", moves.two_workers_side_by_side, rows=2),
    Scene(claiming.revive_by_ticket, "5", moves.another_ticket_after_a_kill, rows=2),
    Scene(choosing.choice_without_a_fence, "5", moves.paused_at_once),
    Scene(choosing.the_dead_count_as_alive, "5", moves.left_by_its_worker),
    Scene(claiming.handle_not_pinned, "6", moves.claimed_anew),
    Scene(choosing.restart_by_status, "6", moves.label_after_the_mark, rows=2),
    Scene(choosing.rebuy_in_spite_of_a_refusal, "6", moves.void_refused, rows=2),
    Scene(choosing.confirmation_not_bound, "6", moves.confirmed_too_late, rows=2),
    Scene(choosing.choice_without_a_trace, "7", moves.cancelled),
    Scene(claiming.claim_during_a_sweep, "8", moves.restarted, rows=2),
    Scene(settling.forget_counters, "books", moves.bought),
)
