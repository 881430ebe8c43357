"""Settings that can't work together are errors that name them."""

from types import SimpleNamespace
from typing import Any

import pytest

from shipping.carriers.registry import get_carrier
from shipping.checks import check_broker, check_carriers, check_settings, check_sqlite


def ids(found: list[Any]) -> list[str]:
    return [each.id for each in found]


def test_the_settings_as_they_come_are_fine() -> None:
    assert check_settings() == []
    assert check_carriers() == check_broker() == []


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("LEASE_SECONDS", 44.0, "onceship.E001"),
        ("HEARTBEAT_SECONDS", 23.0, "onceship.E002"),
        ("DEFAULT_CARRIER", "nobody", "onceship.E003"),
    ],
)
def test_a_setting_that_can_not_work_is_named(settings: Any, name: str, value: Any, check: str) -> None:
    setattr(settings, name, value)
    found = check_settings()
    assert ids(found) == [check]
    assert name in found[0].msg


@pytest.mark.parametrize(
    "entry",
    [
        {"ADAPTER": "shipping.carriers.nobody.Nobody"},
        {"ADAPTER": "shipping.carriers.easypost.EasyPost", "OPTIONS": {"api_key": "bad key", "api_base": "http://x"}},
        {"ADAPTER": "shipping.carriers.easypost.EasyPost", "OPTIONS": {"colour": "blue"}},
        {"ADAPTER": "shipping.carriers.easypost.EasyPost", "MAX_REQUESTS_PER_SECOND": -1.0},
    ],
)
def test_a_carrier_that_can_not_be_made_is_named_and_its_key_is_not(settings: Any, entry: dict[str, Any]) -> None:
    get_carrier.cache_clear()
    settings.CARRIERS = {"acme": entry}
    (error,) = check_carriers()
    get_carrier.cache_clear()
    assert error.id == "onceship.E005"
    assert "acme" in error.msg
    assert "bad key" not in error.msg


def test_a_run_that_would_outlast_the_brokers_patience_is_refused(settings: Any) -> None:
    settings.RUN_SECONDS = 1800.0
    assert check_broker() == []
    settings.TASK_ENGINE = "celery"
    assert ids(check_broker()) == ["onceship.E006"]
    settings.BROKER_CONSUMER_TIMEOUT_SECONDS = 3700.0
    assert check_broker() == []


def test_celery_without_its_libraries_is_refused(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TASK_ENGINE = "celery"
    monkeypatch.setattr("shipping.checks.find_spec", lambda _name: None)
    assert ids(check_broker()) == ["onceship.E007"]


def test_an_sqlite_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_sqlite() == []
    monkeypatch.setattr("shipping.checks.connection", SimpleNamespace(vendor="sqlite"))
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    assert ids(check_sqlite()) == ["onceship.E004"]
