"""Marks for tests that are about one database alone."""

import pytest
from django.conf import settings

sqlite_only = pytest.mark.skipif(
    not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="about SQLite alone; this is PostgreSQL"
)
