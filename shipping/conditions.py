"""How a job stands, in the words of the pages and the admin."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from shipping.liveness import Condition

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
