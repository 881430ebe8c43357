"""The signed note of the facts that a choice was shown with.

It binds a choice to one job and to what the person saw; whether those facts still hold is the job service's to say.
"""

from dataclasses import astuple

from django.core import signing
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shipping.reads import Facts
from shipping.services import Refused


class RecoveryChoice(TextChoices):
    """What a person can do about an interrupted job."""

    resume = "resume", gettext_lazy("Resume")
    restart = "restart", gettext_lazy("Restart")
    cancel = "cancel", gettext_lazy("Cancel")


class BadConfirmation(Refused):
    """A confirmation that was not made for this job and choice, or that was tampered with."""


def confirm(choice: RecoveryChoice, job_id: int, facts: Facts) -> str:
    """The note that confirms a choice about a job with these facts; letters, digits and `-_.:` only."""
    # Without a time: the same facts give the same note, and whether they hold decides, not how old it is.
    return signing.Signer(salt=_salt(choice)).sign_object([job_id, *astuple(facts)], compress=True)


def confirmed_facts(choice: RecoveryChoice, job_id: int, confirmation: str) -> Facts:
    """The facts that a person confirmed. Raises BadConfirmation."""
    try:
        confirmed_job, *facts = signing.Signer(salt=_salt(choice)).unsign_object(confirmation.strip())
        confirmed = Facts(*facts)
    except (signing.BadSignature, ValueError, TypeError):
        raise BadConfirmation(_("This confirmation is not valid. Please look at the job again.")) from None
    if confirmed_job != job_id:
        raise BadConfirmation(_("This confirmation is for another job."))
    return confirmed


def _salt(choice: RecoveryChoice) -> str:
    return f"onceship.{choice.value}"
