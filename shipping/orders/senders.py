"""Setting the sender: the address that parcels come from."""

from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from shipping.models import Sender
from shipping.orders.addresses import check_address, tidy


class SenderRefused(ValueError):
    """The address can't be a sender's; nothing was changed. `problems` has sentences by field."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(f"{field}: {message}" for field, message in problems.items()))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class SenderSet:
    """The current sender, and whether it is a new one."""

    sender: Sender
    changed: bool


def set_sender(
    *,
    name: str,
    street1: str,
    city: str,
    state: str,
    zip: str,  # noqa: A002 (the field's own name)
    country: str,
    phone: str,
    company: str = "",
    street2: str = "",
    email: str = "",
) -> SenderSet:
    """Make an address the sender of all jobs to come; jobs that are there keep theirs. The same address as before
    changes nothing. Raises SenderRefused.
    """
    given = {
        "name": name,
        "company": company,
        "street1": street1,
        "street2": street2,
        "city": city,
        "state": state,
        "zip": zip,
        "country": country,
        "phone": phone,
        "email": email,
    }
    given = {field: tidy(value) for field, value in given.items()}
    checked = check_address(given)
    problems = dict(checked.problems)
    for field in ("name", "zip", "phone"):
        if not given[field]:
            problems[field] = _("This is needed.")
    if problems:
        raise SenderRefused(problems)
    with transaction.atomic():
        current = Sender.objects.current()
        if current and all(getattr(current, field) == value for field, value in checked.fields.items()):
            return SenderSet(current, changed=False)
        return SenderSet(Sender.objects.create(**checked.fields), changed=True)
