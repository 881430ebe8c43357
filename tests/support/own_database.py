"""A database and files of its own for a program of the tests that no pytest runs."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def own_database(name: str) -> Iterator[Path]:
    """Sets Django up on a fresh SQLite file, or on the (empty) database that DATABASE_URL names. Gives a directory that
    is removed at the end. Nothing that needs Django may be imported before.
    """
    with tempfile.TemporaryDirectory(prefix=f"onceship-{name}-") as directory:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{directory}/books.sqlite3")
        os.environ.update(DJANGO_SETTINGS_MODULE="tests.settings", TEST_DIRECTORY=directory)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield Path(directory)
