"""Marks for tests that are about one database alone."""

import pytest
from django.conf import settings

IS_SQLITE = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")

sqlite_only = pytest.mark.skipif(not IS_SQLITE, reason="about SQLite alone; this is PostgreSQL")
postgres_only = pytest.mark.skipif(IS_SQLITE, reason="about PostgreSQL alone; this is SQLite")
