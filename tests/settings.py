"""The settings that tests run under: the real ones, with a key of their own, and with database and media files in
a directory of their own.

The database is a file, not memory, because threads and processes of the tests share it. The processes that tests
start inherit the directory; only the one that made it removes it.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("HTTPS", "false")
if "TEST_DIRECTORY" not in os.environ:
    os.environ["TEST_DIRECTORY"] = tempfile.mkdtemp(prefix="onceship-tests-")
    atexit.register(shutil.rmtree, os.environ["TEST_DIRECTORY"], ignore_errors=True)
TEST_DIRECTORY = Path(os.environ["TEST_DIRECTORY"])
# Tests that run in parallel (pytest-xdist) share what their first process made, each in a corner of its own.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker and TEST_DIRECTORY.name != _worker:
    TEST_DIRECTORY = TEST_DIRECTORY / _worker
    TEST_DIRECTORY.mkdir()
    os.environ["TEST_DIRECTORY"] = str(TEST_DIRECTORY)
os.environ["MEDIA_ROOT"] = str(TEST_DIRECTORY / "media")

from shipping.project.settings import *  # noqa: E402, F403

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": str(TEST_DIRECTORY / "test.sqlite3")}  # noqa: F405

# Pages warn, and warnings are errors here, when the directory of collected files is not there.
STATIC_ROOT = TEST_DIRECTORY / "staticfiles"
STATIC_ROOT.mkdir(exist_ok=True)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
