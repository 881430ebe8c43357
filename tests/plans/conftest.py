"""Books that are large enough for plans to be told apart: those that `benchmarks.million` measures, made smaller."""

import pytest
from django.db import connection

from benchmarks.million import build
from benchmarks.million.build import Books


@pytest.fixture
def books(db: None) -> Books:
    """A big job that was interrupted, and a hundred small ones in every condition.

    Neither database has statistics of them. SQLite has none in production either. PostgreSQL then takes every job for
    a two-hundredth of the books, as it would in real ones; told how small these are, and that half of them is one job,
    it would rightly read them whole. Nor may it do so because tables are small: what is left to tell is whether an
    index serves.
    """
    build.write(rows=5_000, jobs=200)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # What other tests have committed may have been analyzed meanwhile.
            ours = "relnamespace = 'public'::regnamespace AND relname LIKE 'shipping\\_%'"
            cursor.execute(f"DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE {ours})")  # noqa: S608
            cursor.execute(f"UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE {ours}")  # noqa: S608
            cursor.execute("SET LOCAL enable_seqscan = off")
    return build.find()
