"""How jobs, rows and runs stand, in the words of the pages and the admin, and a sentence for each that says what it
means.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from shipping.liveness import Condition
from shipping.states import RowStatus, RunEnd

CONDITION_NAMES: dict[Condition, str | Promise] = {
    Condition.not_started: gettext_lazy("Not started"),
    Condition.working: gettext_lazy("Shipping"),
    Condition.waiting_for_worker: gettext_lazy("Waiting for a worker"),
    Condition.waiting_for_person: gettext_lazy("Needs a decision"),
    Condition.interrupted: gettext_lazy("Interrupted"),
    Condition.paused: gettext_lazy("Paused"),
    Condition.completed: gettext_lazy("Completed"),
    Condition.failed: gettext_lazy("Failed"),
    Condition.cancelled: gettext_lazy("Cancelled"),
}

# A row in flight is one of two things for a person: somebody waits for its answer, or nobody does.
IN_DOUBT = "in_doubt"
ROW_NAMES: dict[str, str | Promise] = {**dict(RowStatus.choices), IN_DOUBT: gettext_lazy("In doubt")}

# A run that has not ended.
AT_WORK, AWAITED = "at_work", "awaited"
RUN_NAMES: dict[str, str | Promise] = {
    AWAITED: gettext_lazy("Waiting for a worker"),
    AT_WORK: gettext_lazy("At work"),
    **dict(RunEnd.choices),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a state means, in a sentence or two, and the page of help that says more ("" where there is none)."""

    sentence: str | Promise
    help: str = ""


JOB_EXPLANATIONS: Mapping[Condition, Explanation] = {
    Condition.not_started: Explanation(
        gettext_lazy("Nothing has been bought. The job begins when somebody presses Start.")
    ),
    Condition.working: Explanation(
        gettext_lazy("A worker is buying the labels now, row by row in the order of the file.")
    ),
    Condition.waiting_for_worker: Explanation(
        gettext_lazy("It is set going, and the next free worker takes it up. Nothing is bought while it waits."),
        help="no-worker",
    ),
    Condition.waiting_for_person: Explanation(
        gettext_lazy(
            "Every other row is done. Of what is left the carrier could not say whether it was bought, so a person"
            " has to look it up and decide."
        ),
        help="review",
    ),
    Condition.interrupted: Explanation(
        gettext_lazy(
            "Work is left, nobody is working on it, and nobody will until a person decides: resume, restart or"
            " cancel. What was bought is safe."
        ),
        help="stuck",
    ),
    Condition.paused: Explanation(
        gettext_lazy("Somebody stopped it for a while. No further label is bought until somebody carries it on."),
        help="pause",
    ),
    Condition.completed: Explanation(gettext_lazy("Every row is done: bought, failed or left out.")),
    Condition.failed: Explanation(
        gettext_lazy("The job could not be carried on at all. Labels that were bought stay bought.")
    ),
    Condition.cancelled: Explanation(
        gettext_lazy(
            "Somebody stopped it for good. No further label is bought; what was bought stays bought unless it is"
            " voided."
        ),
        help="cancel",
    ),
}

ROW_EXPLANATIONS: Mapping[str, Explanation] = {
    RowStatus.pending: Explanation(gettext_lazy("Its turn has not come. Nothing has been bought for this attempt.")),
    RowStatus.in_flight: Explanation(
        gettext_lazy("The purchase was sent to the carrier a moment ago, and a worker is waiting for the answer.")
    ),
    IN_DOUBT: Explanation(
        gettext_lazy(
            "The purchase was sent and nobody received the answer. It may or may not have been bought. It is not sent"
            " again: the carrier is asked first."
        ),
        help="doubt",
    ),
    RowStatus.completed: Explanation(gettext_lazy("The label was bought and is in the books.")),
    RowStatus.failed: Explanation(
        gettext_lazy("The carrier refused it, and nothing was bought. The reason stands beside it.")
    ),
    RowStatus.needs_review: Explanation(
        gettext_lazy(
            "The carrier was asked and could not say whether it was bought. A person has to look it up and decide."
        ),
        help="review",
    ),
    RowStatus.skipped: Explanation(gettext_lazy("Somebody left this row out. Nothing more is bought for it.")),
}

RUN_EXPLANATIONS: Mapping[str, Explanation] = {
    AWAITED: Explanation(gettext_lazy("This turn was asked for and waits for a free worker."), help="no-worker"),
    AT_WORK: Explanation(gettext_lazy("A worker is at it and says so every few seconds.")),
    RunEnd.handed_over: Explanation(
        gettext_lazy("Its time was up, as planned, and another worker took over. Nothing was lost.")
    ),
    RunEnd.no_work: Explanation(gettext_lazy("There was nothing left that a worker could do.")),
    RunEnd.halted: Explanation(gettext_lazy("An error stopped the job, so that a person can look at it first.")),
    RunEnd.fenced: Explanation(gettext_lazy("A person chose something, and this worker was told to stop.")),
    RunEnd.died: Explanation(
        gettext_lazy(
            "The process ended in the middle: it was killed, or the machine went down. What it had sent is asked about."
        ),
        help="stuck",
    ),
    RunEnd.never_started: Explanation(gettext_lazy("No worker took it up before something else was decided.")),
}
