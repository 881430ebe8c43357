"""The register of broken builds. Each is a function that alters the process it is called in, so
`tests.support.altered` can start any program with one: `("tests.sabotage.builds:retry_blindly", {})`.
"""

from collections.abc import Mapping

from tests.sabotage.altering import Build
from tests.sabotage.choosing import (
    choice_without_a_fence,
    choice_without_a_trace,
    confirmation_not_bound,
    decide_too_early,
    rebuy_in_spite_of_a_refusal,
    restart_by_status,
    restart_without_waiting,
    the_dead_count_as_alive,
)
from tests.sabotage.claiming import (
    claim_after_money,
    claim_during_a_sweep,
    claim_without_a_guard,
    epoch_read_before_the_lock,
    handle_not_pinned,
    resend_when_unanswered,
    retry_blindly,
    revive_by_ticket,
    send_after_its_due,
    send_what_no_commit_confirmed,
)
from tests.sabotage.settling import (
    any_label_ends_the_doubt,
    believe_at_once,
    delete_voided_labels,
    doubt_means_no,
    drop_when_fenced,
    forget_cancelled_jobs,
    forget_counters,
    late_answer_for_a_newer_claim,
    lost_answer_means_no,
    swallow_second_charge,
    void_before_the_answer,
)

# By the rule of the promise that each breaks.
BUILDS: Mapping[str, Build] = {
    build.__name__: build
    for build in (
        claim_after_money,
        send_what_no_commit_confirmed,
        drop_when_fenced,
        swallow_second_charge,
        delete_voided_labels,
        believe_at_once,
        doubt_means_no,
        lost_answer_means_no,
        late_answer_for_a_newer_claim,
        any_label_ends_the_doubt,
        forget_cancelled_jobs,
        send_after_its_due,
        void_before_the_answer,
        decide_too_early,
        restart_without_waiting,
        resend_when_unanswered,
        retry_blindly,
        epoch_read_before_the_lock,
        claim_without_a_guard,
        revive_by_ticket,
        choice_without_a_fence,
        the_dead_count_as_alive,
        handle_not_pinned,
        restart_by_status,
        rebuy_in_spite_of_a_refusal,
        confirmation_not_bound,
        choice_without_a_trace,
        claim_during_a_sweep,
        forget_counters,
    )
}


def what_is_broken(build: Build) -> str:
    """The build's docstring: what is broken, in one sentence."""
    return " ".join((build.__doc__ or "").split())
