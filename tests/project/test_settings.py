"""A wrong value in the environment is one line that names its variable."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

WRONG = [
    ("LEASE_SECONDS", "soon"),
    ("REQUEST_TIMEOUT_SECONDS", "0"),
    ("LEASE_SECONDS", "10"),
    ("SHIP_CONCURRENCY", "65"),
    ("DEBUG", "maybe"),
    ("SECRET_KEY", ""),
    ("ALLOWED_HOSTS", ""),
    ("MEDIA_ROOT", ""),
    ("TIME_ZONE", "Mars"),
    ("SECURE_HSTS_SECONDS", "-5"),
    ("SANDBOX_URL", "foo"),
    ("EASYPOST_API_BASE", "foo"),
    ("EASYPOST_API_KEY", "a-secret"),
    ("DATABASE_URL", "mysql://localhost/onceship"),
    ("DEFAULT_CARRIER", "nobody"),
    ("LOG_LEVEL", "LOUD"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_an_error_that_names_its_variable(name: str, value: str) -> None:
    environment = {**os.environ, "DEBUG": "false", "DJANGO_SETTINGS_MODULE": "shipping.project.settings", name: value}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert "a-secret" not in done.stderr
