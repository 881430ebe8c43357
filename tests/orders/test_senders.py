import pytest

from shipping.models import Sender
from shipping.orders.senders import SenderRefused, set_sender

WAREHOUSE = {
    "name": "Warehouse",
    "street1": "417 Montgomery Street",
    "city": "San Francisco",
    "state": "California",
    "zip": "94104",
    "country": "USA",
    "phone": "4155550100",
}

pytestmark = pytest.mark.django_db


def test_it_sets_the_sender_with_codes_for_state_and_country() -> None:
    result = set_sender(**WAREHOUSE)
    assert result.changed
    assert Sender.objects.current() == result.sender
    assert (result.sender.state, result.sender.country, result.sender.company) == ("CA", "US", "")


def test_the_same_address_again_makes_no_new_sender() -> None:
    first = set_sender(**WAREHOUSE)
    again = set_sender(**WAREHOUSE | {"state": "ca", "country": "us", "name": " Warehouse "})
    assert not again.changed
    assert again.sender == first.sender
    assert Sender.objects.count() == 1


def test_another_address_is_a_new_sender_and_leaves_the_old_one_alone() -> None:
    first = set_sender(**WAREHOUSE).sender
    second = set_sender(**WAREHOUSE | {"street2": "Floor 5", "email": "depot@example.com"})
    assert second.changed
    assert Sender.objects.current() == second.sender
    first.refresh_from_db()
    assert first.street2 == ""


def test_a_bad_address_is_refused_with_every_field_that_is_wrong() -> None:
    with pytest.raises(SenderRefused) as refused:
        set_sender(**WAREHOUSE | {"name": "", "zip": "9410", "state": "XX", "phone": " ", "city": "a\nb"})
    assert set(refused.value.problems) == {"name", "zip", "state", "phone", "city"}
    assert not Sender.objects.exists()


def test_a_sender_needs_a_zip_code_wherever_it_is() -> None:
    with pytest.raises(SenderRefused, match="zip: This is needed"):
        set_sender(**WAREHOUSE | {"country": "HK", "state": "", "zip": ""})
