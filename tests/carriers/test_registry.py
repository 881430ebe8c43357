"""Carriers by name, from the settings alone."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from shipping.carriers.easypost import EasyPost
from shipping.carriers.registry import UnknownCarrier, carrier_names, get_carrier


@pytest.fixture(autouse=True)
def _two_carriers(settings: LazySettings) -> Iterator[None]:
    adapter = "shipping.carriers.easypost.EasyPost"
    settings.CARRIERS = {
        "sandbox": {"ADAPTER": adapter, "OPTIONS": {"api_key": "EZTK1", "api_base": "http://127.0.0.1:9/v2"}},
        "easypost": {"ADAPTER": adapter, "OPTIONS": {"api_key": "EZAK1", "api_base": "https://api.example/v2"}},
    }
    get_carrier.cache_clear()
    yield
    get_carrier.cache_clear()


def test_it_makes_the_adapter_with_its_options_once() -> None:
    carrier = get_carrier("easypost")
    assert isinstance(carrier, EasyPost)
    assert repr(carrier) == "EasyPost(api_base='https://api.example/v2')"
    assert get_carrier("easypost") is carrier
    assert get_carrier("sandbox") is not carrier


def test_the_names_come_in_the_order_of_the_settings() -> None:
    assert carrier_names() == ["sandbox", "easypost"]


def test_an_unknown_name_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(UnknownCarrier, match=r"No carrier named 'ups' is configured; there is sandbox, easypost\."):
        get_carrier("ups")


def test_the_carrier_of_the_settings_is_the_sandbox_when_there_is_no_key() -> None:
    from shipping.project import settings as project_settings

    assert project_settings.CARRIERS["sandbox"]["ADAPTER"] == "shipping.carriers.easypost.EasyPost"
    assert EasyPost(**project_settings.CARRIERS["sandbox"]["OPTIONS"])
