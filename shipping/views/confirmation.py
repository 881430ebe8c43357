"""The facts that a page showed, signed and carried by its form, so that the choice is bound to them."""

from dataclasses import asdict

from django.core import signing
from django.utils.translation import gettext as _

from shipping.models import Job
from shipping.reads import Facts
from shipping.services import FactsMoved

SALT = "shipping.confirmation"


def sign_facts(job: Job, facts: Facts) -> str:
    """A token for a form's hidden field."""
    return signing.dumps({"job": job.pk, **asdict(facts)}, salt=SALT)


def read_facts(token: str, job: Job) -> Facts:
    """The facts of a token that was made for this job. Raises FactsMoved for any other."""
    try:
        shown = signing.loads(token, salt=SALT)
        if shown.pop("job") == job.pk:
            return Facts(**shown)
    except (signing.BadSignature, TypeError, KeyError, AttributeError):
        pass
    raise FactsMoved(_("The confirmation does not belong to what is shown. Please look at it again."))
